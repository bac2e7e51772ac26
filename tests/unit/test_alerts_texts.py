"""What alerts tell people: counts that read well whatever they are, and links that lead where they say."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson
import pytest

import collectors.live
from alerts import unit_tests
from alerts.catalogue import alerts
from alerts.settings import default_settings
from alerts.texts import rendered, words
from collectors.promise import DEFAULT_PROMISE, load_promise
from tests import live
from tests.live import START, event, running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alerts.model import Alert

ALERTS: Final = {alert.name: alert for alert in alerts(load_promise(DEFAULT_PROMISE))}
OPENAPI: Final = Path(collectors.live.__file__).with_name("openapi.json")
LABELS: Final = {"stage": "customer's turn", "segment": "channel=b2b"}
TOLD: Final = re.compile(r"\{\{ \$value \|? ?(.*?)\}\}")
SAYS_HOW: Final = {'printf "%.0f"', 'printf "%.1f"', "humanizePercentage", "humanizeDuration", "humanize1024"}
ONE_OF_MANY: Final = re.compile(r"\b1 [a-z]+s\b")


def asked(alert: Alert, labels: Mapping[str, str] = LABELS) -> dict[str, list[str]]:
    """Return the parameters of an alert's link to orders."""
    url = rendered(words(alert, default_settings().links)["orders_url"], labels)
    path, _, query = url.partition("?")
    assert path.endswith("/orders"), alert.name
    return parse_qs(query, strict_parsing=True)


def parameters() -> dict[str, dict[str, Any]]:
    """Return the parameters of GET /orders by name, as the collector publishes them."""
    published = orjson.loads(OPENAPI.read_bytes())["paths"]["/orders"]["get"]["parameters"]
    return {one["name"]: one["schema"] for one in published}


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_every_figure_says_how_it_is_written(alert: Alert) -> None:
    """Else an increase of 3 reads 3.01, and a million 1e+06."""
    assert {how.strip() for how in TOLD.findall(alert.description)} <= SAYS_HOW


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_words_fit_one_as_well_as_many(alert: Alert) -> None:
    """No scene says that "1 orders" are anything."""
    said = {one.description for scene in unit_tests.scenes(alert) for fired in scene.moments.values() for one in fired}
    assert said
    assert [text for text in said if ONE_OF_MANY.search(text)] == []


LINKED: Final = {name: alert for name, alert in ALERTS.items() if alert.orders}


@pytest.mark.parametrize("alert", LINKED.values(), ids=LINKED)
def test_a_link_to_orders_asks_what_the_collector_can_be_asked(alert: Alert) -> None:
    """By the parameters that it publishes; an enumeration holds the value that is asked for."""
    known = parameters()
    for name, [value] in asked(alert).items():
        assert name in known, (alert.name, name)
        shapes = known[name].get("anyOf", [known[name]])
        allowed = [value for shape in shapes for value in shape.get("enum", ())]
        assert value in allowed or not allowed, (alert.name, name, value)
        assert value == "true" or not any(shape.get("type") == "boolean" for shape in shapes), (alert.name, name)


def test_a_link_lists_the_orders_that_the_sentence_tells_of() -> None:
    """Those of the stage, the segment, over their budget, stuck; of the whole house only where that is told of."""
    stage, segment = {"stage": ["customer's turn"]}, {"segment": ["channel=b2b"]}
    over, late = {"over_budget": ["true"]}, {"risk": ["late"]}
    assert {name: asked(alert) for name, alert in LINKED.items()} == {
        "PromiseAtRisk": late,
        "PromiseSlipping": late,
        "PromiseSegmentAtRisk": {**segment, **late},
        "ErrorBudgetForecast": late,
        "StageSlow": stage,
        "StageSegmentSlow": {**stage, **segment},
        "StageOverBudget": {**stage, **over},
        "StageSegmentOverBudget": {**stage, **segment, **over},
        "OrdersStuck": {"stuck": ["true"]},
    }


async def test_a_link_opens_as_many_orders_as_the_sentence_says(tmp_path: Path) -> None:
    """Of a stage over its budget: as many as the metric that its sentence asks for; each other link opens too."""
    labels = {"stage": "making", "segment": "channel=b2b"}
    clock = live.Clock(START + timedelta(hours=20))
    async with running(live.settings(tmp_path, signals_seconds=1e9), clock) as collector:
        for number, (channel, hours) in enumerate((("b2b", 1), ("b2b", 9), ("shop", 2), ("shop", 9), ("shop", 12))):
            since = 20 - hours
            await collector.send(event(f"o{number}", "NEW", since - 0.1, sequence=1, channel=channel))
            await collector.send(event(f"o{number}", "PAID", since, sequence=2))
        await collector.send(event("elsewhere", "NEW", 1, channel="shop"))
        listed = {}
        for name, alert in LINKED.items():
            query = {parameter: value for parameter, [value] in asked(alert, labels).items()}
            listed[name] = {order["order"] for order in (await collector.get("/orders", **query))["orders"]}
        told = await collector.metrics()
    assert listed["StageSlow"] == {"o0", "o1", "o2", "o3", "o4"}
    assert listed["StageSegmentSlow"] == {"o0", "o1"}
    assert listed["StageOverBudget"] == {"o1", "o3", "o4"}
    assert len(listed["StageOverBudget"]) == told['touchstone_stage_over_budget_orders{stage="making"}']
    assert "touchstone_stage_over_budget_orders{stage=%q}" in ALERTS["StageOverBudget"].description
    assert listed["StageSegmentOverBudget"] == {"o1"}
    assert listed["PromiseSegmentAtRisk"] <= {"o0", "o1"}


@pytest.mark.parametrize(
    ("labels", "selects"),
    [
        ({"sli": "errors", "of": "shop", "job": "shop"}, ('job="shop"', 'class=""')),
        ({"sli": "price", "of": "shop", "class": "shop"}, ('job=""', 'class="shop"')),
        ({"sli": "stage", "of": "price queue", "stage": "price queue"}, ('job=""', 'class=""')),
    ],
)
def test_example_traces_are_those_of_what_burns(labels: dict[str, str], selects: tuple[str, str]) -> None:
    """Requests of the job, or calculations of the class; every series of ours has a job, so none is without."""
    for name in ("BudgetBurnsFast", "BudgetBurnsSlowly"):
        url = rendered(words(ALERTS[name], default_settings().links)["traces_url"], labels)
        [expr] = parse_qs(url.partition("?")[2])["g0.expr"]
        assert expr == (
            f"sum(rate(http_server_request_duration_seconds_bucket{{{selects[0]}}}[5m])) by (le) or "
            f"sum(rate(touchstone_pricing_calculation_seconds_bucket{{{selects[1]}}}[5m])) by (le)"
        )
