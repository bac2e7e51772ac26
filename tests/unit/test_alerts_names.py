"""A rule that asks for a metric which nobody exports is silent for ever: every name is held against its exporter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

import collectors.conventions
import instrumentation.conventions
import pricing.workers.conventions
import services.bus.conventions
import services.mes.metrics
from alerts.catalogue import alerts, recorded_targets, recordings
from alerts.foreign import CALCULATION_BUCKETS, FOREIGN
from alerts.promql import metrics
from alerts.rules import burning
from collectors.live.metrics import Metrics
from collectors.promise import DEFAULT_PROMISE, load_promise
from collectors.timelines.codebook import Codebook
from instrumentation.metrics import RequestMetrics
from pricing.messages import PriceClass
from pricing.workers.metrics import PricingMetrics
from tests.dashboards import House

OWNERS = {
    "services/bus/conventions.py": services.bus.conventions,
    "pricing/workers/conventions.py": pricing.workers.conventions,
    "services/mes/metrics.py": services.mes.metrics,
}
COUNTED = re.compile(r"\b(?:increase|rate)\((\w+)")
QUERIED = re.compile(r'(?:query \(printf |query )"((?:[^"\\]|\\.)*)"')


def names_of(module: Any) -> set[str]:
    """Return the texts among a module's constants."""
    return {value for value in vars(module).values() if isinstance(value, str)}


def bare(name: str) -> str:
    """Return a histogram's own name."""
    return re.sub(r"_(bucket|count|sum)$", "", name)


def asked() -> set[str]:
    """Return every name that a rule or the words of an alert ask for."""
    found: set[str] = set()
    rules: tuple[Any, ...] = (*recordings(), *alerts(load_promise(DEFAULT_PROMISE)))
    for rule in rules:
        found |= metrics(rule.expr)
    for alert in alerts(load_promise(DEFAULT_PROMISE)):
        for query in QUERIED.findall(alert.description):
            found |= metrics(query.replace("%q", '""').replace('\\"', '"'))
        found |= {name for one in alert.traces for name in metrics(one)}
    return {name for name in found if ":" not in name}


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("vector(1)", set()),
        ('max by (job) (a{b="c > d"}) > 300', {"a"}),
        ("a / on (x) group_left (y) b:c > 14.4 and on (z) d >= 5 / 14.4", {"a", "b:c", "d"}),
        ("time() - max(a_1h) > 600 unless (b offset 1d) == 0", {"a_1h", "b"}),
        ('label_replace(sum by (q) (increase(e_total[1h])), "of", "$1", "q", "(.*)")', {"e_total"}),
        ("absent(f)", {"f"}),
    ],
)
def test_the_names_in_an_expression_are_found(expr: str, names: set[str]) -> None:
    """Functions, labels, matchers and words of PromQL are no metrics."""
    assert metrics(expr) == names


def test_every_metric_that_a_rule_asks_for_has_an_exporter() -> None:
    """It stands in a module of conventions of ours, or in the list of foreign ones with its source."""
    own = names_of(collectors.conventions) | names_of(instrumentation.conventions)
    foreign = {name for names in FOREIGN.values() for name in names}
    unknown = {name for name in asked() if not {name, bare(name)} & (own | foreign)}
    assert unknown == set()


def test_what_rules_take_the_increase_of_stands_at_zero_from_the_start() -> None:
    """Prometheus sees no increase in a series that begins at 1; only requests have labels that nobody knows before."""
    promise = load_promise(DEFAULT_PROMISE)
    rules: tuple[Any, ...] = (*recordings(), *alerts(promise))
    counted = {name for rule in rules for name in COUNTED.findall(rule.expr)}
    ours = {name for name in counted if name.startswith("touchstone_")}
    assert len(ours) >= 7
    shown: dict[str, list[float]] = {}
    for registry in House(promise).registries.values():
        for sample in (sample for metric in registry.collect() for sample in metric.samples):
            shown.setdefault(sample.name, []).append(sample.value)
    assert [name for name in sorted(ours) if not shown.get(name) or any(shown[name])] == []


def test_no_foreign_metric_is_listed_for_nothing() -> None:
    """What no rule asks for any more leaves the list."""
    wanted = {bare(name) for name in asked()} | asked()
    assert [name for names in FOREIGN.values() for name in names if name not in wanted] == []


def test_foreign_names_of_ours_are_what_their_owners_call_them() -> None:
    """The rooms of bus, pricing and MES may rename a metric: then this fails."""
    for source, module in OWNERS.items():
        assert set(FOREIGN[source]) <= names_of(module)


def test_the_buckets_of_calculations_are_those_of_pricing() -> None:
    """An objective between two of them would be measured by none."""
    assert pricing.workers.conventions.CALCULATION_BUCKETS == CALCULATION_BUCKETS


def test_labels_that_rules_match_exist() -> None:
    """Matched values are those that the exporters give."""
    bus = services.bus.conventions

    rules: tuple[Any, ...] = (*recordings(), *alerts(load_promise(DEFAULT_PROMISE)))
    text = "\n".join(rule.expr for rule in rules)
    assert set(re.findall(r'state="(\w+)"', text)) <= {bus.PARKED, bus.RETRYING, bus.DEAD}
    assert set(re.findall(r'kind="(\w+)"', text)) <= {bus.MISSING, bus.UNREADABLE}
    assert set(re.findall(r'class!?="(\w+)"', text)) <= {str(one) for one in PriceClass}
    assert set(re.findall(r'invariant!?="(\w+)"', text)) <= set(collectors.conventions.INVARIANTS)
    assert set(re.findall(r'cause!?="(\w+)"', text)) <= {str(one) for one in services.mes.metrics.Cause}
    assert set(re.findall(r'segment!?="(\w+)"', text)) == {collectors.conventions.ALL}


def test_one_bad_event_alone_never_exceeds_a_burn_rate() -> None:
    """The least number of events that a window must hold makes more than five bad ones needed, whatever the budget."""
    for burn, _long, _short in (*burning.FAST, *burning.SLOW):
        for budget in (0.0001, 0.001, 0.01, 0.05):
            least = burning.LEAST_BAD / (burn * budget)
            assert burning.LEAST_BAD / least <= burn * budget * (1 + 1e-12)
            assert 1 / least < burn * budget


def test_buckets_that_are_joined_exist_as_they_are_spelt() -> None:
    """prometheus_client writes 60 seconds as 60.0: a target spelt otherwise would join nothing, in silence."""
    promise = load_promise(DEFAULT_PROMISE)
    requests, prices = CollectorRegistry(), CollectorRegistry()
    RequestMetrics(requests).ended("GET", "/", 200, 0.1, None)
    PricingMetrics(prices).calculated(PriceClass.SHOP, 10, 1.0)
    exported = {
        "touchstone:latency_bucket": spelt(requests),
        "touchstone:price_bucket": spelt(prices),
        "touchstone:stage_bucket": spelt(Metrics(Codebook(promise), CollectorRegistry()).registry),
    }
    joined = {name: {one.labels["le"] for one in recorded_targets(promise) if one.name == name} for name in exported}
    assert all(joined.values())
    assert [name for name, bounds in joined.items() if bounds - exported[name]] == []


def spelt(registry: CollectorRegistry) -> set[str]:
    """Return the bounds of all buckets of a registry, as Prometheus sees them."""
    return {sample.labels["le"] for metric in registry.collect() for sample in metric.samples if "le" in sample.labels}


def test_what_is_recorded_over_a_window_is_summed_over_that_window() -> None:
    """Its name and its ranges are written by one template: each must have been filled in."""
    over = burning.recordings()
    assert len(over) == 4 * (7 + 4)
    for one in over:
        assert set(re.findall(r"\[(\w+)\]", one.expr)) == {one.name.rpartition("_")[2]}, one.name
