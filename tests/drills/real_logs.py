"""Real logs, one stage stretched 1.6-fold from a day on: whether it is paged, and whether it is named."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from collectors.signals.ledger import HOUR_US, Ledger, Visits
from collectors.signals.monitor import History, history
from collectors.signals.reference import FEWEST_WEEKS, Reference, fit
from collectors.signals.scope import ALL, Scope
from tests.drills.judging import pages
from tests.stretching import Orders, day_of, read_orders, stretched

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

FOLDER: Final = Path(__file__).parents[3] / "shared" / "data"
LOGS: Final = {
    "BPI 2012 W": "bpi2012_w_complete.xes.gz",
    "BPI 2020 domestic": "bpi2020_domestic.xes.gz",
    "helpdesk": "helpdesk.xes.gz",
}
FACTOR: Final = 1.6
_SLOW_AT: Final = 0.6
_STAGES: Final = 12
_TRIED: Final = 3
# The reference is the last half-year before: what a house did two years ago is no measure.
_MOST_WEEKS: Final = 26
_WARM_UP: Final = timedelta(days=28)


class Stages(NamedTuple):
    """The statuses that are watched, each a stage; the rest count as none."""

    names: tuple[str, ...]

    def scope(self) -> Scope:
        """Return what is watched: no budgets, no segments, no calendar."""
        count = len(self.names)
        return Scope(self.names, (ALL,), np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.bool_))


def real_logs(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the figures of each log; a log that is not there is skipped, with the reason."""
    found = []
    for name, file in LOGS.items():
        if not (FOLDER / file).exists():
            found.append({"log": name, "skipped": f"{file} is not in ../shared/data"})
            continue
        orders = read_orders(FOLDER / file)
        for status in _slowable(orders):
            found.append({"log": name, "stage": status} | _drill(orders, status))
            say(f"real log {name}, {status}: {found[-1]}")
    return found


def _drill(orders: Orders, status: str) -> dict[str, Any]:
    since = day_of(orders, status, _SLOW_AT)
    stages = _watched(orders)
    slow, calm = (_told(run, stages, orders, since) for run in (stretched(orders, status, since, FACTOR), orders))
    begin = _us(since) // HOUR_US
    after = [page for page in pages(slow) if slow.first + page.hour >= begin]
    first = after[0] if after else None
    return {
        "slowed_from": since.date().isoformat(),
        "delay_days": round((slow.first + first.hour + 1 - begin) / 24, 1) if first else None,
        "named": stages.names[first.stage] if first else None,
        "right": bool(first and stages.names[first.stage] == status),
        "pages_in_the_log_as_it_is": dict(Counter(stages.names[page.stage] for page in pages(calm))),
        "days_watched": (calm.evidence.shape[-1]) // 24,
    }


def _told(orders: Orders, stages: Stages, real: Orders, since: datetime) -> History:
    """Return the signals of a log from its reference on, which ends the week before the slow-down."""
    ledger, scope = _ledger(orders, stages), stages.scope()
    starts = sorted(events[0].at for events in real.values())
    last = max(events[-1].at for events in real.values())
    return history(ledger, _reference(ledger, scope, starts[0] + _WARM_UP, since), scope, _us(last))


def _reference(ledger: Ledger, scope: Scope, begin: datetime, since: datetime) -> Reference:
    weeks = min(max(FEWEST_WEEKS, (since - timedelta(days=7) - begin).days // 7), _MOST_WEEKS)
    end = _us(since) - 7 * 24 * HOUR_US
    return fit(ledger, end - weeks * 168 * HOUR_US, end, scope)


def _ledger(orders: Orders, stages: Stages) -> Ledger:
    numbers = {name: number for number, name in enumerate(stages.names)}
    rows = []
    for events in orders.values():
        for event, following in pairwise(events):
            if event.status in numbers:
                rows.append((numbers[event.status], _us(event.at), _us(following.at)))
    table = np.array(rows, dtype=np.int64)
    span = int(table[:, 2].max() - table[:, 1].min()) // HOUR_US
    ledger = Ledger(len(stages.names), 1, history_h=(span // 168 + 2) * 168)
    ledger.add(Visits(table[:, 0], np.full((len(table), 1), -1), table[:, 1], table[:, 2]))
    return ledger


def _watched(orders: Orders) -> Stages:
    counts = Counter(event.status for events in orders.values() for event in events[:-1])
    return Stages(tuple(status for status, _ in counts.most_common(_STAGES)))


def _slowable(orders: Orders) -> list[str]:
    """Return the statuses in which orders spend most time: what a slow-down of them would hurt."""
    spent: Counter[str] = Counter()
    for events in orders.values():
        for event, following in pairwise(events):
            spent[event.status] += (following.at - event.at) // timedelta(seconds=1)
    watched = _watched(orders).names
    return [status for status, _ in spent.most_common() if status in watched][:_TRIED]


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
