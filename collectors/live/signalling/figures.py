"""The figures that the collector tells of its stages and of the promise, computed from the account. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.live.signalling.periods import filled_from, filling_us
from collectors.signals.by_budget import over_budget
from collectors.signals.chances import Chances
from collectors.signals.culprit_now import culprit_now
from collectors.signals.error_budget import error_budget, horizon_us
from collectors.signals.flights import flight_of, outcomes_of
from collectors.signals.flow import flows
from collectors.signals.monitor import signals
from collectors.signals.promise_risk import past_forecasts, promise_risk, risk_by_segment, risk_by_stage, shared_error
from collectors.timelines.judging import BROKEN, CANCELLED, OPEN
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.live.signalling.account import Account
    from collectors.signals.culprit_now import Culprit
    from collectors.signals.error_budget import ErrorBudget
    from collectors.signals.flights import InFlight, Visits
    from collectors.signals.flow import StageFlow
    from collectors.signals.ledger import Ledger
    from collectors.signals.monitor import StageSignal
    from collectors.signals.promise_risk import Risk
    from collectors.signals.reference import Reference
    from collectors.signals.scope import Muted, Scope

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US


@dataclass(frozen=True)
class Figures:
    """What is told as of a moment. ``share``: the part of the orders that the risks were counted on, 1 for all."""

    as_of: int
    stages: list[StageSignal]
    flows: list[StageFlow]
    share: float
    risk: Risk
    risk_by_stage: list[Risk]
    risk_by_segment: dict[str, Risk]
    budget: ErrorBudget
    culprit: Culprit


class Computation:
    """Computes figures turn after turn, and keeps between turns what has not changed."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.error = shared_error([])
        self._culprit: tuple[int, Culprit | None] = (0, None)
        self._stages: tuple[int, Reference | None, Muted, list[StageSignal]] = (0, None, (), [])

    def check_forecasts(self, now: int) -> None:
        """Learn from past forecasts how wide the interval must be; some seconds, once a week is enough."""
        visits = self.account.recent.visits.as_of(now)
        self.error = shared_error(past_forecasts(visits, self.account.codebook, now))

    def figures(self, now: int, reference: Reference | None, muted: Muted = ()) -> Figures:
        """Return the figures as of ``now`` (microseconds since 1970 UTC). A second or two at most."""
        account, codebook = self.account, self.account.codebook
        visits = account.recent.visits.as_of(now)
        flight = flight_of(account.recent.visits, now, codebook)
        chances = Chances.learn(visits, codebook, now)
        chance = chances.of(flight)
        return Figures(
            as_of=now,
            stages=self._judged(now, reference, muted),
            flows=flows(account.ledger, reference, account.scope, now),
            share=account.recent.share,
            risk=promise_risk(flight, chance, self.error),
            risk_by_stage=risk_by_stage(flight, chance, self.error, len(codebook.stages)),
            risk_by_segment=risk_by_segment(flight, chance, self.error, self._members(flight)),
            budget=self._budget(visits, flight, chance, now),
            culprit=self._accused(chances, flight, now),
        )

    def _members(self, flight: InFlight) -> dict[str, NDArray[np.bool_]]:
        numbers = self.account.member_of(flight.values)
        return {
            segment: np.asarray((numbers == place).any(axis=1))
            for place, segment in enumerate(self.account.segments, start=1)
        }

    def _budget(self, visits: Visits, flight: InFlight, chance: NDArray[np.float64], now: int) -> ErrorBudget:
        outcomes = outcomes_of(visits, now, self.account.codebook)
        known = outcomes.verdict != CANCELLED
        expected = np.where(outcomes.verdict == BROKEN, 1.0, 0.0)
        at = np.searchsorted(outcomes.order, flight.order)
        expected[at] = np.where(outcomes.verdict[at] == OPEN, chance, expected[at])
        first = np.unique(visits.order, return_index=True)[1]
        length = outcomes.promise_at - visits.entered[first]
        objective = float(self.account.codebook.promise.promise.objective)
        ahead = horizon_us(length[known & (length > 0)])
        return error_budget(outcomes.promise_at[known], expected[known], now, objective, ahead)

    def _accused(self, chances: Chances, flight: InFlight, now: int) -> Culprit:
        """Return the culprit as of the last minute: it costs more than all the rest."""
        at, culprit = self._culprit
        if culprit is None or not 0 <= now - at < MINUTE_US:
            culprit = culprit_now(chances.flow, flight)
            self._culprit = (now, culprit)
        return culprit

    def _judged(self, now: int, reference: Reference | None, muted: Muted) -> list[StageSignal]:
        """Return the stages' signals. They look at whole hours: within an hour they change by late events only."""
        hour = now // HOUR_US
        told = self._stages
        late = self.account.changed_from < hour * HOUR_US
        if late or told[1] is not reference or (told[0], told[2]) != (hour, muted):
            ledger, scope = self.account.ledger, self.account.scope
            if reference is None:
                found = self._judged_by_budget(ledger, scope, now, muted)
            else:
                found = signals(ledger, reference, scope, now, muted)
            self._stages = (hour, reference, muted, found)
        # Only now: where judging failed, the next turn must still know what has changed.
        self.account.changed_from = NEVER
        return self._stages[3]

    def _judged_by_budget(self, ledger: Ledger, scope: Scope, now: int, muted: Muted) -> list[StageSignal]:
        """Return what the budgets alone say of the stages, once the house has filled."""
        filled = filled_from(ledger, filling_us(self.account.codebook), now, scope, muted)
        return [] if filled is None else over_budget(ledger, scope, filled, now, muted)
