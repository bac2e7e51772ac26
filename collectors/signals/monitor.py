"""The signals: how much slower each stage is than its reference and its budget, how sure that is, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.cusum import EFFECT, SLOWER, Sums, lasting, run
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger
from collectors.signals.reference import Reference, flow_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.signals.scope import Muted, Scope

    Floats = NDArray[np.float64]

__all__ = ["EFFECT", "History", "Observed", "StageSignal", "history", "judge", "observe", "signals"]

# Where nothing is suspected, the slow-down is told over the last four weeks.
USUAL_H: Final = 4 * WEEK_H
_SURE: Final = 1.96
# The evidence from which on a stage is suspected; also of what is held against the queue before it.
SUSPECTED: Final = 0.3
_NOT_YET: Final = 0.99


@dataclass(frozen=True)
class StageSignal:
    """What is known of one stage and segment.

    ``slowdown``: expected over seen departures, since the begin of what looks like a slow-down, or over the last four
    weeks where nothing does (NaN without evidence); ``lower``, ``upper``: its 95 % bounds. ``evidence``: the sum over
    its limit, 1 is the limit. ``budget_ratio``, ``budget_evidence``: the same for the budget (mean time in the stage
    over the budget; NaN and 0 without one). ``since``: the begin, in microseconds, None where nothing is suspected,
    or what is held against it is its queue's.
    """

    stage: str
    segment: str
    slowdown: float
    lower: float
    upper: float
    evidence: float
    budget_ratio: float
    budget_evidence: float
    since: int | None

    @property
    def slow(self) -> bool:
        """Whether it is slower than the reference: evidence and effect."""
        return self.evidence >= 1 and self.slowdown >= EFFECT

    @property
    def over_budget(self) -> bool:
        """Whether it is over its budget: evidence and effect."""
        return self.budget_evidence >= 1 and self.budget_ratio >= EFFECT


@dataclass(frozen=True)
class History:
    """The signals of each hour from the end of the reference on: arrays [S, G, n], as in StageSignal.

    ``since``: the hour (counted from 1970) of the begin, -1 where nothing is suspected.
    """

    first: int
    slowdown: Floats
    lower: Floats
    upper: Floats
    evidence: Floats
    budget_ratio: Floats
    budget_evidence: Floats
    since: NDArray[np.int64]

    @property
    def slow(self) -> NDArray[np.bool_]:
        """Whether each is slower than the reference: evidence and effect."""
        return np.asarray((self.evidence >= 1) & (self.slowdown >= EFFECT))

    @property
    def over_budget(self) -> NDArray[np.bool_]:
        """Whether each is over its budget: evidence and effect."""
        return np.asarray((self.budget_evidence >= 1) & (self.budget_ratio >= EFFECT))


def signals(ledger: Ledger, reference: Reference, scope: Scope, now: int, muted: Muted = ()) -> list[StageSignal]:
    """Return the signals of every stage and segment at ``now`` (microseconds), from the whole hours before it."""
    found = history(ledger, reference, scope, now, muted)
    if not found.evidence.shape[-1]:
        return []
    last = {name: getattr(found, name)[..., -1].tolist() for name in _TOLD}
    since = found.since[..., -1]
    return [
        StageSignal(
            stage,
            segment,
            **{name: values[s][g] for name, values in last.items()},
            since=int(since[s, g]) * HOUR_US if since[s, g] >= 0 else None,
        )
        for s, stage in enumerate(reference.stages)
        for g, segment in enumerate(reference.segments)
    ]


_TOLD: Final = ("slowdown", "lower", "upper", "evidence", "budget_ratio", "budget_evidence")


def history(ledger: Ledger, reference: Reference, scope: Scope, now: int, muted: Muted = ()) -> History:
    """Return the signals of every whole hour from the end of the reference to ``now`` (microseconds)."""
    return judge(observe(ledger, reference, scope, now, muted), reference, scope)


@dataclass(frozen=True)
class Observed:
    """What was to be expected of each hour from ``first`` on, and what came [S, G, n].

    ``expected``: departures by the reference; ``allowed``: by the budget, ``counting`` [S, 1, 1]: where there is one.
    """

    first: int
    expected: Floats
    allowed: Floats
    counting: NDArray[np.bool_]
    seen: NDArray[np.int64]


def observe(ledger: Ledger, reference: Reference, scope: Scope, now: int, muted: Muted = ()) -> Observed:
    """Set what came against what was to be expected, in the whole hours since the reference."""
    first = max(-(-reference.end // HOUR_US), ledger.first or 0)
    last = max(now // HOUR_US, first)
    flow = flow_of(ledger, scope, first, last)
    counted = scope.counted(first, last, muted)
    allowed, counting = _allowed(flow.spent * counted, scope, first, last)
    expected = reference.rates.expected(flow) * counted
    return Observed(first, expected, allowed, counting, flow.departures.sum(axis=2) * counted)


def judge(observed: Observed, reference: Reference, scope: Scope) -> History:
    """Return the signals that follow from it."""
    first, seen, counting = observed.first, observed.seen, observed.counting
    sums = run(observed.expected, seen, SLOWER, reference.limits[0])
    slowdown, lower, upper = _told(sums, observed.expected, seen, reference.limits[0])
    over = run(observed.allowed, np.where(counting, seen, 0), SLOWER, reference.limits[1])
    evidence = _evidence(sums, reference.limits[0])
    over_budget = _evidence(over, reference.limits[1])
    for queue, work in scope.queues:
        _put_down(queue, work, slowdown, evidence, over_budget)
    return History(
        first,
        slowdown,
        lower,
        upper,
        evidence,
        np.where(counting, _told(over, observed.allowed, seen, reference.limits[1])[0], np.nan),
        over_budget,
        # What is put down to it of its queue has not begun here.
        np.where((evidence >= SUSPECTED) & (sums.score > 0), first + sums.since, -1),
    )


def _evidence(sums: Sums, limit: Floats) -> Floats:
    """Return the sums over their limits [S, G, n], below 1 as long as what they tell of has not lasted."""
    found = sums.score / limit[..., np.newaxis]
    young = np.arange(found.shape[-1]) - sums.since < lasting(found.shape[1])[:, np.newaxis]
    return np.where(young, np.minimum(found, _NOT_YET), found)


def _put_down(queue: int, work: int, slowdown: Floats, evidence: Floats, over_budget: Floats) -> None:
    """Put the evidence against a queue down to the work that it waits for, where that is suspected too (in place).

    Who works slower takes fewer out of the queue before it: both seem slow, and the queue, being longer, sooner.
    """
    suspected = (evidence[work, 0] >= SUSPECTED) & (slowdown[work, 0] >= EFFECT)
    against = np.maximum(evidence[work], evidence[queue])
    evidence[work] = np.where(suspected & (slowdown[work] >= EFFECT), against, evidence[work])
    evidence[queue] = np.where(suspected, np.minimum(evidence[queue], _NOT_YET), evidence[queue])
    over_budget[queue] = np.where(suspected, np.minimum(over_budget[queue], _NOT_YET), over_budget[queue])


def _allowed(inside: Floats, scope: Scope, first: int, last: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the departures [S, G, n] of a stage that just keeps its budget, and where there is a budget [S, 1, 1].

    In the long run, the order hours inside are the departures times the mean time inside (Little's law).
    """
    budget = scope.budget_h()[:, np.newaxis, np.newaxis]
    share = scope.budgeted(first, last)[:, np.newaxis]
    counting = np.isfinite(budget)
    return np.where(counting, inside * share / np.where(counting, budget, 1.0), 0.0), counting


def _told(sums: Sums, expected: Floats, seen: NDArray[np.int64], limit: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the slow-down and its bounds: since the run began, or over four weeks where nothing is suspected."""
    usual_expected, usual_seen = _recent(expected), _recent(seen)
    idle = sums.score < SUSPECTED * limit[..., np.newaxis]
    e, o = np.where(idle, usual_expected, sums.expected), np.where(idle, usual_seen, sums.seen)
    with np.errstate(invalid="ignore"):
        ratio = np.where(e > 0, (e + 0.5) / (o + 0.5), np.nan)
    spread = np.exp(_SURE / np.sqrt(o + 0.5))
    return ratio, ratio / spread, ratio * spread


def _recent(values: NDArray[np.int64] | Floats) -> Floats:
    total = np.cumsum(values, axis=-1, dtype=np.float64)
    total[..., USUAL_H:] -= total[..., :-USUAL_H].copy()
    return total
