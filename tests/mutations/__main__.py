"""``python -m tests.mutations``: see the package's docstring for what it prints."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from instrumentation.errors import TouchstoneError
from tests.mutations import rules

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS: Final = ("rules",)
REPORTS: Final = Path(__file__).parents[2] / "build" / "reports"
LEAST_KILLED: Final = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, report, and return the exit status."""
    options = _options(arguments)
    try:
        found = {"rules": rules.run(options.alert, options.jobs, _say)}
    except TouchstoneError as error:
        _say(f"the run could not be made: {error}")
        return 1
    share = found["rules"]["killed_share"]
    options.reports.mkdir(parents=True, exist_ok=True)
    file = options.reports / "mutations.json"
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    figures = {name: {key: value for key, value in run.items() if key != "survivors"} for name, run in found.items()}
    sys.stdout.write(json.dumps({**figures, "report": file.name}) + "\n")
    return 0 if share is not None and share >= LEAST_KILLED else 1


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description="Mistakes that tests must notice.")
    parser.add_argument("--only", choices=RUNS, help="one run alone")
    parser.add_argument("--alert", action="append", default=[], help="mutants of this alert alone; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="how many promtools at once (default 2)")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="where the report is left")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
