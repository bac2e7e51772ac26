"""Every metric, label, span and attribute name of the pricing workers; no label holds an id."""

from __future__ import annotations

from typing import Final, get_args

from pricing.refusals import Exhausted, RefusalCode
from pricing.workers.model import HEAVY_TRIANGLES, SLABBED_TRIANGLES

CLASS: Final = "class"
SIZE: Final = "size"
CACHE: Final = "cache"
OUTCOME: Final = "outcome"
REASON: Final = "reason"

CALCULATION: Final = "touchstone_pricing_calculation_seconds"
CALCULATION_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600)
ANSWERS: Final = "touchstone_pricing_answers_total"
REFUSALS: Final = "touchstone_pricing_refusals_total"
CACHE_LOOKUPS: Final = "touchstone_pricing_cache_lookups_total"
SLABS: Final = "touchstone_pricing_slabs_total"
CHILDREN_KILLED: Final = "touchstone_pricing_children_killed_total"
LEASES_LOST: Final = "touchstone_pricing_leases_lost_total"
WAITING: Final = "touchstone_pricing_waiting_requests"
OLDEST_AGE: Final = "touchstone_pricing_oldest_request_age_seconds"

MEASURES: Final = "measures"
QUOTES: Final = "quotes"
HIT: Final = "hit"
MISS: Final = "miss"
CRASHED: Final = "crashed"
ENDED: Final = "ended"
FAILED: Final = "failed"  # our own fault, so no RefusalCode
# All values that the label `reason` has: of requests without a price, and of child processes that did not end well.
REFUSED_FOR: Final = (*(code.value for code in RefusalCode), FAILED)
KILLED_FOR: Final[tuple[str, ...]] = (*get_args(Exhausted), CRASHED, ENDED)

UNKNOWN_SIZE: Final = "unknown"
SIZE_BANDS: Final = ((10_000, "small"), (HEAVY_TRIANGLES, "medium"), (SLABBED_TRIANGLES, "large"))
LARGEST_BAND: Final = "slabbed"
SIZES: Final = (*(band for _, band in SIZE_BANDS), LARGEST_BAND, UNKNOWN_SIZE)

# Spans: that of a calculation, with one for each step of the child below it.
PRICE: Final = "price"
ATTRIBUTE: Final = "touchstone.pricing."


def size_band(triangles: int | None) -> str:
    """Return the band of a model's size."""
    if triangles is None:
        return UNKNOWN_SIZE
    return next((band for most, band in SIZE_BANDS if triangles <= most), LARGEST_BAND)
