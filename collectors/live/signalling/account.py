"""The account of all visits in bounded memory: the ledger by hour, and the recent orders that the laws learn from.

What arrives is added as a difference (an order's visits before and after), so it does not matter in which order
transactions report; and nothing is ever counted anew but at the start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.live.signalling.moves import latest
from collectors.live.signalling.seats import MOST_SEGMENTS, parted, shared_out, values_of
from collectors.signals import ledger as ledgers
from collectors.signals.flights import Recent, ValueNumbers, Visits
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger
from collectors.signals.scope import Scope
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.live.signalling.moves import Moved
    from collectors.timelines.codebook import Codebook

RECENT_US: Final = 26 * 7 * 24 * HOUR_US


class Account:
    """The ledger and the recent visits of one collector. ``segments``: `ATTRIBUTE=VALUE`, those with signals.

    Others join them when they are heard for the first time, as long as there are seats.
    """

    def __init__(self, codebook: Codebook, segments: tuple[str, ...]) -> None:
        self.codebook, self.segments = codebook, segments
        self.attributes = tuple(codebook.promise.segments)
        self.values = ValueNumbers(self.attributes, known=[parted(segment, self.attributes) for segment in segments])
        # Values that found no seat. What was booked without them lets them have none later on.
        self._unseated: set[tuple[str, str]] = set()
        self.ledger = Ledger(len(codebook.stages), 1 + len(segments))
        self.recent = Recent(len(self.attributes), RECENT_US)
        # The earliest moment that changed since the stages were last judged: earlier hours stand as they were.
        self.changed_from = NEVER
        # Visits (with their signs) of which a part lies in the future, by a clock that runs ahead: the ledger has of
        # them what has happened by ``_now``.
        self._ahead: dict[int, ledgers.Visits] = {}
        self._now = 0

    @property
    def scope(self) -> Scope:
        """What is watched now."""
        return Scope.of(self.codebook, self.segments)

    @property
    def counted_from(self) -> int:
        """From when on the ledger counts what happens, in microseconds; to be asked once something was applied."""
        return (self.ledger.first or 0) * HOUR_US

    def was_ahead(self, now: int) -> bool:
        """Whether a clock that was wrong has led it so far ahead of ``now`` that it forgot what still counts."""
        return self._now - now > WEEK_H * HOUR_US

    def apply(self, moves: Sequence[Moved], now: int) -> None:
        """Take in what intakes changed, in the order of their transactions."""
        now = max(now, self._now)  # a clock that is set back undoes nothing of what has been booked
        self._let_happen(now)
        self._now = now
        if moves:
            visits = Visits.joined(*(move.after for move in moves))
            self._widen(visits)
            self._book(Visits.joined(*(move.before for move in moves)), -1, now)
            self._book(visits, 1, now)
            after, orders = latest(moves)
            self.recent.update(after, now, gone=orders)
            self.changed_from = min(self.changed_from, *(move.since for move in moves))
        self._ahead = _netted(self._ahead)
        self.ledger.advance(now)

    def member_of(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the segment numbers [n, A] of orders with these attribute values [n, A]; -1 for none."""
        found = np.full(values.shape, -1, dtype=np.int64)
        for column, name in enumerate(self.attributes):
            known = self.values.known[name]
            number = np.full(self.values.most + 1, -1, dtype=np.int64)
            for place, segment in enumerate(self.segments, start=1):
                of, text = parted(segment, self.attributes)
                if of == name:
                    number[known[text]] = place
            found[:, column] = number[values[:, column]]
        return found

    def _widen(self, visits: Visits) -> None:
        """Give values that are heard for the first time a segment of their own, as long as there is room."""
        held = [parted(segment, self.attributes) for segment in self.segments]
        heard = values_of(visits, self.values.known)
        new = {pair: count for pair, count in heard.items() if pair not in held and pair not in self._unseated}
        seated = shared_out(new, self.attributes, held, kept=MOST_SEGMENTS // max(len(self.attributes), 1))
        self._unseated |= new.keys() - set(seated)
        self.segments += tuple(f"{name}={value}" for name, value in seated)
        self.ledger.widen(1 + len(self.segments))

    def _book(self, visits: Visits, sign: int, now: int) -> None:
        segments = self.member_of(visits.values)
        self._add(ledgers.Visits(visits.stage, segments, visits.entered, visits.left), sign, now)

    def _add(self, visits: ledgers.Visits, sign: int, now: int) -> None:
        """Book what has happened by now: who leaves in the future is inside until then, who enters then is nowhere."""
        self._book_as_of(visits, sign, now)
        self._set_aside(visits.take(_next_change(visits, now) != NEVER), sign)

    def _set_aside(self, visits: ledgers.Visits, sign: int) -> None:
        if len(visits):
            kept = self._ahead.get(sign)
            self._ahead[sign] = visits if kept is None else _both(kept, visits)

    def _book_as_of(self, visits: ledgers.Visits, sign: int, moment: int) -> None:
        begun = visits.take(visits.entered <= moment)
        if len(begun):
            self.ledger.add(replace(begun, left=np.where(begun.left > moment, NEVER, begun.left)), sign)

    def _let_happen(self, now: int) -> None:
        """Book anew the visits of which more has happened since the last time."""
        waiting, self._ahead = self._ahead, {}
        for sign, visits in waiting.items():
            due = _next_change(visits, self._now) <= now
            if due.any():
                self._book_as_of(visits.take(due), -sign, self._now)
                self._add(visits.take(due), sign, now)
            self._set_aside(visits.take(~due), sign)


def _next_change(visits: ledgers.Visits, after: int) -> NDArray[np.int64]:
    """Return when each visit begins or ends next after a moment; NEVER where nothing is ahead of it."""
    return np.where(visits.entered > after, visits.entered, np.where(visits.left > after, visits.left, NEVER))


def _both(one: ledgers.Visits, other: ledgers.Visits) -> ledgers.Visits:
    columns = ("stage", "segments", "entered", "left")
    return ledgers.Visits(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in columns))


def _netted(waiting: dict[int, ledgers.Visits]) -> dict[int, ledgers.Visits]:
    """Strike out what was set aside and taken back meanwhile."""
    if len(waiting) < 2:
        return waiting
    both = _both(waiting[1], waiting[-1])
    table = np.column_stack([both.stage, both.segments, both.entered, both.left])
    _, first, place = np.unique(table, axis=0, return_index=True, return_inverse=True)
    sign = np.repeat([1, -1], [len(waiting[1]), len(waiting[-1])])
    net = np.bincount(place.reshape(-1), weights=sign, minlength=len(first)).astype(np.int64)
    return {s: both.take(np.repeat(first, np.maximum(s * net, 0))) for s in (1, -1) if (s * net > 0).any()}
