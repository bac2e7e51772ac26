"""The verbs `touchstone promise ...`; what they do stands in rooms that are imported once a verb is called."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from collectors.output import spare, write
from instrumentation.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Draft, check and explain promise files.")


@app.command("init")
def init(
    log: Annotated[Path, typer.Argument(help="An order log: CSV, wide CSV, XES, XES.gz or CloudEvents; - for a pipe.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it; else to the screen.")
    ] = None,
) -> None:
    """Look at a log and draft a complete promise file from it, with a comment beside each guess."""
    from collectors.drafting import draft_promise

    spare((log,), (output,))
    text = draft_promise(log)
    if output is None:
        typer.echo(text, nl=False)
        return
    write(output, text)
    typer.echo(f"{output}: drafted; `touchstone promise explain {output}` says what it promises", err=True)


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="The promise file.")]) -> None:
    """Report every mistake in a promise file at once, each with its line."""
    from collectors.promise.checking import check_document
    from collectors.promise.document import read_document

    findings, promise = check_document(read_document(file))
    for finding in findings:
        mark = "" if finding.severity == "error" else "warning: "
        typer.echo(f"{file}: {mark}{finding}", err=finding.severity == "error")
    if promise is None:
        errors = sum(finding.severity == "error" for finding in findings)
        raise BadInput(f"{file}: {errors} mistake{'s' if errors != 1 else ''} to mend")
    typer.echo(f"{file}: `{promise.name}` is a valid promise of {len(promise.stages)} stages")


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of promise files, for editors."""
    from collectors.promise.schema import schema_text

    typer.echo(schema_text(), nl=False)


@app.command("explain")
def explain(file: Annotated[Path, typer.Argument(help="The promise file.")]) -> None:
    """Say in plain words what a promise file promises."""
    from collectors.promise import load_promise
    from collectors.promise.explain import explain as explained

    typer.echo(explained(load_promise(file)), nl=False)
