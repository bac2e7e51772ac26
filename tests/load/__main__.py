"""``python -m tests.load``: see the package's docstring for what it prints."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from instrumentation.errors import TouchstoneError
from tests.bench.machine import facts
from tests.load.fairness import Flood, fairness
from tests.load.in_flight import SIZES, in_flight
from tests.load.journey import PATIENCE_S, Traffic, journey
from tests.load.scaling import Haul, scaling
from tests.load.workers import Ground, ground

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS: Final = ("fairness", "scaling", "journey", "in-flight")
REPORTS: Final = Path(__file__).parents[2] / "build" / "reports"
SHOP_P95_S: Final = 10.0
RATIO: Final = 1.8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, report, and return the exit status."""
    options = _options(arguments)
    found: dict[str, Any] = {}
    try:
        if options.only != "in-flight":
            with ground() as place:
                found = asyncio.run(_run(place, options))
    except TouchstoneError as error:
        _say(f"the run could not be made: {error}")
        return 1
    if options.only in (None, "in-flight"):
        found["in_flight"] = in_flight(_say, tuple(options.sizes))
    options.reports.mkdir(parents=True, exist_ok=True)
    file = options.reports / "load.json"
    found |= {"machine": facts(), "failed": failures(found), "report": file.name}
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found["failed"] else 0


async def _run(place: Ground, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.only in (None, "fairness"):
        flood = Flood(options.partner, options.heavy, options.shop, workers=options.workers)
        found["fairness"] = await fairness(place, flood, _say)
    if options.only in (None, "scaling"):
        found["scaling"] = await scaling(place, Haul(options.models, options.rounds), _say)
    if options.only in (None, "journey"):
        traffic = Traffic(options.orders, options.orders, max(1, options.orders // 10))
        found["journey"] = await journey(place, traffic, _say)
    return found


def failures(found: dict[str, Any]) -> list[str]:
    """Return what did not come out as it must, in sentences."""
    told = []
    if fair := found.get("fairness"):
        told += [
            f"{name}: {fair[name]['asked'] - fair[name]['answered']} requests were never answered"
            for name in ("shop", "partner", "heavy")
            if fair[name]["answered"] < fair[name]["asked"]
        ]
        told += [f"{name}: refused" for name in ("shop", "partner", "heavy") if fair[name]["refused"]]
        if not fair["shop"]["p95_s"] < SHOP_P95_S:
            told.append(f"the shop's P95 is {fair['shop']['p95_s']} s; it must be under {SHOP_P95_S:.0f} s")
    if scaled := found.get("scaling"):
        if not scaled["same"] or scaled["refused"]:
            told.append("one worker and two do not find the same prices")
        if scaled["ratio"] < RATIO:
            told.append(f"two workers do {scaled['ratio']} times what one does; it must be {RATIO}")
    if len({one["series"] for one in found.get("in_flight", {}).values()}) > 1:
        told.append("the collector's series depend on how many orders are in flight")
    told += [
        f"{one['without_price']} orders of the class {name} had no price within {PATIENCE_S:.0f} s"
        for name, one in found.get("journey", {}).items()
        if name != "trace" and one["without_price"]
    ]
    return told


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Pricing and the collector under load.")
    parser.add_argument("--only", choices=RUNS, help="one run alone")
    for name, usual in (
        ("partner", 2_000),
        ("heavy", 20),
        ("shop", 100),
        ("workers", 2),
        ("models", 24),
        ("rounds", 3),
        ("orders", 200),
    ):
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"how many (default {usual:,})")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="orders in flight (10,000 and a million)")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="where the report is left")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
