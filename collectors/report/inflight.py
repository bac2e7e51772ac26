"""Orders in flight: how late they are likely to be, and which of them to chase today."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.stages.eta import AT_RISK, LATE, RISKS, History, risks
from collectors.timelines.judging import BROKEN, KEPT, OPEN, Judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.promise.model import Stage
    from collectors.timelines.codebook import Codebook

MOST_ASSESSED: Final = 200_000
MOST_REMEMBERED: Final = 20_000
MOST_LISTED: Final = 200
# What the owner of a waiting order does, by the stem of the stage's name; the first that fits.
_ACTIONS: Final = (
    ("approv", "approve it"),
    ("assign", "assign it"),
    ("queue", "start on it"),
    ("backlog", "start on it"),
    ("review", "review it"),
    ("check", "check it"),
    ("pay", "settle the payment"),
    ("pric", "price it"),
    ("ship", "ship it"),
    ("deliver", "deliver it"),
)


@dataclass(frozen=True)
class Chased:
    """An order to chase. ``slack_us``: promise moment minus now; moments and durations in microseconds."""

    order: int
    name: str
    stage: str
    owner: str | None
    in_stage_us: int
    promise_at: int
    slack_us: int
    p50_at: int
    p90_at: int
    risk: str
    broken: bool
    action: str


@dataclass(frozen=True)
class Outlook:
    """What becomes of the orders in flight: counts by risk (open ones), those already broken, and whom to chase.

    ``unassessed``: open orders beyond the number that is assessed; their promise is the farthest away.
    """

    on_track: int
    at_risk: int
    late: int
    broken: int
    unassessed: int
    chased: list[Chased]

    @property
    def endangered(self) -> int:
        """Open orders that are late or at risk."""
        return self.at_risk + self.late


@dataclass(frozen=True)
class _Columns:
    order: NDArray[np.int64]
    stage: NDArray[np.int64]
    age_us: NDArray[np.int64]
    promise_at: NDArray[np.int64]
    broken: NDArray[np.bool_]
    last_rank: NDArray[np.float64]

    def take(self, chosen: NDArray[np.int64]) -> _Columns:
        return _Columns(*(getattr(self, column.name)[chosen] for column in fields(self)))


class InFlight:
    """Gathers the orders that have not ended, and the latest finished ones from which the rest is foretold."""

    def __init__(self, codebook: Codebook, most: int = MOST_ASSESSED) -> None:
        self.codebook, self.most = codebook, most
        self.left_out = 0
        self.as_of = 0
        self._parts: list[_Columns] = []
        self._finished: list[Judged] = []
        self._remembered = 0

    def add(self, judged: Judged) -> None:
        """Take in a batch."""
        self.as_of = judged.as_of
        self._remember(judged)
        running = (judged.verdict == OPEN) | ((judged.verdict == BROKEN) & ~judged.ended)
        rows = np.flatnonzero(running)
        if len(rows):
            measured = judged.measured
            stage = measured.tail_stage[rows]
            age = judged.stage_us[rows, stage]
            broken = judged.verdict[rows] == BROKEN
            self._parts.append(
                _Columns(measured.order[rows], stage, age, judged.promise_at[rows], broken, measured.last_rank[rows])
            )
            if sum(len(part.order) for part in self._parts) > 2 * self.most:
                self._shorten()

    def _shorten(self) -> None:
        """Leave out the open orders whose promise is farthest away."""
        whole = _joined(self._parts)
        nearest = np.lexsort((whole.order, whole.promise_at))
        self.left_out += max(len(nearest) - self.most, 0)
        self._parts = [whole.take(nearest[: self.most])]

    def _remember(self, judged: Judged) -> None:
        finished = judged.take(judged.ended & ((judged.verdict == KEPT) | (judged.verdict == BROKEN)))
        self._finished.append(finished)
        self._remembered += len(finished.measured)
        if self._remembered > 2 * MOST_REMEMBERED:
            last = self._latest()
            floor = np.sort(np.concatenate([part.measured.end for part in self._finished]))[-MOST_REMEMBERED]
            self._finished = [part.take(part.measured.end >= floor) for part in last]
            self._remembered = sum(len(part.measured) for part in self._finished)

    def _latest(self) -> list[Judged]:
        return [part for part in self._finished if len(part.measured)]

    def history(self) -> History:
        """Return what the latest finished orders teach, oldest first."""
        history = History(self.codebook)
        parts = self._latest()
        ends = [int(part.measured.end.max()) for part in parts]
        for place in np.argsort(ends, kind="stable").tolist():
            part = parts[place]
            by_end = np.argsort(part.measured.end, kind="stable")
            history.add(part.take(by_end))
        return history

    def outlook(self) -> tuple[Outlook, list[int]]:
        """Foretell every order; return the counts with the most urgent orders, and these orders' numbers."""
        if not self._parts:
            return Outlook(0, 0, 0, 0, 0, []), []
        self._shorten()
        flight = self._parts[0]
        p50, p90 = self._foretell(flight)
        risk = risks(flight.promise_at, self.as_of, p50, p90)
        open_risk = np.bincount(risk[~flight.broken], minlength=len(RISKS)).tolist()
        urgent = np.flatnonzero((risk >= AT_RISK) | flight.broken)
        line = urgent[np.lexsort((flight.order[urgent], flight.promise_at[urgent], flight.broken[urgent]))]
        shown = _balanced(line, flight.broken).tolist()
        chased = [self._chased(flight, row, p50, p90, int(risk[row])) for row in shown]
        broken = int(np.count_nonzero(flight.broken))
        on_track, at_risk, late = open_risk
        outlook = Outlook(on_track, at_risk, late, broken, self.left_out, chased)
        return outlook, [row.order for row in chased]

    def _foretell(self, flight: _Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        history = self.history()
        p50, p90 = np.zeros((2, len(flight.order)), dtype=np.int64)
        for stage in np.unique(flight.stage).tolist():
            there = flight.stage == stage
            p50[there], p90[there] = history.remaining(stage, flight.age_us[there], flight.last_rank[there])
        return np.maximum(p50, 0), np.maximum(p90, 0)

    def _chased(self, flight: _Columns, row: int, p50: NDArray[np.int64], p90: NDArray[np.int64], risk: int) -> Chased:
        number = int(flight.stage[row])
        stages = self.codebook.promise.stages
        stage = stages[number] if number < len(stages) else None
        promise_at = int(flight.promise_at[row])
        return Chased(
            order=int(flight.order[row]),
            name="",
            stage=self.codebook.stages[number],
            owner=stage.owner if stage else None,
            in_stage_us=int(flight.age_us[row]),
            promise_at=promise_at,
            slack_us=promise_at - self.as_of,
            p50_at=self.as_of + int(p50[row]),
            p90_at=self.as_of + int(p90[row]),
            risk=RISKS[LATE if flight.broken[row] else risk],
            broken=bool(flight.broken[row]),
            action=action(stage),
        )


def action(stage: Stage | None) -> str:
    """Say what the owner of a stage is to do with an order that lies there."""
    if stage is None:
        return "find out where it is"
    if stage.pauses:
        return "remind the customer"
    if stage.kind == "work":
        return "finish it"
    if stage.name.startswith("after "):
        return "move it on"
    return next((words for stem, words in _ACTIONS if stem in stage.name.lower()), "move it on")


def _joined(parts: Sequence[_Columns]) -> _Columns:
    return _Columns(*(np.concatenate([getattr(p, column.name) for p in parts]) for column in fields(_Columns)))


def _balanced(line: NDArray[np.int64], broken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the most urgent orders to list: those that can still be saved come first, and take half the room."""
    saveable, late = line[~broken[line]], line[broken[line]]
    shown = saveable[: max(MOST_LISTED - len(late), MOST_LISTED // 2)]
    return np.concatenate([shown, late[: MOST_LISTED - len(shown)]])
