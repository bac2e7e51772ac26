"""The verbs `touchstone alerts ...`; what they do stands in ``command``, imported once a verb is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Prometheus rules with their tests, and who is told, from a promise file.")

Promise = Annotated[
    Path | None, typer.Option("--promise", help="The promise file; the jewellery maker's own if left out.")
]
Settings = Annotated[
    Path | None, typer.Option("--settings", help="Receivers, links and objectives; alerts/settings.yaml if left out.")
]
Folder = Annotated[
    Path | None, typer.Option("--output", "-o", help="The folder of the generated files; alerts/generated if left out.")
]


@app.command()
def build(promise: Promise = None, settings: Settings = None, output: Folder = None) -> None:
    """Write rules, their targets, their tests and Alertmanager's configuration; bring the runbooks up to date."""
    from alerts.command import run_build

    typer.echo("\n".join(run_build(promise, settings, output)))


@app.command()
def check(promise: Promise = None, settings: Settings = None, output: Folder = None) -> None:
    """Build again and compare, runbooks too; let promtool, amtool and pint judge, where this machine has them."""
    from alerts.command import run_check

    typer.echo("\n".join(run_check(promise, settings, output)))
