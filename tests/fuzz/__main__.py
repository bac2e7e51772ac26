"""``python -m tests.fuzz``: see the package's docstring for what it does."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pricing.surface import Format
from tests.fuzz.campaign import BUILD
from tests.fuzz.engines import drawn, guided

if TYPE_CHECKING:
    from collections.abc import Sequence

ENGINES: Final = {"atheris": guided, "hypothesis": drawn}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the formats one after another, a line of JSON each; return the exit status."""
    options = _options(arguments)
    failed = False
    for form in options.format or list(Format):
        found = ENGINES[options.engine](form, options.runs, options.seed, options.folder)
        short = found["runs"] < options.runs
        document = {"format": form, "engine": options.engine, "seed": options.seed, **found}
        document["runs_per_s"] = round(found["runs"] / max(found["seconds"], 1e-9))
        if not options.json:
            _tell(document)
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()
        failed |= short or bool(found["failures"])
    return 1 if failed else 0


def _tell(document: dict[str, object]) -> None:
    """Say in lines what the JSON says in one."""
    told = "{format} by {engine}: {runs:,} runs in {seconds:,.0f} s, {loaded:,} loaded, {priced:,} priced"
    sys.stdout.write(told.format(**document) + "\n")
    failures = document["failures"]
    for failure in failures if isinstance(failures, list) else ():
        sys.stdout.write("  {kind}: {where} ({inputs:,} inputs, {file})\n".format(**failure))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the way from bytes to a price.")
    parser.add_argument("--format", type=Format, choices=list(Format), action="append", help="one or more; else all")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs a format (default 1,000,000)")
    parser.add_argument("--engine", choices=list(ENGINES), default="atheris", help="what makes the inputs")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--json", action="store_true", help="nothing but the lines of JSON")
    parser.add_argument("--folder", type=Path, default=BUILD, help="where corpora, logs and inputs that fail are left")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
