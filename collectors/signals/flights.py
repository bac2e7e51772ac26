"""Orders on their way: the visits that they made to stages, and where those in flight are now.

A visit is one stretch of an order in a stage without a break. Moments are microseconds since 1970 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.timelines.judging import BROKEN, CANCELLED, KEPT, OPEN
from collectors.timelines.measuring import NEVER, NOWHERE, exact_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from collectors.timelines.codebook import Codebook
    from collectors.timelines.judging import Judged
    from collectors.timelines.measuring import Stretches

    Values = NDArray[np.int64]

# Where a visit led, besides the number of the next stage.
ENDED: Final = -1  # to the end of the promise
WITHDRAWN: Final = -2  # to a cancellation
INSIDE: Final = -3  # nowhere yet
MOST_VISITS: Final = 400_000
MOST_VALUES: Final = 20
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, TAOCP 3, 6.4): neighbours fall far apart


@dataclass(frozen=True)
class Visits:
    """Visits of whole orders, by the orders' numbers, and each order's in the order of time; one row a visit.

    ``order``, ``stage`` [v]: their numbers. ``again`` [v]: whether the order had left this stage before.
    ``entered``, ``left`` [v]: moments, ``left`` NEVER while inside. ``then`` [v]: the stage after it, or ENDED,
    WITHDRAWN, INSIDE. ``promised`` [v]: the order's promise moment, its pauses left out. ``values`` [v, A]: the
    order's value of each segment attribute, -1 for none.
    """

    order: NDArray[np.int64]
    stage: NDArray[np.int64]
    again: NDArray[np.bool_]
    entered: NDArray[np.int64]
    left: NDArray[np.int64]
    then: NDArray[np.int64]
    promised: NDArray[np.int64]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.order)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Visits:
        """Return the chosen visits."""
        return Visits(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def as_of(self, moment: int) -> Visits:
        """Return what was known at a moment: visits begun by then, without what came after it."""
        known = self.take(self.entered <= moment)
        inside = known.left > moment
        return replace(known, left=np.where(inside, NEVER, known.left), then=np.where(inside, INSIDE, known.then))

    @staticmethod
    def none(attributes: int) -> Visits:
        """Return no visits of orders with so many attributes."""
        empty, no = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
        return Visits(empty, empty, no, empty, empty, empty, empty, np.zeros((0, attributes), dtype=np.int64))

    @staticmethod
    def joined(*parts: Visits) -> Visits:
        """Return the visits of several sets of orders that have no order in common."""
        return Visits(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Visits)})


class ValueNumbers:
    """Lasting numbers for the values of segment attributes: batches number their texts each anew.

    Of each attribute the ``most`` values that come first have numbers, all others count as none (-1). ``known``:
    attributes and values that come before all others.
    """

    def __init__(self, names: Sequence[str], most: int = MOST_VALUES, known: Sequence[tuple[str, str]] = ()) -> None:
        self.known: dict[str, dict[str, int]] = {name: {} for name in names}
        self.most = most
        for name, text in known:
            self.known[name].setdefault(text, len(self.known[name]))

    def of(self, attributes: Mapping[str, NDArray[np.int64]], texts: Callable[[str], Sequence[str]]) -> Values:
        """Return the values of orders [n, A]. ``texts(name)``: the texts behind a batch's numbers of an attribute."""
        columns = [self._lasting(name, texts(name))[attributes[name]] for name in self.known]
        count = len(next(iter(attributes.values()), ()))
        return np.stack(columns, axis=1) if columns else np.zeros((count, 0), dtype=np.int64)

    def _lasting(self, name: str, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the lasting number of each of a batch's numbers, and -1 at the end for orders without a value."""
        known = self.known[name]
        for text in texts:
            if len(known) < self.most:
                known.setdefault(text, len(known))
        return np.array([*(known.get(text, -1) for text in texts), -1], dtype=np.int64)


def visits_of(
    judged: Judged,
    stretches: Stretches,
    orders: NDArray[np.int64],
    codebook: Codebook,
    values: Values | None = None,
) -> Visits:
    """Return the visits of judged orders. ``orders``: the rising order numbers that the rows of stretches stand for.

    ``values`` [n, A]: of the judged orders' segment attributes; None where the numbers of the batch last. Orders that a
    log cancels without saying when are left out: nobody knows how long they were in flight.
    """
    measured = judged.measured
    if not len(measured) or not len(stretches.row):
        return Visits.none(len(codebook.promise.segments))
    place = np.minimum(np.searchsorted(measured.order, orders), len(measured) - 1)
    undated = (judged.verdict == CANCELLED) & (measured.cancelled == NEVER)
    known = (measured.order[place] == orders) & ~undated[place]
    begins = np.flatnonzero(stretches.enters)
    row, stage = stretches.row[begins], stretches.stage[begins]
    order = place[row]
    last = np.append(row[1:] != row[:-1], [True])
    left = np.where(last, measured.end[order], np.append(stretches.begin[begins][1:], NEVER))
    then = np.where(last, np.where(left == NEVER, INSIDE, ENDED), np.append(stage[1:], INSIDE))
    cancelled = measured.cancelled[order]
    stopped = (cancelled != NEVER) & (cancelled <= left)
    paused = judged.stage_us[:, codebook.pauses].sum(axis=1)
    visits = Visits(
        order=measured.order[order],
        stage=stage,
        again=_again(row, stage),
        entered=stretches.begin[begins],
        left=np.where(stopped, cancelled, left),
        then=np.where(stopped, WITHDRAWN, then),
        promised=(judged.promise_at - paused)[order],
        values=_values(judged, codebook, values)[order],
    )
    return visits.take(known[row] & (visits.entered < cancelled))


def _values(judged: Judged, codebook: Codebook, values: Values | None) -> Values:
    if values is not None:
        return values
    columns = [judged.measured.attributes[name] for name in codebook.promise.segments]
    return np.stack(columns, axis=1) if columns else np.zeros((len(judged.verdict), 0), dtype=np.int64)


def _again(row: NDArray[np.int64], stage: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which visits are not the first one of their order to their stage."""
    first = np.unique(np.stack([row, stage]), axis=1, return_index=True)[1]
    again = np.ones(len(row), dtype=np.bool_)
    again[first] = False
    return again


@dataclass(frozen=True)
class InFlight:
    """Orders in flight as of a moment; one row an order.

    ``order`` [n]: its number. ``stage`` [n]: where it is, ``since`` [n]: from when on, without a break; ``again`` [n]:
    whether it had left that stage before. ``inside_us`` [n, S]: time in every stage up to now. ``promise_at`` [n]: its
    promise moment. ``verdict`` [n]: OPEN, BROKEN or CANCELLED. ``values`` [n, A]: as in Visits.
    """

    as_of: int
    order: NDArray[np.int64]
    stage: NDArray[np.int64]
    since: NDArray[np.int64]
    again: NDArray[np.bool_]
    inside_us: NDArray[np.int64]
    promise_at: NDArray[np.int64]
    verdict: NDArray[np.int8]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stage)

    @property
    def open(self) -> NDArray[np.bool_]:
        """Which orders may still keep their promise."""
        return np.asarray(self.verdict == OPEN)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> InFlight:
        """Return the chosen orders."""
        return InFlight(self.as_of, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)[1:]})


def in_flight(judged: Judged, since: NDArray[np.int64], codebook: Codebook, values: Values | None = None) -> InFlight:
    """Return judged orders that have not ended. ``since`` [n]: since when each has been in its stage."""
    measured = judged.measured
    rows = np.flatnonzero(measured.tail_stage != NOWHERE)
    stage = measured.tail_stage[rows]
    return InFlight(
        as_of=judged.as_of,
        order=measured.order[rows],
        stage=stage,
        since=np.minimum(since[rows], judged.as_of),
        again=measured.visits[rows, stage] > 1,
        inside_us=judged.stage_us[rows],
        promise_at=judged.promise_at[rows],
        verdict=judged.verdict[rows],
        values=_values(judged, codebook, values)[rows],
    )


def flight_of(visits: Visits, moment: int, codebook: Codebook) -> InFlight:
    """Return the orders in flight at a past moment, from their visits."""
    known = visits.as_of(moment)
    place, first = _places(known.order)
    spent = np.minimum(known.left, moment) - known.entered
    inside = _table(place, known.stage, spent, len(first), len(codebook.stages))
    at = np.flatnonzero(known.then == INSIDE)
    inside_us = inside[place[at]]
    promise_at = known.promised[at] + inside_us[:, codebook.pauses].sum(axis=1)
    return InFlight(
        as_of=moment,
        order=known.order[at],
        stage=known.stage[at],
        since=known.entered[at],
        again=known.again[at],
        inside_us=inside_us,
        promise_at=promise_at,
        verdict=np.where(promise_at < moment, BROKEN, OPEN).astype(np.int8),
        values=known.values[at],
    )


@dataclass(frozen=True)
class Outcomes:
    """What became of orders as far as is known; ``order`` [n] rises. ``promise_at`` [n]: with the pauses so far."""

    order: NDArray[np.int64]
    promise_at: NDArray[np.int64]
    verdict: NDArray[np.int8]

    def of(self, orders: NDArray[np.int64]) -> Outcomes:
        """Return the outcomes of these orders."""
        place = np.searchsorted(self.order, orders)
        return Outcomes(self.order[place], self.promise_at[place], self.verdict[place])


def outcomes_of(visits: Visits, moment: int, codebook: Codebook) -> Outcomes:
    """Judge orders by their visits as of a moment."""
    place, first = _places(visits.order)
    last = np.append(first[1:], len(visits))[: len(first)] - 1
    spent = np.minimum(visits.left, moment) - visits.entered
    inside = _table(place, visits.stage, spent, len(first), len(codebook.stages))
    promise_at = visits.promised[first] + inside[:, codebook.pauses].sum(axis=1)
    ended = visits.then[last] == ENDED
    late = np.where(ended, visits.left[last], moment) > promise_at
    verdict = np.where(late, BROKEN, np.where(ended, KEPT, OPEN))
    verdict[visits.then[last] == WITHDRAWN] = CANCELLED
    return Outcomes(visits.order[first], promise_at, verdict.astype(np.int8))


def _places(order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each visit's order as a place from 0 on, and the first visit of each order."""
    begins = np.append([True], order[1:] != order[:-1])[: len(order)]
    return np.cumsum(begins) - 1, np.flatnonzero(begins)


def _table(
    place: NDArray[np.int64], stage: NDArray[np.int64], spent: NDArray[np.int64], orders: int, stages: int
) -> NDArray[np.int64]:
    return exact_sums(place * stages + stage, spent, orders * stages).reshape(orders, stages)


class Recent:
    """The visits of recent orders in bounded memory: what the laws are learnt from.

    Orders that ended (or were cancelled) longer than ``window_us`` ago fall off. Beyond ``most`` visits, half of the
    orders fall out, chosen by their number alone: a choice that knew how long orders took would bias every law. For
    the same reason a share once lowered stays, until the whole is built anew.
    """

    def __init__(self, attributes: int, window_us: int, most: int = MOST_VISITS) -> None:
        self.visits = Visits.none(attributes)
        self.window_us, self.most, self.share = window_us, most, 1.0

    def update(self, visits: Visits, now: int, gone: NDArray[np.int64] | None = None) -> None:
        """Take in whole orders, in place of what was known of them; ``gone``: numbers of orders to forget."""
        numbers = np.unique(visits.order) if gone is None else np.union1d(visits.order, gone)
        kept = self.visits.take(~np.isin(self.visits.order, numbers))
        both = Visits.joined(kept, visits.take(self._chosen(visits.order)))
        both = both.take(np.argsort(both.order, kind="stable"))
        ended_at = np.where(np.isin(both.then, (ENDED, WITHDRAWN)), both.left, NEVER)
        old = np.unique(both.order[ended_at < now - self.window_us])
        both = both.take(~np.isin(both.order, old))
        while len(both) > self.most:
            self.share /= 2
            both = both.take(self._chosen(both.order))
        self.visits = both

    def _chosen(self, order: NDArray[np.int64]) -> NDArray[np.bool_]:
        mixed = order.astype(np.uint64) * _SPREAD  # wraps around, which is what hashing asks for
        return np.asarray((mixed >> np.uint64(32)).astype(np.float64) < self.share * 2.0**32)
