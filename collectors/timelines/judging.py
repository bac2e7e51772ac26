"""Verdicts: which measured orders kept their promise as of a moment, and what each stage's lateness did to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.promise.working_time import WorkingTime
from collectors.timelines.codebook import NO_BUDGET, Codebook
from collectors.timelines.measuring import NEVER, Measured, time_since_spent

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSTARTED: Final = 0
CANCELLED: Final = 1
KEPT: Final = 2
BROKEN: Final = 3
OPEN: Final = 4
VERDICTS: Final = ("unstarted", "cancelled", "kept", "broken", "open")


@dataclass(frozen=True)
class Judged:
    """Measured orders with their verdict as of a moment; one row an order, microseconds.

    ``verdict`` [n]: see VERDICTS. ``stage_us`` [n, S]: time in each stage, from start to end or ``as_of``.
    ``lead_us`` [n]: start to end or ``as_of``. ``promise_at``, ``promise_us`` [n]: the promise moment and its
    distance from the start. ``over_us`` [n, S]: time over budget. ``rescued`` [n, S]: broken orders that would have
    been kept had that stage kept its budget.
    """

    measured: Measured
    as_of: int
    verdict: NDArray[np.int8]
    stage_us: NDArray[np.int64]
    lead_us: NDArray[np.int64]
    promise_at: NDArray[np.int64]
    promise_us: NDArray[np.int64]
    over_us: NDArray[np.int64]
    rescued: NDArray[np.bool_]

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Which orders have reached the promise's end."""
        return np.not_equal(self.measured.end, NEVER)

    def take(self, chosen: NDArray[np.bool_]) -> Judged:
        """Return the chosen orders."""
        return Judged(
            measured=self.measured.take(chosen),
            as_of=self.as_of,
            **{name: getattr(self, name)[chosen] for name in _COLUMNS},
        )


_COLUMNS: Final = ("verdict", "stage_us", "lead_us", "promise_at", "promise_us", "over_us", "rescued")


def judge(
    measured: Measured,
    codebook: Codebook,
    as_of: int,
    promised: NDArray[np.int64],
    *,
    withdrawn: NDArray[np.bool_] | None = None,
) -> Judged:
    """Judge every order as of a moment.

    ``promised`` [n]: the promised length of each order in microseconds, or where the promise is ``by`` an attribute,
    its moment. ``withdrawn`` [n]: orders that the log's ``cancelled_when`` cancels unless they have ended.
    """
    started, ended = measured.start != NEVER, measured.end != NEVER
    tail = np.where(measured.tail_from != NEVER, as_of - np.minimum(measured.tail_from, as_of), 0)
    stage_us = measured.stage_us.copy()
    running = np.flatnonzero(measured.tail_from != NEVER)
    stage_us[running, measured.tail_stage[running]] += tail[running]
    start = np.where(started, measured.start, 0)
    lead = np.where(ended, measured.end, as_of) - start
    paused = stage_us[:, codebook.pauses].sum(axis=1)
    moment = (promised if codebook.promise.promise.by else start + promised) + paused
    ended_at = np.where(ended, measured.end, as_of)
    cancelled = started & (measured.cancelled != NEVER)
    if withdrawn is not None:
        cancelled |= started & ~ended & withdrawn
    verdict = np.where(ended_at > moment, BROKEN, np.where(ended, KEPT, OPEN)).astype(np.int8)
    verdict[cancelled] = CANCELLED
    verdict[~started] = UNSTARTED
    over = _over_budget(measured, codebook, as_of, stage_us)
    over[verdict != BROKEN] = 0
    ahead = np.where(ended, 0, codebook.budgets_ahead_us(measured.last_rank))
    length = moment - start
    rescued = (over > 0) & ((lead + ahead)[:, np.newaxis] - over <= length[:, np.newaxis])
    return Judged(measured, as_of, verdict, stage_us, lead, moment, length, over, rescued)


def _over_budget(measured: Measured, codebook: Codebook, as_of: int, stage_us: NDArray[np.int64]) -> NDArray[np.int64]:
    budget = codebook.budget_us
    over = np.where(budget == NO_BUDGET, 0, np.clip(stage_us - budget, 0, None))
    if codebook.promise.calendar is None or not codebook.working.any():
        return over
    over[:, codebook.working] = measured.late_us[:, codebook.working]
    at_work = (measured.tail_from != NEVER) & codebook.working[np.maximum(measured.tail_stage, 0)]
    rows = np.flatnonzero(at_work & (measured.tail_from < as_of))
    if len(rows):
        stage = measured.tail_stage[rows]
        over[rows, stage] += time_since_spent(
            WorkingTime(codebook.promise.calendar),
            measured.tail_from[rows],
            np.full(len(rows), as_of),
            measured.worked_us[rows, stage],
            budget[stage],
        )
    return over
