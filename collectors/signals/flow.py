"""What flows through each stage: arrivals, departures, WIP, utilisation, and the ages of what is inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger
from collectors.signals.reference import QUANTILES, Reference, age_quantile

if TYPE_CHECKING:
    from collectors.signals.scope import Scope

_WEEK_S: Final = WEEK_H * 3600.0


@dataclass(frozen=True)
class StageFlow:
    """The flow of one stage and segment.

    ``arrivals_per_s``, ``departures_per_s``: over the last seven days. ``wip``: orders inside. ``utilisation``:
    arrivals of these days over the most departures that any seven days of the reference saw (NaN without one).
    ``age_s``: P50 and P90 of how long the orders inside have been there, NaN where nobody is; ``reference_age_s``: the
    same over the reference, at any moment. An order that is still inside counts with its age: nobody waits for it to
    leave. ``reference_departures``: the evidence behind the reference.
    """

    stage: str
    segment: str
    arrivals_per_s: float
    departures_per_s: float
    wip: int
    utilisation: float
    age_s: tuple[float, float]
    reference_age_s: tuple[float, float]
    reference_departures: int


def flows(ledger: Ledger, reference: Reference | None, scope: Scope, now: int) -> list[StageFlow]:
    """Return the flow of every stage and segment at ``now`` (microseconds), from the whole hours before it."""
    last = now // HOUR_US
    first = last - WEEK_H
    arrived = ledger.entries(first, last).sum(axis=-1)
    left = ledger.departures(first, last).sum(axis=(2, 3))
    inside = ledger.inside(last, last + 1).sum(axis=-1)
    there = ledger.time(last, last + 1).sum(axis=-1)
    ages = np.stack([age_quantile(there, quantile) for quantile in QUANTILES]) * 3600
    usual = np.full_like(ages, np.nan) if reference is None else reference.age_h * 3600
    known = np.zeros_like(inside) if reference is None else reference.departures
    busiest = np.zeros_like(inside) if reference is None else reference.busiest
    used = np.divide(arrived, busiest, out=np.full(arrived.shape, np.nan), where=busiest > 0)
    return [
        StageFlow(
            stage,
            segment,
            float(arrived[s, g]) / _WEEK_S,
            float(left[s, g]) / _WEEK_S,
            int(inside[s, g]),
            float(used[s, g]),
            (float(ages[0, s, g]), float(ages[1, s, g])),
            (float(usual[0, s, g]), float(usual[1, s, g])),
            int(known[s, g]),
        )
        for s, stage in enumerate(scope.stages)
        for g, segment in enumerate(scope.segments)
    ]
