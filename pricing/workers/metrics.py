"""What the workers count, and what waits for them: for Prometheus, with exemplars."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from instrumentation.conventions import TRACE
from pricing.messages import PriceClass
from pricing.workers import conventions as names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

    from pricing.workers.store import Queue

SECOND: Final = 1_000_000


class PricingMetrics:
    """The metrics of one process. Gauges of what waits are of the one database: take ``max by (class)``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            names.CALCULATION,
            "From when a worker took a model up until its requests were answered.",
            [names.CLASS, names.SIZE],
            buckets=names.CALCULATION_BUCKETS,
            registry=registry,
        )

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name.removesuffix("_total"), text, labels, registry=registry)

        self._answers = counter(names.ANSWERS, "Requests answered, with or without a price.", names.CLASS)
        self._refusals = counter(names.REFUSALS, "Requests answered without a price, by why.", names.REASON)
        self._lookups = counter(names.CACHE_LOOKUPS, "Looks into the caches.", names.CACHE, names.OUTCOME)
        self._slabs = counter(names.SLABS, "Slabs of very heavy models that were measured.")
        self._killed = counter(names.CHILDREN_KILLED, "Child processes that did not end well.", names.REASON)
        self._lost = counter(names.LEASES_LOST, "Work taken over from workers that fell silent.")
        self._waiting = Gauge(names.WAITING, "Unanswered requests.", [names.CLASS], registry=registry)
        text = "How long the oldest unanswered request has waited: the signal to run more or fewer workers."
        self._oldest = Gauge(names.OLDEST_AGE, text, [names.CLASS], registry=registry)
        self._begin_at_zero()
        self.see((), 0)

    def _begin_at_zero(self) -> None:
        """Show every series from the start: Prometheus sees no increase in one that begins at 1."""
        for one in PriceClass:
            self._answers.labels(one.value)
            for size in names.SIZES:
                self._seconds.labels(one.value, size)
        for refusal in names.REFUSED_FOR:
            self._refusals.labels(refusal)
        for reason in names.KILLED_FOR:
            self._killed.labels(reason)
        for cache, outcome in product((names.MEASURES, names.QUOTES), (names.HIT, names.MISS)):
            self._lookups.labels(cache, outcome)

    def calculated(
        self, price_class: PriceClass, triangles: int | None, seconds: float, trace: str | None = None
    ) -> None:
        """Count a calculation. ``trace``: the id of its trace, if somebody can look it up."""
        exemplar = {TRACE: trace} if trace else None
        self._seconds.labels(price_class.value, names.size_band(triangles)).observe(seconds, exemplar)

    def answered(self, price_class: PriceClass, refusal: str | None) -> None:
        """Count an answer; ``refusal``: why there is no price, in a word, None where there is one."""
        self._answers.labels(price_class.value).inc()
        if refusal is not None:
            self._refusals.labels(refusal).inc()

    def cache(self, cache: str, *, hit: bool) -> None:
        """Count a look into a cache."""
        self._lookups.labels(cache, names.HIT if hit else names.MISS).inc()

    def slab(self) -> None:
        """Count a slab."""
        self._slabs.inc()

    def killed(self, reason: str) -> None:
        """Count a child that hit a limit (``time``, ``memory``, ``output``), ``crashed`` or was ``ended`` by others."""
        self._killed.labels(reason).inc()

    def lease_lost(self) -> None:
        """Count work that was taken over."""
        self._lost.inc()

    def see(self, queues: Sequence[Queue], now: int) -> None:
        """Show what waits in each class, at a moment (microseconds since 1970 UTC)."""
        seen = {queue.price_class: queue for queue in queues}
        for one in PriceClass:
            queue = seen.get(one)
            self._waiting.labels(one.value).set(queue.waiting if queue else 0)
            self._oldest.labels(one.value).set(max(now - queue.oldest, 0) / SECOND if queue else 0)
