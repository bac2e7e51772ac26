"""Which stages are over their budgets in a house that has no reference yet: the promise alone says what is slow.

A house that has been slow since its first day learns nothing from its own past but slowness. That a stage which just
keeps its budget B lets time / B orders go needs no past (Little's law); only the limit of that test does, and
calibration draws it from the reference's weeks. Without one, the limit is that of pure chance: a run of the sum
begins with a departure, and gets as far as h with a chance of at most exp(-h) where the stage keeps its budget (Wald's
inequality, as Lorden 1971 has it for this sum), so of n departures, n exp(-h) runs at most. Real houses are wilder
than chance, so the limit is held wider, and widest for queues, which a busy fortnight fills. What is told must have
lasted for a week, and its effect is that of whole weeks: in hours, a weekend alone looks slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.calibration import HALF_YEAR_WEEKS, TARGET
from collectors.signals.cusum import EFFECT, HELD_AT, SLOWER, Sums, ratios, run
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger
from collectors.signals.monitor import USUAL_H, StageSignal
from collectors.signals.scope import ALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.signals.scope import Muted, Scope

    Floats = NDArray[np.float64]

# How much wider than pure chance the limits are: set by the pages that were measured (docs/signals.md).
WIDER: Final = 2.0
WIDER_IN_QUEUES: Final = 4.0
# The evidence from which on work is suspected: little, because work that slowed lets few go to be told of it, while the
# queue before it fills.
SUSPECTED: Final = 0.1
_NOT_YET: Final = 0.99


def over_budget(ledger: Ledger, scope: Scope, first: int, now: int, muted: Muted = ()) -> list[StageSignal]:
    """Return what the budgets say of all orders of each stage, from hour ``first`` on to ``now`` (microseconds).

    ``first`` (counted from 1970): when the house had filled, because who has only just come cannot have left. Nothing
    before a week has passed. What only a reference can tell is NaN, and segments have to wait for it.
    """
    # A past that is still being read in has got to the last order that came, whatever the clock says.
    came = np.flatnonzero(ledger.entries(first, now // HOUR_US)[:, 0].any(axis=0))
    last = first + int(came[-1]) + 1 if len(came) else first
    if last - first < WEEK_H:
        return []
    allowed, seen, counted = _flow(ledger, scope, first, last, muted)
    limit = _limits(seen, counted, scope)
    # Never held: where all who are ready leave as the week begins, a held sum would be back at zero every Monday.
    sums = run(allowed, seen, SLOWER, np.full(len(limit), np.inf))
    ratio, evidence = _effect(allowed, seen, sums), np.minimum(sums.score[:, -1] / limit, HELD_AT)
    suspected = (evidence >= SUSPECTED) & (ratio >= EFFECT)
    for queue, work in scope.queues:
        if suspected[work]:
            # Who works slower takes fewer out of the queue before it: what is held against both is his.
            evidence[work] = max(evidence[work], evidence[queue] * (ratio[queue] >= EFFECT))
            evidence[queue] = min(evidence[queue], _NOT_YET)
    ratio[~np.isfinite(scope.budget_h())] = np.nan
    return [
        StageSignal(
            stage,
            ALL,
            slowdown=np.nan,
            lower=np.nan,
            upper=np.nan,
            evidence=np.nan,
            budget_ratio=float(ratio[s]),
            budget_evidence=float(evidence[s]),
            since=None,
        )
        for s, stage in enumerate(scope.stages)
    ]


def _flow(
    ledger: Ledger, scope: Scope, first: int, last: int, muted: Muted
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the departures allowed by the budgets and those seen [S, n] in hours [first, last), and which count."""
    budget, counted = scope.budget_h()[:, np.newaxis], scope.counted(first, last, muted)
    known = np.isfinite(budget) & counted
    inside = ledger.time(first, last)[:, 0].sum(axis=1) * scope.budgeted(first, last)
    allowed = np.where(known, inside / np.where(np.isfinite(budget), budget, 1.0), 0.0)
    return allowed, np.where(known, ledger.departures(first, last)[:, 0].sum(axis=1), 0), counted


def _limits(seen: NDArray[np.int64], counted: NDArray[np.bool_], scope: Scope) -> Floats:
    """Return each stage's limit [S], and at least what a week of its gathers once it is slower.

    The share of half-years that may have a page by pure chance is parted among the stages that have a budget.
    """
    hourly = seen.sum(axis=1) / max(counted.sum(), 1)
    stages = max(np.isfinite(scope.budget_h()).sum(), 1)
    chance = np.log(np.maximum(hourly * HALF_YEAR_WEEKS * WEEK_H, 1) * stages / TARGET)
    wider = np.full(len(seen), WIDER)
    wider[[queue for queue, _ in scope.queues]] = WIDER_IN_QUEUES
    gathered: Floats = WEEK_H * ratios(hourly, hourly / SLOWER, SLOWER)
    return np.asarray(np.maximum(wider * chance, gathered))


def _effect(allowed: Floats, seen: NDArray[np.int64], sums: Sums) -> Floats:
    """Return allowed over seen departures [S] in the whole weeks since each sum left zero; NaN before the first.

    In the last four at most, so that it is over some weeks after its cause.
    """
    hours = allowed.shape[1]
    weeks = np.minimum(hours - sums.since[:, -1], USUAL_H) // WEEK_H
    counts = np.arange(hours) >= (hours - weeks * WEEK_H)[:, np.newaxis]
    found: Floats = ((allowed * counts).sum(axis=1) + 0.5) / ((seen * counts).sum(axis=1) + 0.5)
    return np.where(weeks > 0, found, np.nan)
