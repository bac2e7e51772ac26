"""The sampled orders of a log as arrays, and the figures that a draft's guesses rest on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NONE: int = -1


@dataclass(frozen=True)
class History:
    """Status changes sorted by order and time: ``order`` (0.. without gaps), ``at`` (microseconds), ``code``.

    ``atoms``: what each code means, a status or ``A:done``; ``status_of``: the place of each code's status in
    ``statuses``. ``counts``: records of each status in the whole log, not only in the sampled orders.
    ``promised``: the moment that each order was promised by, or NONE.
    """

    order: Ints
    at: Ints
    code: Ints
    atoms: list[str]
    status_of: Ints
    statuses: list[str]
    counts: list[int]
    promised: Ints | None = None

    @cached_property
    def first(self) -> Ints:
        """The position of each order's first event."""
        return np.flatnonzero(np.diff(self.order, prepend=-1)).astype(np.int64)

    @cached_property
    def last(self) -> Ints:
        """The position of each order's last event."""
        return np.append(self.first[1:], len(self.order)).astype(np.int64) - 1

    @cached_property
    def orders(self) -> int:
        """How many orders there are."""
        return len(self.first)

    @cached_property
    def status(self) -> Ints:
        """The status of each event, whether it runs or is done."""
        return self.status_of[self.code]

    @cached_property
    def _entries(self) -> tuple[Ints, Ints, Ints]:
        """The order, status and position of every first entry of an order into a status, by position."""
        key = self.order * len(self.statuses) + self.status
        _, position = np.unique(key, return_index=True)
        position = np.sort(position).astype(np.int64)
        return self.order[position], self.status[position], position

    @cached_property
    def share(self) -> Floats:
        """The share of orders in which each status comes up."""
        return np.bincount(self._entries[1], minlength=len(self.statuses)) / max(self.orders, 1)

    @cached_property
    def place(self) -> Floats:
        """Each status's mean place among the statuses of its orders, 0 for the first and 1 for the last."""
        order, status, _ = self._entries
        begins = np.flatnonzero(np.diff(order, prepend=-1))
        count = np.diff(np.append(begins, len(order)))
        within = np.arange(len(order)) - np.repeat(begins, count)
        relative = within / np.maximum(np.repeat(count, count) - 1, 1)
        seen = np.bincount(status, minlength=len(self.statuses))
        total = np.bincount(status, weights=relative, minlength=len(self.statuses))
        return np.where(seen > 0, total / np.maximum(seen, 1), 0.5)

    def precedence(self, chosen: list[int], most_orders: int = 20_000) -> Ints:
        """Return for each pair of statuses in how many orders the first one comes before the second."""
        order, status, position = self._entries
        column = np.full(len(self.statuses), NONE)
        column[chosen] = np.arange(len(chosen))
        kept = (column[status] != NONE) & (order < most_orders)
        never = np.iinfo(np.int64).max
        table = np.full((min(self.orders, most_orders), len(chosen)), never, dtype=np.int64)
        table[order[kept], column[status[kept]]] = position[kept]
        before = np.zeros((len(chosen), len(chosen)), dtype=np.int64)
        for place in range(len(chosen)):
            mine = table[table[:, place] != never]
            before[place] = ((mine[:, place : place + 1] < mine) & (mine != never)).sum(axis=0)
        return before

    @cached_property
    def ends(self) -> Floats:
        """For each status the share of all orders whose last event it is."""
        return self._share_of(self.last)

    @cached_property
    def begins(self) -> Floats:
        """For each status the share of all orders whose first event it is."""
        return self._share_of(self.first)

    def _share_of(self, position: Ints) -> Floats:
        seen = np.bincount(self.status[position], minlength=len(self.statuses))
        return np.asarray(seen / max(self.orders, 1), dtype=np.float64)


@dataclass(frozen=True)
class Clock:
    """The time of ended orders between a start and an end; ``stretch`` rows lie on the clock.

    ``lead_us`` [n]: lead times, and ``promise_us`` [n]: the promised ones where the log has them.
    ``row``, ``code``, ``length_us``: the stretches' order among the n, atom and microseconds.
    """

    lead_us: Ints
    promise_us: Ints | None
    row: Ints
    code: Ints
    length_us: Ints

    def total_us(self, atoms: int) -> Floats:
        """Return the total time in each atom."""
        return np.asarray(np.bincount(self.code, weights=self.length_us, minlength=atoms), dtype=np.float64)

    def time_in(self, codes: list[int]) -> Floats:
        """Return the time in some atoms of each order that was in any of them."""
        chosen = np.isin(self.code, codes)
        total = np.bincount(self.row[chosen], weights=self.length_us[chosen], minlength=len(self.lead_us))
        return np.asarray(total, dtype=np.float64)[np.bincount(self.row[chosen], minlength=len(self.lead_us)) > 0]


def clock(history: History, start: int | None, end: int | None) -> Clock:
    """Time the orders from the first event of atom ``start`` to the first one of ``end`` after it.

    None for an order's own first or last event. Orders without start or end are left out.
    """
    position = np.arange(len(history.order), dtype=np.int64)
    begin = history.first if start is None else _first_of(history, history.code == start)
    after = position > begin[history.order]
    finish = history.last if end is None else _first_of(history, (history.code == end) & after)
    size = len(history.order)
    whole = np.flatnonzero((begin < size) & (finish < size))
    lead = history.at[finish[whole]] - history.at[begin[whole]]
    on = (position >= begin[history.order]) & (position < finish[history.order]) & np.isin(history.order, whole)
    on_at = np.flatnonzero(on)
    row = np.searchsorted(whole, history.order[on_at])
    length = history.at[np.minimum(on_at + 1, size - 1)] - history.at[on_at]
    promise = None if history.promised is None else history.promised[whole] - history.at[begin[whole]]
    return Clock(lead, promise, row.astype(np.int64), history.code[on_at], length)


def _first_of(history: History, mask: NDArray[np.bool_]) -> Ints:
    size = len(history.order)
    position = np.where(mask, np.arange(size, dtype=np.int64), size)
    return np.minimum.reduceat(position, history.first)
