"""``python -m tests.drills``: what the signals make of healthy half-years, slowed stages, young houses and real logs.

The last line is one JSON document, and the same stands under build/reports/drills.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.machine import facts
from tests.drills.healthy import healthy
from tests.drills.histories import HOUSES, SLOWED_FROM
from tests.drills.real_logs import real_logs
from tests.drills.slowed import slowed
from tests.drills.young import DAYS, young

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS: Final = ("healthy", "slowed", "young", "real-logs")
REPORTS: Final = Path(__file__).parents[2] / "build" / "reports"
PAGES_PER_YEAR: Final = 1.0
_DAYS: Final = {"healthy": 180, "slowed": 90, "young": DAYS}
_VOLUMES: Final = {"healthy": (5.0, 50.0, 500.0), "slowed": (5.0, 50.0), "young": (5.0, 50.0)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, report, and return the exit status."""
    options = _options(arguments)
    found = _run(options)
    options.reports.mkdir(parents=True, exist_ok=True)
    file = options.reports / "drills.json"
    found |= {"machine": facts(), "failed": failures(found), "report": file.name}
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found["failed"] else 0


def _run(options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, drill in (("healthy", healthy), ("slowed", slowed), ("young", young)):
        if options.only in (None, name):
            days = options.days or _DAYS[name]
            until = SLOWED_FROM + days if name == "slowed" else days
            volumes = options.orders_per_day or _VOLUMES[name]
            houses = options.house or tuple(HOUSES)
            seeds = range(options.first_seed, options.first_seed + options.seeds)
            found[name] = [figures for house in houses for figures in drill(house, volumes, seeds, until, _say)]
    if options.only in (None, "real-logs"):
        found["real_logs"] = real_logs(_say)
    return found


def failures(found: dict[str, Any]) -> list[str]:
    """Return what did not come out as it must, in sentences."""
    return [
        f"{one['house']} house, {one['orders_per_day']:g} orders a day: {one['pages_per_year']} pages a year"
        for one in found.get("healthy", ())
        if one["pages_per_year"] > PAGES_PER_YEAR
    ]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description="The signals against simulated years.")
    parser.add_argument("--only", choices=RUNS, help="one run alone")
    parser.add_argument("--house", action="append", choices=tuple(HOUSES), help="one house alone (default: both)")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each kind (default 20)")
    parser.add_argument("--first-seed", type=int, default=0, help="of the runs (the model was set on 0 to 19)")
    parser.add_argument("--days", type=int, help="days watched (default: 180 healthy, 90 after a slow-down, 77 young)")
    parser.add_argument(
        "--orders-per-day", type=float, action="append", help="a volume (default 5, 50; healthy: 500 too)"
    )
    parser.add_argument("--reports", type=Path, default=REPORTS, help="where the report is left")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
