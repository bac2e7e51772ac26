"""The collector's metrics: counters and histograms of this process, gauges from the stored state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from collectors import conventions as names
from collectors.stages.eta import RISKS
from collectors.timelines.codebook import NO_BUDGET, Codebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.core import Metric

    from collectors.live.handlers import Receipt

SECOND: Final = 1_000_000
DISTRIBUTION: Final = "touchstone-sla"
MOST_SOURCES: Final = 20


@dataclass(frozen=True)
class State:
    """What the stored state says at a moment. ``orders``: in flight, by stage and risk; ages in seconds by stage.

    ``over_budget``: by stage, the orders that have been there for longer than its budget.
    """

    as_of: int
    kept: int
    broken: int
    open: int
    cancelled: int
    quarantined: int
    skewed: int
    gaps: int
    orders: Mapping[tuple[int, int], int]
    oldest_s: Mapping[int, float]
    over_budget: Mapping[int, int]


class Metrics:
    """All metrics of one collector, in its registry."""

    def __init__(self, codebook: Codebook, registry: CollectorRegistry) -> None:
        self.codebook, self.registry = codebook, registry
        self.state: State | None = None
        self.heard: dict[str, int] = {}
        self.events = Counter(
            names.EVENTS.removesuffix("_total"),
            "Events by what became of them; accepted ones older than an hour on arrival are late.",
            [names.OUTCOME],
            registry=self.registry,
        )
        self.lag = Histogram(
            names.EVENT_LAG,
            "From when an event happened to its arrival; events older than an hour are left out.",
            buckets=names.EVENT_LAG_BUCKETS,
            registry=self.registry,
        )
        self.durations = Histogram(
            names.STAGE_DURATION,
            "How long visits to a stage lasted that ended in the hour before their event arrived.",
            [names.STAGE],
            buckets=names.STAGE_DURATION_BUCKETS,
            registry=self.registry,
        )
        self.skipped = Counter(
            names.BUS_SKIPPED.removesuffix("_total"),
            "Messages of the bus that speak of something else than an order's status.",
            registry=self.registry,
        )
        # What the watch found last; NaN is shown where it has not looked or could not.
        self.reconciled: tuple[float, ...] = (math.nan,) * 5
        self.violations: Mapping[str, int | None] = {}
        self.failing: Callable[[], int] = lambda: 0
        for outcome in names.OUTCOMES:
            self.events.labels(outcome)
        for stage in codebook.stages:
            self.durations.labels(stage)
        self.registry.register(_Gauges(self))

    def count(self, receipt: Receipt) -> None:
        """Count what became of an intake, once its transaction is committed."""
        self.events.labels(names.ACCEPTED).inc(receipt.accepted - receipt.late)
        self.events.labels(names.LATE).inc(receipt.late)
        self.events.labels(names.DUPLICATE).inc(receipt.duplicates)
        self.events.labels(names.QUARANTINED).inc(receipt.quarantined)
        for lag in receipt.lags_us:
            self.lag.observe(lag / SECOND)
        self.hear(receipt.heard)
        if receipt.visits is not None:
            visits = zip(receipt.visits.stage.tolist(), receipt.visits.length_us.tolist(), strict=True)
            for stage, length in visits:
                self.durations.labels(self.codebook.stages[stage]).observe(length / SECOND)

    def hear(self, heard: Mapping[str, int]) -> None:
        """Note the time of each source's latest event.

        Sources name themselves, so only those of the promise file and the first few others have a series.
        """
        owners = set(self.codebook.promise.reported_by.values())
        for source, at in heard.items():
            if source in owners or source in self.heard or len(self.heard) < MOST_SOURCES:
                self.heard[source] = max(self.heard.get(source, at), at)

    def exposition(self, state: State) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self.state = state
        return generate_latest(self.registry)


_RECONCILED: Final = (
    (names.RECONCILE_MISMATCHES, "Orders for which systems name different statuses for longer than the tolerance."),
    (names.RECONCILE_LOST, "Orders that one system knows and the next does not in time."),
    (names.RECONCILE_STUCK, "Orders that are longer in their stage than that stage's P99."),
    (names.RECONCILE_SILENT, "Systems that did not answer at the last reconciliation."),
    (names.RECONCILE_LAST_RUN, "When systems were last reconciled."),
)


class _Gauges:
    """Gauges that are read, not kept: so neither backfill nor corrections nor a restart can put them wrong."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics, self.codebook = metrics, metrics.codebook

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge."""
        yield from self._targets()
        yield from self._watched()
        if self.metrics.state is not None:
            yield from self._totals(self.metrics.state)
            yield from self._in_flight(self.metrics.state)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the names are known only from the state."""
        yield from ()

    def _targets(self) -> Iterator[Metric]:
        promise = self.codebook.promise
        budgets = GaugeMetricFamily(names.STAGE_BUDGET, "The stage's share of the promise.", labels=[names.STAGE])
        for stage, budget in zip(self.codebook.stages, self.codebook.budget_us.tolist(), strict=True):
            if budget != NO_BUDGET:
                budgets.add_metric([stage], budget / SECOND)
        yield budgets
        if promise.promise.within is not None:
            seconds = promise.promise.within.total_seconds()
            yield GaugeMetricFamily(names.PROMISE_LENGTH, "The promised lead time.", value=seconds)
        share = promise.promise.objective
        yield GaugeMetricFamily(names.PROMISE_OBJECTIVE, "The share of orders that must keep it.", value=share)
        build = GaugeMetricFamily(names.BUILD, "What is running.", labels=[names.VERSION, names.PROMISE])
        build.add_metric([metadata.version(DISTRIBUTION), promise.name], 1)
        yield build

    def _watched(self) -> Iterator[Metric]:
        for (name, text), value in zip(_RECONCILED, self.metrics.reconciled, strict=True):
            yield GaugeMetricFamily(name, text, value=value)
        violated = GaugeMetricFamily(
            names.INVARIANT_VIOLATIONS, "Violations at the last check; NaN: not checked.", labels=[names.INVARIANT]
        )
        for invariant in names.INVARIANTS:
            count = self.metrics.violations.get(invariant)
            violated.add_metric([invariant], math.nan if count is None else count)
        yield violated
        text = "Followed logs and polled systems that cannot be read now."
        yield GaugeMetricFamily(names.FAILING_SOURCES, text, value=self.metrics.failing())
        last = GaugeMetricFamily(names.LAST_EVENT, "When the source's latest event happened.", labels=[names.SOURCE])
        for source, at in self.metrics.heard.items():
            last.add_metric([source], at / SECOND)
        yield last

    def _totals(self, state: State) -> Iterator[Metric]:
        for name, text, value in (
            (names.PICTURE_TIMESTAMP, "As of when the orders in flight are counted.", state.as_of / SECOND),
            (names.PROMISE_KEPT, "Orders that kept their promise.", state.kept),
            (names.PROMISE_BROKEN, "Orders that broke their promise, open ones whose moment passed too.", state.broken),
            (names.PROMISE_OPEN, "Orders whose promise moment is ahead.", state.open),
            (names.PROMISE_CANCELLED, "Orders that were cancelled.", state.cancelled),
            (names.QUARANTINED_EVENTS, "Events that could not be used.", state.quarantined),
            (names.CLOCK_SKEW, "Events whose time ran backwards within their source.", state.skewed),
            (names.SEQUENCE_GAPS, "Orders with a missing sequence number now.", state.gaps),
        ):
            yield GaugeMetricFamily(name, text, value=value)

    def _in_flight(self, state: State) -> Iterator[Metric]:
        count = GaugeMetricFamily(
            names.STAGE_ORDERS, "Orders in the stage now, by risk.", labels=[names.STAGE, names.RISK]
        )
        oldest = GaugeMetricFamily(
            names.STAGE_OLDEST_AGE, "How long the oldest order has been in the stage.", labels=[names.STAGE]
        )
        over = GaugeMetricFamily(
            names.STAGE_OVER_BUDGET,
            "Orders in the stage for longer than its budget.",
            labels=[names.STAGE],
        )
        for number, stage in enumerate(self.codebook.stages):
            if self.codebook.budget_us[number] != NO_BUDGET:
                over.add_metric([stage], state.over_budget.get(number, 0))
            oldest.add_metric([stage], state.oldest_s.get(number, 0.0))
            for risk, word in enumerate(RISKS):
                count.add_metric([stage, word], state.orders.get((number, risk), 0))
        yield count
        yield oldest
        yield over
