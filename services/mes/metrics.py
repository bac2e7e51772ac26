"""The adapter's own metrics, and their names."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

FALLBACKS: Final = "touchstone_mes_pricing_fallbacks_total"
CAUSE: Final = "cause"


class Cause(StrEnum):
    """Why the vendor calculates a price that the workers were asked for."""

    LATE = "late"  # they said nothing for too long
    FAILED = "failed"  # they said that they failed
    DECIDED = "decided"  # somebody released the order before they had answered


def fallbacks(registry: CollectorRegistry) -> Counter:
    """Return the count of prices that fell back to the vendor, shown from the start for every cause."""
    counter = Counter(
        FALLBACKS.removesuffix("_total"), "Prices that the vendor calculates after all.", [CAUSE], registry=registry
    )
    for cause in Cause:
        counter.labels(cause.value)
    return counter
