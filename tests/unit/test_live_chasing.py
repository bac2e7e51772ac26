"""Orders to chase: the list counts what metrics and alerts count, by the same filters, on however many pages."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests import live
from tests.live import PROMISE, START, event, running, whole_order
from tests.systems import House, systems_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Live

FAR: Final = 1e9
SYSTEMS: Final = """
touchstone: 1
systems:
  - {name: shop, source: /shop, address: http://shop, owns: [NEW]}
  - {name: crm, source: /crm, address: http://crm, owns: [PAID]}
"""
STAGES: Final = ("payment", "making", "customer", "packing", "elsewhere")
SEGMENTS: Final = (None, "all", "channel=b2b", "channel=a=b", "product=ring")


def _orders() -> list[Any]:
    """Return events of orders in every stage, some over its budget, of several segments and of none."""
    found = []
    for number, (stage, hours) in enumerate(product(("NEW", "PAID", "ASKED", "MADE"), (0.2, 0.9, 2.1, 3.5, 9.0, 20.0))):
        about = ({"channel": "b2b"}, {"channel": "a=b", "product": "ring"}, {})[number % 3]
        found += [
            event(f"o{number}", "NEW", 20 - hours - 0.1, sequence=1, **about),
            event(f"o{number}", stage, 20 - hours, sequence=2),
        ]
    return found


async def _all_of(collector: Live, **query: Any) -> tuple[list[dict[str, Any]], int]:
    """Return the orders of all pages, and how many the pages say that there are."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await collector.get("/orders", limit=4, **query, **cursor)
        found += page["orders"]
        if page["next"] is None:
            return found, page["count"]
        assert len(page["orders"]) == 4
        cursor = {"cursor": page["next"]}


async def test_a_list_over_budget_is_as_long_as_the_metric_says(tmp_path: Path) -> None:
    """And so is the list of a stage, by risk: what the alert's sentence counts, its link shows."""
    clock = live.Clock(START + timedelta(hours=20))
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        await collector.send(*_orders())
        told = await collector.metrics()
        counted = []
        for stage in STAGES:
            orders, count = await _all_of(collector, stage=stage, over_budget="true")
            assert [order["stage"] for order in orders] == [stage] * count
            assert count == told.get(f'touchstone_stage_over_budget_orders{{stage="{stage}"}}', 0), stage
            counted.append(count)
            for risk in ("on track", "at risk", "late"):
                _, count = await _all_of(collector, stage=stage, risk=risk)
                assert count == told[f'touchstone_stage_orders{{risk="{risk}",stage="{stage}"}}']
        assert counted == [4, 3, 0, 4, 0]  # budgets of 1 h, 3 h, none, 2 h


async def test_filters_combine_and_every_page_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    promise = PROMISE.replace("segments: [channel]", "segments: [channel, product]")
    clock = live.Clock(START + timedelta(hours=20))
    async with running(live.settings(tmp_path, promise=promise, signals_seconds=FAR), clock) as collector:
        await collector.send(*_orders())
        whole, count = await _all_of(collector)
        assert (len(whole), count) == (24, 24)
        of: dict[str | None, set[str]] = {None: {order["order"] for order in whole}}
        of |= {"all": of[None], "channel=b2b": {f"o{n}" for n in range(0, 24, 3)}}
        of |= {segment: {f"o{n}" for n in range(1, 24, 3)} for segment in ("channel=a=b", "product=ring")}
        over = {order["order"] for order in (await _all_of(collector, over_budget="true"))[0]}
        stuck = {order["order"] for order in (await _all_of(collector, stuck="true"))[0]}
        assert 0 < len(over) < 24
        for stage, segment, risk in product((None, "making", "packing"), SEGMENTS, (None, "late", "on track")):
            for told in ({}, {"over_budget": over}, {"stuck": stuck}, {"over_budget": over, "stuck": stuck}):
                for yes in (True, False):
                    asked = {"stage": stage, "segment": segment, "risk": risk, **dict.fromkeys(told, yes)}
                    orders, count = await _all_of(collector, **{k: str(v) for k, v in asked.items() if v is not None})
                    assert [order["order"] for order in orders] == [
                        order["order"]
                        for order in whole
                        if stage in {None, order["stage"]}
                        and risk in {None, order["risk"]}
                        and order["order"] in of[segment]
                        and all((order["order"] in those) == yes for those in told.values())
                    ], asked
                    assert count == len(orders)


async def test_stuck_orders_are_those_that_the_last_reconciliation_counted(tmp_path: Path) -> None:
    """What the systems say decides, as in the metric, and not what this collector has heard since."""
    house = House()
    settings = live.settings(tmp_path, signals_seconds=FAR, systems=systems_file(tmp_path, SYSTEMS))
    clock = live.Clock(START + timedelta(hours=5))
    for name, hours in (("long", 0.5), ("short", 4.5), ("moved", 0.0), ("unheard", 1.0)):
        house.place(name, ("NEW", hours), known_to=("shop", "crm"))
    house.systems["crm"].claim("moved", "PAID", 3)
    networks = {name: house.transports[name] for name in ("shop", "crm")}
    async with running(settings, clock, networks=networks) as collector:
        await collector.send(event("long", "NEW", 4.9), event("short", "NEW", 0), event("moved", "NEW", 0))
        # Before anything was reconciled, their own events tell: payment has an hour.
        assert {order["order"] for order in (await _all_of(collector, stuck="true"))[0]} == {"short", "moved"}
        await collector.service.watch.reconcile()
        assert (await collector.metrics())["touchstone_reconcile_stuck"] == 2
        assert [order["order"] for order in (await _all_of(collector, stuck="true"))[0]] == ["long"]
        await collector.send(event("unheard", "NEW", 1))
        orders, count = await _all_of(collector, stuck="true", stage="payment")
        assert ({order["order"] for order in orders}, count) == ({"long", "unheard"}, 2)
        others, _ = await _all_of(collector, stuck="false")
        assert {order["order"] for order in others} == {"short", "moved"}


async def test_without_watched_systems_orders_are_stuck_beyond_the_p99_of_their_stage(tmp_path: Path) -> None:
    clock = live.Clock(START + timedelta(hours=200))
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        ended = [whole_order(f"done{number}", begin=number) for number in range(120)]  # an hour in each stage
        await collector.send(*(message for order in ended for message in order))
        await collector.send(event("a", "NEW", 198.9), event("b", "NEW", 199), event("c", "PAID", 0))
        await collector.send(event("d", "NEW", 196.9), event("d", "PAID", 198), event("e", "ASKED", 0))
        await collector.send(event("e", "NEW", -1))
        limits = {row["stage"]: row for row in (await collector.get("/limits"))["limits"]}
        assert {stage: row["basis"] for stage, row in limits.items()} == dict.fromkeys(
            ("payment", "making", "packing"), "P99"
        )
        orders, _ = await _all_of(collector, stuck="true")
        assert [(order["order"], order["stage"]) for order in orders] == [("d", "making"), ("a", "payment")]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("stage=paymnet", "`stage` cannot be used: the promise knows no stage `paymnet`; did you mean `payment`?"),
        ("stage=", "the promise knows no stage ``; known are `payment`, `making`, `customer`, `packing`, `elsewhere`"),
        ("segment=channel%3Db2c", "no order in flight is of the segment `channel=b2c`; did you mean `channel=b2b`?"),
        ("segment=b2b", "`segment` cannot be used: no order in flight is of the segment `b2b`"),
        ("segment=product%3Dring", "known are `all`, `channel=a=b`, `channel=b2b`"),
        ("over_budget=perhaps", "`over_budget` cannot be used: Input should be a valid boolean"),
        ("stuck=2", "`stuck` cannot be used"),
    ],
)
async def test_a_stage_or_segment_that_there_is_not_is_one_clear_sentence(
    tmp_path: Path, query: str, says: str
) -> None:
    async with running(live.settings(tmp_path, signals_seconds=FAR)) as collector:
        await collector.send(*_orders())
        answer = await collector.client.get(f"/orders?{query}")
        assert answer.status_code == 400
        assert says in answer.json()["detail"]
        assert "\n" not in answer.json()["detail"]


async def test_a_segment_with_signals_may_have_no_order_left(tmp_path: Path) -> None:
    """An alert names it for three days more; its link is an empty list, not an error."""
    async with running(
        live.settings(tmp_path, signals_seconds=FAR), live.Clock(START + timedelta(hours=9))
    ) as collector:
        await collector.send(*whole_order("gone", channel="b2b"), event("here", "NEW", 1, channel="shop"))
        await collector.service.signalling.turn()
        assert (await _all_of(collector, segment="channel=b2b")) == ([], 0)
        assert (await _all_of(collector, segment="channel=shop"))[1] == 1


async def test_a_stage_is_asked_for_by_its_name_as_links_spell_it(tmp_path: Path) -> None:
    """Alerts write it with Go's `urlquery`: a plus for a space, and %27 for an apostrophe."""
    promise = PROMISE.replace("name: customer", 'name: "the customer\'s turn & more"')
    async with running(live.settings(tmp_path, promise=promise, signals_seconds=FAR)) as collector:
        await collector.send(event("a", "NEW", -1), event("a", "ASKED", -0.5), event("b", "NEW", -1))
        answer = await collector.client.get("/orders?stage=the+customer%27s+turn+%26+more")
        assert [order["order"] for order in answer.json()["orders"]] == ["a"]
