"""The kernel: from a batch of clean events to each order's clock and its time in every stage.

Everything is an integer of microseconds, so the stages of an order add up to its lead time exactly. What is measured
does not depend on the moment of judging: the stretch since an unended order's last event is kept apart (``tail``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from collectors.promise.working_time import WorkingTime
from collectors.timelines.codebook import FIRST_EVENT, LAST_EVENT, OFF_MAIN_LINE, Codebook

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.timelines.batch import EventBatch

NEVER = np.iinfo(np.int64).max
NOWHERE = -1


@dataclass(frozen=True)
class Measured:
    """One row an order (n orders, S stages); times in microseconds.

    ``order`` [n], ``events`` [n]: its number, its count of events. ``start``, ``end``, ``cancelled`` [n]: the clock's
    moments, NEVER where it did not come. ``stage_us``, ``visits`` [n, S]: closed time in each stage and times entered.
    ``entered`` [n, S]: first moment of entering, NEVER if never. ``tail_stage``, ``tail_from`` [n]: where an unended
    order has been since its last event (NOWHERE, NEVER for others). ``last_rank`` [n]: rank of its last main-line
    status. ``worked_us``, ``late_us`` [n, S]: for budgets in working time, closed working time and closed time since
    the budget ran out. ``attributes``: the number of the order's first value of each attribute, -1 for none.
    """

    order: NDArray[np.int64]
    events: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    cancelled: NDArray[np.int64]
    stage_us: NDArray[np.int64]
    visits: NDArray[np.int64]
    entered: NDArray[np.int64]
    tail_stage: NDArray[np.int64]
    tail_from: NDArray[np.int64]
    last_rank: NDArray[np.float64]
    worked_us: NDArray[np.int64]
    late_us: NDArray[np.int64]
    attributes: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.order)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Measured:
        """Return the chosen orders."""
        columns = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "attributes"}
        return Measured(**columns, attributes={name: values[chosen] for name, values in self.attributes.items()})


@dataclass(frozen=True)
class Stretches:
    """The stretches between events on the clock.

    ``row``: place of the order in the batch; ``begin``, ``finish``: microseconds; ``enters``: whether the stage is
    entered anew; ``closed``: whether an event has ended the stretch.
    """

    row: NDArray[np.int64]
    stage: NDArray[np.int64]
    begin: NDArray[np.int64]
    finish: NDArray[np.int64]
    enters: NDArray[np.bool_]
    closed: NDArray[np.bool_]


def measure_stretches(batch: EventBatch, codebook: Codebook) -> tuple[Measured, Stretches]:
    """Measure every order of a batch, and return the stretches that it was measured from."""
    clock = _Clock(batch, codebook)
    stretches = clock.stretches()
    orders, stages = len(batch.first), len(codebook.stages)
    cell = stretches.row * stages + stretches.stage
    cells = orders * stages
    entered = np.full(cells, NEVER, dtype=np.int64)
    # Assigned from the last to the first, so that the first entry is what stays.
    entered[cell[stretches.enters][::-1]] = stretches.begin[stretches.enters][::-1]
    worked, late = _working(stretches, cell, codebook, cells)
    shape = (orders, stages)
    measured = Measured(
        order=batch.order[batch.first],
        events=batch.counts,
        start=clock.moment(clock.start),
        end=clock.moment(clock.end),
        cancelled=clock.moment(clock.cancelled),
        stage_us=exact_sums(cell, stretches.finish - stretches.begin, cells).reshape(shape),
        visits=np.bincount(cell[stretches.enters], minlength=cells).reshape(shape),
        entered=entered.reshape(shape),
        tail_stage=clock.tail_stage(),
        tail_from=np.where(clock.running, batch.at[clock.last], NEVER),
        last_rank=clock.last_rank(),
        worked_us=worked.reshape(shape),
        late_us=late.reshape(shape),
        attributes=first_values(batch),
    )
    return measured, stretches


class _Clock:
    """Positions in the batch at which each order's clock starts, ends or is cancelled; len(batch) for never."""

    def __init__(self, batch: EventBatch, codebook: Codebook) -> None:
        self.batch, self.codebook = batch, codebook
        self.position = np.arange(len(batch))
        self.last = batch.first + batch.counts - 1
        self.start = self._first_of(codebook.start_code, after=None)
        self.end = self._first_of(codebook.end_code, after=self.start)
        self.started = self.start < len(batch)
        self.running = self.started & (self.end == len(batch))
        row = batch.row
        on_clock = (self.position > self.start[row]) & (self.position < self.end[row])
        self.cancelled = self._earliest(codebook.cancels[batch.code] & on_clock)

    def _earliest(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        if not len(self.batch):
            return np.zeros(0, dtype=np.int64)
        return np.minimum.reduceat(np.where(mask, self.position, len(self.batch)), self.batch.first)

    def _first_of(self, code: int, after: NDArray[np.int64] | None) -> NDArray[np.int64]:
        if code == FIRST_EVENT:
            return self.batch.first.copy()
        if code == LAST_EVENT:
            assert after is not None  # noqa: S101 - `last` is never a start; checking refuses it
            return np.where(after < len(self.batch), self.last, len(self.batch))
        mask = self.batch.code == code
        if after is not None:
            mask &= self.position > after[self.batch.row]
        return self._earliest(mask)

    def moment(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the time at each position, NEVER where there is none."""
        at = np.append(self.batch.at, NEVER)
        return at[position]

    def stretches(self) -> Stretches:
        """Return the stretches on the clock; the last one of an unended order has no length yet."""
        batch, row = self.batch, self.batch.row
        on = (self.position >= self.start[row]) & (self.position < self.end[row])
        stage = self.codebook.stage_of[batch.code]
        enters = np.ones(len(batch), dtype=np.bool_)
        enters[1:] = stage[1:] != stage[:-1]
        enters |= self.position == self.start[row]
        closed = self.position != self.last[row]
        finish = batch.at.copy()
        finish[:-1] = np.where(closed[:-1], batch.at[1:], batch.at[:-1])
        if on.all():
            return Stretches(row, stage, batch.at, finish, enters, closed)
        return Stretches(row[on], stage[on], batch.at[on], finish[on], enters[on], closed[on])

    def tail_stage(self) -> NDArray[np.int64]:
        """Return the stage that each running order is in after its last event."""
        stage = self.codebook.stage_of[self.batch.code[self.last]]
        return np.where(self.running, stage, NOWHERE)

    def last_rank(self) -> NDArray[np.float64]:
        """Return the rank of each order's last main-line status before its end, or -1."""
        if not len(self.batch):
            return np.zeros(0)
        row = self.batch.row
        rank = self.codebook.rank[self.batch.code]
        on = (rank < OFF_MAIN_LINE) & (self.position < self.end[row])
        last = np.maximum.reduceat(np.where(on, self.position, -1), self.batch.first)
        return np.where(last < 0, -1.0, rank[last])


def exact_sums(cell: NDArray[np.int64], values: NDArray[np.int64], cells: int) -> NDArray[np.int64]:
    """Sum integers by cell without rounding.

    ``bincount`` adds in double precision, which is exact below 2**53; summing the high and the low 26 bits apart
    keeps both sums there for any time that a calendar holds.
    """
    high = np.bincount(cell, weights=values >> 26, minlength=cells).astype(np.int64)
    low = np.bincount(cell, weights=values & 0x3FFFFFF, minlength=cells).astype(np.int64)
    return (high << 26) + low


def exact_total(values: NDArray[np.int64]) -> int:
    """Sum integers without overflow, however many."""
    return (int((values >> 26).sum()) << 26) + int((values & 0x3FFFFFF).sum())


def _working(
    stretches: Stretches, cell: NDArray[np.int64], codebook: Codebook, cells: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the working time in each (order, stage) and the elapsed time since its working budget ran out."""
    worked, late = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    chosen = codebook.working[stretches.stage]
    if codebook.promise.calendar is None or not chosen.any():
        return worked, late
    calendar = WorkingTime(codebook.promise.calendar)
    begin, finish, cell = stretches.begin[chosen], stretches.finish[chosen], cell[chosen]
    done = calendar.elapsed(finish) - calendar.elapsed(begin)
    by_cell = np.argsort(cell, kind="stable")
    total = np.cumsum(done[by_cell])
    before = total - done[by_cell]
    starts = np.flatnonzero(np.diff(cell[by_cell], prepend=-1))
    base = np.repeat(before[starts], np.diff(np.append(starts, len(by_cell))))
    spent = np.empty_like(before)
    spent[by_cell] = before - base
    budget = codebook.budget_us[stretches.stage[chosen]]
    worked = exact_sums(cell, done, cells)
    return worked, exact_sums(cell, time_since_spent(calendar, begin, finish, spent, budget), cells)


def time_since_spent(
    calendar: WorkingTime,
    begin: NDArray[np.int64],
    finish: NDArray[np.int64],
    spent: NDArray[np.int64],
    budget: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the elapsed part of each stretch that lies after the moment its working budget ran out.

    ``spent``: working time in the stage before the stretch. Microseconds throughout.
    """
    left = np.maximum(budget - spent, 0)
    ran_out = calendar.moment(calendar.elapsed(begin) + left)
    return np.where(left == 0, finish - begin, np.clip(finish - ran_out, 0, None))


def first_values(batch: EventBatch) -> dict[str, NDArray[np.int64]]:
    """Return for each attribute the first value that each order has, -1 for none."""
    return {name: _first_of_each(values, batch) for name, values in batch.attributes.items()}


def _first_of_each(values: NDArray[np.int64], batch: EventBatch) -> NDArray[np.int64]:
    if not len(batch):
        return np.zeros(0, dtype=np.int64)
    position = np.where(values >= 0, np.arange(len(batch)), len(batch))
    return np.append(values, -1)[np.minimum.reduceat(position, batch.first)]


def with_bystanders(measured: Measured, everything: EventBatch, codebook: Codebook) -> Measured:
    """Count the events that moved no timeline, and add the orders that have no others as unstarted."""
    if len(everything.first) == len(measured) and measured.events.sum() == len(everything):
        return measured
    orders, stages = len(everything.first), len(codebook.stages)
    place = np.searchsorted(everything.order[everything.first], measured.order)
    columns: dict[str, NDArray[np.int64]] = {}
    defaults = {"visits": 0, "stage_us": 0, "worked_us": 0, "late_us": 0, "tail_stage": NOWHERE}
    for name in (
        "start",
        "end",
        "cancelled",
        "stage_us",
        "visits",
        "entered",
        "tail_stage",
        "tail_from",
        "worked_us",
        "late_us",
    ):
        values = getattr(measured, name)
        shape = (orders, stages) if values.ndim == 2 else (orders,)
        columns[name] = np.full(shape, defaults.get(name, NEVER), dtype=np.int64)
        columns[name][place] = values
    last_rank = np.full(orders, -1.0)
    last_rank[place] = measured.last_rank
    return Measured(
        order=everything.order[everything.first],
        events=everything.counts,
        last_rank=last_rank,
        attributes=first_values(everything),
        **columns,
    )
