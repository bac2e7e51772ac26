"""The verbs `touchstone dashboards ...`; what they do stands in ``command``, imported once a verb is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Grafana dashboards of a promise file: build, check, publish.")

Promise = Annotated[
    Path | None, typer.Option("--promise", help="The promise file; the jewellery maker's own if left out.")
]


@app.command()
def build(
    promise: Promise = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; dashboards/generated if left out.")
    ] = None,
) -> None:
    """Write dashboards, data sources and the way to both for Grafana's own provisioning."""
    from collectors.promise.reading import DEFAULT_PROMISE, load_promise
    from dashboards.building import GENERATED
    from dashboards.command import build_files

    typer.echo(build_files(load_promise(promise or DEFAULT_PROMISE), output or GENERATED))


@app.command()
def check(
    promise: Promise = None,
    folder: Annotated[Path | None, typer.Argument(help="What to check; dashboards/generated if left out.")] = None,
) -> None:
    """Build again and compare; check the grid, ids, units and queries of every dashboard."""
    from collectors.promise.reading import DEFAULT_PROMISE, load_promise
    from dashboards.building import GENERATED
    from dashboards.command import check_files

    typer.echo(check_files(load_promise(promise or DEFAULT_PROMISE), folder or GENERATED))


@app.command()
def publish(
    promise: Promise = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace dashboards that somebody changed in Grafana.")
    ] = False,
) -> None:
    """Publish to the Grafana at TOUCHSTONE_GRAFANA_URL, with the token in TOUCHSTONE_GRAFANA_TOKEN."""
    from collectors.promise.reading import DEFAULT_PROMISE, load_promise
    from dashboards.command import publish as publish_to
    from dashboards.settings import Settings

    done = publish_to(load_promise(promise or DEFAULT_PROMISE), Settings(), os.environ, overwrite=overwrite)
    typer.echo(done)
