"""When somebody would have been called: the pages that a history of signals makes, and what they named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from collectors.signals.monitor import History, judge, observe
from collectors.signals.reference import Reference, fit
from tests.drills.histories import BEGIN_US, DAY_US, REFERENCE_FROM, REFERENCE_TO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.signals.ledger import Ledger
    from collectors.signals.scope import Scope

# An alarm that comes back within three days is the same page, as the rules have it (keep_firing_for).
SAME_PAGE_H: Final = 72
# The limits of the trade-off curve, as multiples of the calibrated ones.
MULTIPLES: Final = (0.5, 0.7, 0.85, 1.0, 1.4)


class Page(NamedTuple):
    """A stage's alarm begins: its number, the hour since the end of the reference, and the test that made it."""

    stage: int
    hour: int
    test: str


def reference_of(ledger: Ledger, scope: Scope) -> Reference:
    """Return the reference that every run is watched against: eight weeks, after a month to fill the house."""
    return fit(ledger, BEGIN_US + REFERENCE_FROM * DAY_US, BEGIN_US + REFERENCE_TO * DAY_US, scope)


def watched(ledger: Ledger, reference: Reference, scope: Scope, until_day: int) -> dict[float, list[Page]]:
    """Return the pages from the end of the reference to a day, by the multiple of the limits that they exceed."""
    observed = observe(ledger, reference, scope, BEGIN_US + until_day * DAY_US)
    return {
        multiple: pages(judge(observed, replace(reference, limits=reference.limits * multiple), scope))
        for multiple in MULTIPLES
    }


def pages(found: History) -> list[Page]:
    """Return the pages of all stages by time; a stage's segments and tests are one alarm."""
    slow, over = np.asarray(found.slow.any(axis=1)), np.asarray(found.over_budget.any(axis=1))
    told = [
        Page(stage, hour, "slow" if slow[stage, hour] else "budget")
        for stage in range(len(slow))
        for hour in begins(slow[stage] | over[stage])
    ]
    return sorted(told, key=lambda page: page.hour)


def begins(alarm: NDArray[np.bool_], same: int = SAME_PAGE_H) -> list[int]:
    """Return the places where an alarm [n] begins anew, after at least ``same`` places without."""
    on = np.flatnonzero(alarm)
    return [int(place) for place in on[np.diff(on, prepend=-same - 1) > same]]
