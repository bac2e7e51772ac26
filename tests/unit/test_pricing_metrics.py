"""What the pricing workers count stands at 0 from the start: no increase is seen in a series that begins at 1."""

from __future__ import annotations

from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from pricing.messages import PriceClass
from pricing.refusals import Exhausted, RefusalCode
from pricing.workers.metrics import PricingMetrics


def shown(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Return every sample but buckets: its name and label values, and its value."""
    samples = (sample for metric in registry.collect() for sample in metric.samples)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for sample in samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


@pytest.mark.parametrize("reason", [*get_args(Exhausted), "crashed", "ended"])
def test_each_way_in_which_a_child_does_not_end_well_is_shown_before_one_has(reason: str) -> None:
    """Whatever the first one to end badly ends for, its series has stood at 0."""
    registry = CollectorRegistry()
    metrics = PricingMetrics(registry)
    before = shown(registry)
    metrics.killed(reason)
    after = shown(registry)
    assert before[("touchstone_pricing_children_killed_total", reason)] == 0
    assert after == before | {("touchstone_pricing_children_killed_total", reason): 1}


@pytest.mark.parametrize("reason", [*(code.value for code in RefusalCode), "failed"])
def test_each_reason_for_no_price_is_shown_before_it_was_given(reason: str) -> None:
    """Of both counters that an answer moves."""
    registry = CollectorRegistry()
    metrics = PricingMetrics(registry)
    before = shown(registry)
    metrics.answered(PriceClass.HEAVY, reason)
    moved = {("touchstone_pricing_refusals_total", reason): 1, ("touchstone_pricing_answers_total", "heavy"): 1}
    assert {name: before.get(name) for name in moved} == dict.fromkeys(moved, 0)
    assert shown(registry) == before | moved


@pytest.mark.parametrize("triangles", [None, 0, 10_000, 10_001, 150_000, 600_000, 10**9])
def test_no_calculation_and_no_look_into_a_cache_makes_a_new_series(triangles: int | None) -> None:
    registry = CollectorRegistry()
    metrics = PricingMetrics(registry)
    before = shown(registry)
    for one in PriceClass:
        metrics.calculated(one, triangles, 1.0)
    for cache in ("measures", "quotes"):
        metrics.cache(cache, hit=True)
        metrics.cache(cache, hit=False)
    assert set(shown(registry)) == set(before)
    assert not any(before.values())
