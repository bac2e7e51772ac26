"""Whether the interval of expected breaks holds what it says: nine in ten, over all, by stage and by segment.

Every Monday morning the house is forecast by what was known then, with the shared error of earlier forecasts whose
orders had their verdicts by then; the breaks that came are counted inside or outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.signals.chances import Chances
from collectors.signals.flights import flight_of
from collectors.signals.promise_risk import PastForecast, Risk, promise_risk, shared_error
from collectors.timelines.judging import BROKEN
from tests.drills.orders_flag_judging import MORNING_US
from tests.drills.orders_flag_log import DAY_US, FlagLog, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from collectors.signals.flights import InFlight

    Floats = NDArray[np.float64]

DECIDED_DAYS: Final = 28  # after which the promises open at a moment are decided
FIRST_DAY: Final = 63


class Coverage:
    """Counts of forecasts whose interval held what came, by what was forecast."""

    def __init__(self) -> None:
        self.inside: dict[str, list[bool]] = {}
        self.errors: list[float] = []

    def see(self, log: FlagLog) -> None:
        """Forecast a log week by week."""
        past: list[PastForecast] = []
        for day in range(FIRST_DAY, (log.end - log.begin) // DAY_US - DECIDED_DAYS, 7):
            now = log.begin + day * DAY_US + MORNING_US
            flight = flight_of(log.visits, now, log.codebook)
            flight = flight.take(flight.open)
            decided = resolved(log, flight.order)
            chance = Chances.learn(log.visits.as_of(now), log.codebook, now).of(flight)
            broken = log.outcomes.of(flight.order).verdict == BROKEN
            checked = [one for one in past if one.moment <= now - DECIDED_DAYS * DAY_US]
            error = shared_error(checked)
            self.errors.append(error)
            for name, members in _groups(log, flight):
                chosen = members & decided
                self._count(name, promise_risk(flight.take(chosen), chance[chosen], error), int(broken[chosen].sum()))
            kept = chance[decided]
            variance = float((kept * (1 - kept)).sum())
            past.append(PastForecast(now, len(kept), float(kept.sum()), variance, int(broken[decided].sum())))

    def _count(self, name: str, risk: Risk, broken: int) -> None:
        if risk.open:
            self.inside.setdefault(name, []).append(risk.lower <= broken <= risk.upper)

    def figures(self) -> dict[str, Any]:
        """Return the shares inside, and how many forecasts each is of."""
        return {
            "shared_error": round(float(np.mean(self.errors)), 3),
            **{name: [round(float(np.mean(held)), 3), len(held)] for name, held in self.inside.items()},
        }


def _groups(log: FlagLog, flight: InFlight) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield "all", np.ones(len(flight), dtype=np.bool_)
    for stage in np.unique(flight.stage).tolist():
        yield "a stage", flight.stage == stage
    for number in range(len(log.texts[0])):
        yield "a segment", flight.values[:, 0] == number
