"""The adapter's own metrics, and their names."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from services.mes.watch import Watch

FALLBACKS: Final = "touchstone_mes_pricing_fallbacks_total"
VENDOR_OWED: Final = "touchstone_mes_vendor_calls_owed"
VENDOR_OLDEST: Final = "touchstone_mes_vendor_calls_oldest_seconds"
VENDOR_FEED_AGE: Final = "touchstone_mes_vendor_feed_age_seconds"
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


class VendorGauges(Collector):
    """Exports what is between adapter and vendor, as last looked at: nothing before the first look."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge."""
        seen = self.watch.seen
        if seen is None:
            return
        yield GaugeMetricFamily(VENDOR_OWED, "Calls that the vendor has not answered yet.", seen.owed.calls)
        yield GaugeMetricFamily(VENDOR_OLDEST, "How long the oldest of these calls has been owed.", seen.oldest_s)
        text = "How long ago the vendor last let this process read its journal."
        yield GaugeMetricFamily(VENDOR_FEED_AGE, text, seen.feed_age_s)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the registry need not ask for everything to learn the names."""
        yield from ()
