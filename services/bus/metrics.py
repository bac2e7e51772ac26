"""The bus's metrics: what the bus last saw of itself, and what this process has counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from services.bus import conventions as names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from services.bus.bus import Bus
    from services.bus.watch import Seen


def register(bus: Bus, registry: CollectorRegistry) -> None:
    """Export a bus's metrics. Gauges are at most a few seconds old: see ``watch``; a scrape reads no database."""
    registry.register(_Collected(bus))


class _Collected:
    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        relay, received = self.bus.relay, vars(self.bus.received)
        yield self._counter(names.RECEIVED, "Messages received, by what became of them.", received)
        yield self._counter(names.OFFERED, "Messages that this process's relay sent.", {"": relay.offered})
        yield self._counter(names.CONFIRMED, "Messages that were stored on the other side.", {"": relay.confirmed})
        if self.bus.watch.seen is not None:
            yield from self._gauges(self.bus.watch.seen)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the registry need not ask for everything to learn the names."""
        yield from ()

    def _gauges(self, seen: Seen) -> Iterator[Metric]:
        waiting = seen.waiting
        yield self._gauge(names.OUTBOX_PENDING, "Messages recorded and not sent yet.", {"": seen.backlog.pending})
        yield self._gauge(names.OUTBOX_AGE, "How long the oldest unsent message has waited.", {"": seen.oldest_s})
        held = {names.PARKED: waiting.parked, names.RETRYING: waiting.retrying, names.DEAD: waiting.dead}
        yield self._gauge(names.HELD, "Messages that came and are not applied, by why.", held, names.STATE)
        gaps = {names.MISSING: waiting.gaps, names.UNREADABLE: waiting.unreadable}
        text = "Streams that have lacked an event for a minute while later ones wait, and messages nobody can read."
        yield self._gauge(names.GAPS, text, gaps, names.KIND)

    def _gauge(self, name: str, text: str, values: Mapping[str, float], label: str | None = None) -> Metric:
        family = GaugeMetricFamily(name, text, labels=[names.CONSUMER, *([label] if label else [])])
        for value, number in values.items():
            family.add_metric([self.bus.consumer, *([value] if label else [])], number)
        return family

    def _counter(self, name: str, text: str, values: Mapping[str, int]) -> Metric:
        labels = [names.CONSUMER, *([names.OUTCOME] if len(values) > 1 else [])]
        family = CounterMetricFamily(name.removesuffix("_total"), text, labels=labels)
        for value, number in values.items():
            family.add_metric([self.bus.consumer, *([value] if value else [])], number)
        return family
