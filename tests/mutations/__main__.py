"""``python -m tests.mutations``: see the package's docstring for what it prints."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from instrumentation.errors import TouchstoneError
from tests.mutations import rules, signals

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS: Final = ("rules", "signals")
REPORTS: Final = Path(__file__).parents[2] / "build" / "reports"
LEAST_KILLED: Final = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, report, and return the exit status."""
    options = _options(arguments)
    try:
        found = {name: _run(name, options) for name in RUNS if options.only in {None, name}}
    except TouchstoneError as error:
        _say(f"the run could not be made: {error}")
        return 1
    options.reports.mkdir(parents=True, exist_ok=True)
    for name, run in found.items():
        file = options.reports / f"mutations-{name}.json"
        file.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    figures = {name: {key: value for key, value in run.items() if key != "survivors"} for name, run in found.items()}
    sys.stdout.write(json.dumps({**figures, "reports": str(options.reports)}) + "\n")
    return 0 if all((run["killed_share"] or 0.0) >= LEAST_KILLED for run in found.values()) else 1


def _run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    if name == "rules":
        return rules.run(options.alert, options.jobs, _say)
    return signals.run(options.module, options.sample, options.seed, options.jobs, _say)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description="Mistakes that tests must notice.")
    parser.add_argument("--only", choices=RUNS, help="one run alone")
    parser.add_argument("--alert", action="append", default=[], help="rules: of this alert alone; may be repeated")
    parser.add_argument("--module", action="append", default=[], help="signals: of this module alone; may be repeated")
    parser.add_argument("--sample", type=int, help="signals: so many mutants, drawn by the seed (default all)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default 1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many are judged at once (default 2)")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="where the reports are left")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
