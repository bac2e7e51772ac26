"""How well single orders are flagged before they break their promise, against the best that any flag could do.

``python -m tests.drills.orders_flag [--seeds N] [--days N] [--orders-per-day X]... [--real | --interval]``: last line
JSON, whole report under build/reports/. Each morning at 5:30, before the house opens, the flag learns from what was
known then and gives each open order its chance; an order is judged once a lead, on the morning nearest to 7, 4 and 2
days before its promise.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from collectors.simulation import Scenario, Slowdown
from tests.drills.orders_flag_coverage import Coverage
from tests.drills.orders_flag_judging import Judgements, judged_log
from tests.drills.orders_flag_knowing import knower_of, known_chance
from tests.drills.orders_flag_log import DAY_US, SEGMENTS, simulated
from tests.drills.orders_flag_real import described, read_log, real_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WARM_UP_DAYS: Final = 60
SLOW_DAY: Final = 90
MOST_MORNINGS: Final = 120
SLOWED: Final = {
    "healthy": (),
    "approval slow": (Slowdown("approval", SLOW_DAY, factor=1.6),),
    "manufacturing slow": (Slowdown("manufacturing", SLOW_DAY, factor=1.6),),
}
REPORT: Final = Path("build/reports/orders_flag.json")


def orders_flag(seeds: int, orders_per_day: float, days: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure the flag in the healthy house and in slowed ones, and return the figures."""
    cases = {}
    for case, slow in SLOWED.items():
        found, coverage = Judgements(), Coverage()
        for seed in range(1, seeds + 1):
            say(f"{case}, {orders_per_day:g} orders a day: seed {seed} of {seeds}")
            log = simulated(Scenario(days=days, orders_per_day=orders_per_day, seed=seed, slowdowns=slow), SEGMENTS)
            mornings = range(SLOW_DAY if slow else WARM_UP_DAYS, days)
            judged_log(log, found, mornings, partial(known_chance, knower_of(log, slow, seed)))
            coverage.see(log)
        cases[case] = {"flag": found.figures(), "interval": coverage.figures()}
        say(json.dumps(cases[case]))
    return {"orders_per_day": orders_per_day, "seeds": seeds, "days": days, "cases": cases}


def interval_coverage(seeds: int, orders_per_day: float, days: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure only how often the interval of expected breaks held, in the healthy house and in slowed ones."""
    cases = {}
    for case, slow in SLOWED.items():
        coverage = Coverage()
        for seed in range(1, seeds + 1):
            coverage.see(simulated(Scenario(days, orders_per_day, seed, slow), SEGMENTS))
        cases[case] = coverage.figures()
        say(f"{case}, {orders_per_day:g} orders a day: {json.dumps(cases[case])}")
    return {"orders_per_day": orders_per_day, "seeds": seeds, "days": days, "intervals": cases}


def real_orders_flag(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure the flag on the real logs at hand, on mornings spread over the last two thirds of each."""
    reports = []
    for name, path in real_logs().items():
        log = read_log(path)
        days = (log.end - log.begin) // DAY_US
        found = Judgements()
        judged_log(log, found, range(days // 3, days, max(days // MOST_MORNINGS, 1)), None)
        reports.append({**described(path, log), "leads": found.figures()})
        say(f"{name}: {json.dumps(reports[-1])}")
    return reports


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the report, and print its JSON as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--orders-per-day", type=float, action="append")
    parser.add_argument("--real", action="store_true", help="the real logs at hand instead of the simulated house")
    parser.add_argument("--interval", action="store_true", help="only how often the interval of expected breaks held")
    given = parser.parse_args(arguments)
    rates = [] if given.real else given.orders_per_day or [5.0, 50.0]
    measure = interval_coverage if given.interval else orders_flag
    reports: list[dict[str, Any]] = [measure(given.seeds, rate, given.days, _say) for rate in rates]
    report = {"simulated": reports, "real": real_orders_flag(_say) if given.real else []}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2), encoding="utf-8")
    _say(json.dumps(report))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
