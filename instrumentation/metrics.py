"""Rate, errors and duration of requests by route, and what became of spans: for Prometheus, with exemplars."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from instrumentation import conventions as names


class RequestMetrics:
    """The metrics of one app's requests. Labels are bounded: known methods, route templates, status codes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._durations = Histogram(
            names.REQUEST_DURATION,
            "From the first byte of a request to the last one of its answer, by route template.",
            [names.METHOD, names.ROUTE, names.STATUS],
            buckets=names.REQUEST_DURATION_BUCKETS,
            registry=registry,
        )
        self._active = Gauge(
            names.ACTIVE_REQUESTS, "Requests that are being answered.", [names.METHOD], registry=registry
        )

    def begun(self, method: str) -> None:
        """Count a request that has begun."""
        self._active.labels(_bounded(method)).inc()

    def ended(self, method: str, route: str, status: int, seconds: float, trace: str | None) -> None:
        """Count a request that has ended. ``trace``: the id of its trace, if somebody can look it up."""
        bounded = _bounded(method)
        self._active.labels(bounded).dec()
        exemplar = {names.TRACE: trace} if trace else None
        self._durations.labels(bounded, route, str(status)).observe(seconds, exemplar)


def _bounded(method: str) -> str:
    return method if method in names.METHODS else names.OTHER_METHOD


class SpanMetrics:
    """What became of the spans of one delivery, in the registries of all that deliver through it.

    Those that ended and were neither delivered nor dropped wait in the queue, or found it full.
    """

    def __init__(self) -> None:
        self.ended = _unregistered(names.SPANS_ENDED, "Spans that were to be delivered.")
        self.delivered = _unregistered(names.SPANS_DELIVERED, "Spans that the backend has taken.")
        self.dropped = _unregistered(names.SPANS_DROPPED, "Spans given up because the backend did not take them.")

    def register(self, registry: CollectorRegistry) -> None:
        """Show them in a registry."""
        for counter in (self.ended, self.delivered, self.dropped):
            registry.register(counter)


def _unregistered(name: str, documentation: str) -> Counter:
    return Counter(name.removesuffix("_total"), documentation, registry=None)
