"""What a fitted reference depends on, as texts to be compared: more of it than the names of the stages."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.promise.model import Calendar, PromiseFile
    from collectors.timelines.codebook import Codebook

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Basis:
    """What the stages of a promise file are made of, and how they are measured.

    ``stages`` [S]: each one's statuses and, where it is a queue, those of the work that it waits for; no two are alike.
    ``measured``: what every stage's departures hang on: the ends of the clock and the zone of its hours. ``counted``:
    what decides only which hours and orders count; rates of before still hold where it has changed. ``closed``: the
    closed days, as ISO dates in their order.
    """

    stages: tuple[str, ...]
    measured: str
    counted: str
    closed: tuple[str, ...] = ()

    @classmethod
    def of(cls, codebook: Codebook, queues: Sequence[tuple[int, int]]) -> Basis:
        """Return the basis of a promise file. ``queues``: its stages that wait, each with the work after it."""
        promise, calendar = codebook.promise, codebook.promise.calendar
        return cls(
            _stages(codebook, dict(queues)),
            _text(_measured(promise, calendar)),
            _text([promise.promise.by, codebook.working.tolist(), _hours(calendar)]),
            tuple(day.isoformat() for day in sorted(set(calendar.closed))) if calendar else (),
        )

    def within(self, begin: int, end: int) -> Basis:
        """Return the basis of a fit to [begin, end), in microseconds: closed days elsewhere do not touch it."""
        first, last = (datetime.fromtimestamp(moment / 1e6, UTC).date() for moment in (begin, end))
        # A day of some zone may begin on the day before by UTC, or end on the day after.
        closed = (day for day in self.closed if first - _DAY <= date.fromisoformat(day) <= last + _DAY)
        return replace(self, closed=tuple(closed))

    @classmethod
    def from_document(cls, document: dict[str, Any] | None) -> Basis | None:
        """Return the basis that a stored reference tells of; None for those of versions that told of none."""
        if document is None:
            return None
        stages, closed = tuple(document["stages"]), tuple(document["closed"])
        return cls(stages, document["measured"], document["counted"], closed)


def _stages(codebook: Codebook, work: dict[int, int]) -> tuple[str, ...]:
    statuses: list[list[str]] = [[] for _ in codebook.stages]
    for status, stage in zip(codebook.statuses, codebook.stage_of.tolist(), strict=True):
        statuses[stage].append(status)
    own = [sorted(some) for some in statuses]
    return tuple(_text([some, own[work[at]] if at in work else None]) for at, some in enumerate(own))


def _measured(promise: PromiseFile, calendar: Calendar | None) -> Sequence[Any]:
    terms = promise.promise
    zone = calendar.timezone if calendar else "UTC"
    return [terms.start, terms.end, promise.log.marks, sorted(promise.statuses.cancelled), zone]


def _hours(calendar: Calendar | None) -> list[str] | None:
    """Return the hours of work as texts; None for a house without a calendar."""
    return [*sorted(set(calendar.weekdays)), *(str(hour) for hour in calendar.hours)] if calendar else None


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
