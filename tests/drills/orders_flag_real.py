"""The flag on real logs, by the promise that ``touchstone promise init`` drafts for each: base rate and precision.

The logs may not be copied into a repository; where they are not at hand, nothing is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.drafting import draft_promise
from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from
from collectors.replay import replay
from collectors.signals.flights import Visits, visits_of
from collectors.timelines.codebook import Codebook
from tests.drills.orders_flag_log import FlagLog

if TYPE_CHECKING:
    from collectors.promise.model import PromiseFile
    from collectors.replay import Line
    from collectors.sources.log import LoadedLog
    from collectors.timelines.judging import Judged

DATA: Final = Path(__file__).parents[3] / "shared" / "data"
LOGS: Final = (
    "olist_orders.csv",
    "purchase_to_pay.csv",
    "bpi2020_domestic.xes.gz",
    "bpi2012_w_start_end.csv.gz",
    "helpdesk.xes.gz",
    "sepsis.xes.gz",
)
MOST_VALUES: Final = 10


class Gathered:
    """Observes a replay, and keeps its visits."""

    def __init__(self, promise: PromiseFile) -> None:
        self.codebook = Codebook(promise)
        self.parts = [Visits.none(len(promise.segments))]
        self.as_of = 0

    def see(self, judged: Judged, log: LoadedLog) -> None:
        """Take in a batch."""

    def see_line(self, judged: Judged, line: Line) -> None:
        """Take in a batch's stretches."""
        self.as_of = judged.as_of
        moving = line.moving
        self.parts.append(visits_of(judged, line.stretches, moving.order[moving.first], self.codebook))

    def finish(self, log: LoadedLog) -> None:
        """Look up nothing more."""


def real_logs() -> dict[str, Path]:
    """Return the logs at hand, by name."""
    return {name: DATA / name for name in LOGS if (DATA / name).exists()}


def read_log(path: Path) -> FlagLog:
    """Replay a log by its drafted promise and return its visits; rare values of a segment count as none."""
    promise = promise_from(parse_document(draft_promise(path)), path.name)
    gathered = Gathered(promise)
    replay(path, promise, observers=(gathered,))
    visits = Visits.joined(*gathered.parts)
    visits = visits.take(np.argsort(visits.order, kind="stable"))
    for column in visits.values.T:
        common = np.argsort(-np.bincount(column[column >= 0], minlength=1), kind="stable")[:MOST_VALUES]
        column[~np.isin(column, common)] = -1
        column[:] = np.searchsorted(np.sort(common), column) * (column >= 0) - (column < 0)
    return FlagLog(gathered.codebook, visits, int(visits.entered.min()), gathered.as_of, ())


def described(path: Path, log: FlagLog) -> dict[str, Any]:
    """Return what was promised in a log."""
    promise = log.codebook.promise
    return {
        "log": path.name,
        "promise": f"{promise.promise.within or promise.promise.by}",
        "segments": list(promise.segments),
        "orders": len(log.outcomes.order),
        "stages": len(log.codebook.stages) - 1,
    }
