"""Each invariant holds in a healthy house, and says so in a sentence when it is broken for real."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy

from collectors import conventions
from collectors.invariants.checking import INVARIANTS
from collectors.live.tables import orders
from collectors.promise.reading import DEFAULT_PROMISE
from deploy.house import SYSTEMS
from tests import live
from tests.live import START, event, running, whole_order
from tests.systems import NAMES, House, systems_file

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.live.settings import Settings

SILENCE = (
    "touchstone: 1\nsystems:\n"
    + "".join(f"  - {{name: {name}, source: /{name}, address: http://{name}}}\n" for name in NAMES)
    + "flow: [{status: NEW, from: shop, to: [crm, mes]}]\n"
    "silence: {after: 2h, sources: [/shop], hours: {hours: '09:00-17:00', closed: ['2026-03-03']}}\n"
    "oldest_pending: 1m\noldest_gap: 10m\n"
)


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    """Return settings of a collector that watches three systems."""
    return live.settings(tmp_path, systems=systems_file(tmp_path, SILENCE))


async def checked(collector: live.Live) -> dict[str, dict[str, Any]]:
    """Check now, and return what GET /invariants says of each."""
    await collector.service.watch.check()
    return {row["invariant"]: row for row in (await collector.get("/invariants"))["invariants"]}


async def spoilt(collector: live.Live, **values: Any) -> None:
    """Change the stored row of order `a` behind the collector's back."""
    statement = sqlalchemy.update(orders).where(orders.c.name == "a").values(**values)
    await collector.service.database.write(lambda connection: connection.execute(statement))


def test_every_invariant_has_a_name_in_the_conventions() -> None:
    assert tuple(invariant.name for invariant in INVARIANTS) == conventions.INVARIANTS


async def test_in_a_healthy_house_every_invariant_holds(configured: Settings) -> None:
    house = House()
    clock = live.Clock(START + timedelta(hours=2.5))
    async with running(configured, clock, networks=house.transports) as collector:
        before = (await collector.get("/invariants"))["invariants"]
        assert {row["reason"] for row in before} == {"not checked yet"}
        await collector.send(event("a", "NEW", 1, sequence=1), *whole_order("b", step=0.5), event("c", "ASKED", 2))
        found = await checked(collector)
        assert {name: row["violations"] for name, row in found.items()} == dict.fromkeys(conventions.INVARIANTS, 0)
        gauges = await collector.metrics()
        for name in conventions.INVARIANTS:
            assert gauges[f'touchstone_invariant_violations{{invariant="{name}"}}'] == 0


async def test_a_stored_status_that_the_events_do_not_say_is_a_violation(configured: Settings) -> None:
    async with running(configured, live.Clock(START + timedelta(hours=3)), networks=House().transports) as collector:
        await collector.send(event("a", "NEW", 1), event("b", "NEW", 1))
        await spoilt(collector, tail_stage=2)
        row = (await checked(collector))["one_current_status"]
        assert row["examples"] == [
            "order a is stored in customer, its events say payment since 2026-03-02T09:00:00.000000Z"
        ]
        gauges = await collector.metrics()
        assert gauges['touchstone_invariant_violations{invariant="one_current_status"}'] == 1


async def test_an_order_that_ended_and_is_stored_as_in_flight_is_a_violation(configured: Settings) -> None:
    async with running(configured, live.Clock(START + timedelta(hours=9)), networks=House().transports) as collector:
        await collector.send(*whole_order("a"))
        await spoilt(collector, settled=4)
        row = (await checked(collector))["one_current_status"]
        assert row["examples"] == ["order a is in 0 statuses by its events, and in flight as stored"]


async def test_stage_times_that_do_not_add_up_are_a_violation(configured: Settings) -> None:
    async with running(configured, live.Clock(START + timedelta(hours=3)), networks=House().transports) as collector:
        await collector.send(event("a", "NEW", 0), event("a", "PAID", 1), event("b", "NEW", 1))
        assert (await checked(collector))["stage_sum_equals_age"]["violations"] == 0
        await spoilt(collector, start_at=live.Clock(START + timedelta(hours=0.5))())
        row = (await checked(collector))["stage_sum_equals_age"]
        assert row["examples"] == ["order a is 9000.000000 s old, and its stages add up to 10800.000000 s"]


async def test_an_event_that_waits_for_long_to_be_sent_is_a_violation(configured: Settings) -> None:
    house = House()
    async with running(configured, networks=house.transports) as collector:
        house.systems["shop"].oldest_age_s = 59
        house.systems["crm"].oldest_age_s = 1_800
        row = (await checked(collector))["outbox_young"]
        assert row["examples"] == ["an event of crm has waited for 30 minutes to be sent; at most 1 minute is usual"]


async def test_a_system_that_does_not_answer_leaves_the_outbox_unchecked_and_hides_nothing(
    configured: Settings,
) -> None:
    networks = House().transports | {"mes": httpx.MockTransport(lambda _: httpx.Response(502))}
    async with running(configured, live.Clock(START + timedelta(hours=3)), networks=networks) as collector:
        await collector.send(event("a", "NEW", 1))
        await spoilt(collector, tail_stage=2)
        found = await checked(collector)
        assert found["outbox_young"]["violations"] is None
        assert found["outbox_young"]["reason"] == "mes answers 502 to GET /bus"
        assert found["one_current_status"]["violations"] == 1
        text = (await collector.client.get("/metrics")).text
        assert 'touchstone_invariant_violations{invariant="outbox_young"} NaN' in text


async def test_a_system_that_does_not_answer_hides_no_event_that_waits_in_another(configured: Settings) -> None:
    house = House()
    networks = house.transports | {"crm": httpx.MockTransport(lambda _: httpx.Response(502))}
    async with running(configured, networks=networks) as collector:
        for name in ("shop", "mes"):
            house.systems[name].oldest_age_s = 1_800
        assert (await checked(collector))["outbox_young"]["violations"] == 2


async def test_a_number_that_lacks_for_longer_than_messages_take_is_a_violation(configured: Settings) -> None:
    clock = live.Clock(START + timedelta(minutes=69))
    async with running(configured, clock, networks=House().transports) as collector:
        await collector.send(event("a", "NEW", 0, sequence=1), event("a", "MADE", 1, sequence=3))
        assert (await checked(collector))["no_old_gaps"]["violations"] == 0
        clock.now += timedelta(minutes=2)
        row = (await checked(collector))["no_old_gaps"]
        assert row["examples"] == ["order a: event 2 of /shop lacks, and a later one is of 2026-03-02T09:00:00.000000Z"]
        await collector.send(event("a", "PAID", 0.5, sequence=2))
        assert (await checked(collector))["no_old_gaps"]["violations"] == 0


async def test_silence_counts_in_business_hours_only(configured: Settings) -> None:
    """Nothing after 16:00 on Monday; Tuesday is closed, so the two hours are over at 10:00 on Wednesday."""
    clock = live.Clock(START + timedelta(hours=9))
    async with running(configured, clock, networks=House().transports) as collector:
        assert (await checked(collector))["no_silence"]["violations"] == 0
        await collector.send(event("a", "NEW", 8), event("a", "PAID", 40, source="/crm"))
        for later, violations in ((11, 0), (30, 0), (24 * 2 + 1.9, 0), (24 * 2 + 2.1, 1)):
            clock.now = START + timedelta(hours=later)
            assert (await checked(collector))["no_silence"]["violations"] == violations, later
        (sentence,) = (await checked(collector))["no_silence"]["examples"]
        assert sentence.startswith("/shop has said nothing since 2026-03-02T16:00:00")


async def test_a_source_that_never_spoke_is_silent_once_another_has(configured: Settings) -> None:
    """Two hours of work after the other's first event, not at once."""
    clock = live.Clock(START + timedelta(hours=2))
    async with running(configured, clock, networks=House().transports) as collector:
        await collector.send(event("a", "NEW", 2, source="/crm"))
        for later, violations in ((3.9, 0), (4.1, 1)):
            clock.now = START + timedelta(hours=later)
            await collector.send(event("a", "PAID", later, source="/crm"))
            assert (await checked(collector))["no_silence"]["violations"] == violations, later
        (sentence,) = (await checked(collector))["no_silence"]["examples"]
        assert sentence.startswith("/shop has said nothing ever, others since 2026-03-02T10:00:00")


async def test_a_source_that_falls_silent_in_the_house_of_make_up_is_a_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file of systems says how long the shop and the MES may say nothing: else their alert could never fire."""
    monkeypatch.setenv("TOUCHSTONE_OIDC_CLIENT_SECRET", "secret")
    settings = live.settings(tmp_path, promise=DEFAULT_PROMISE.read_text(encoding="utf-8"), systems=SYSTEMS)
    clock = live.Clock(START + timedelta(hours=3.9))
    async with running(settings, clock, networks=House().transports) as collector:
        assert (await checked(collector))["no_silence"]["violations"] == 0
        await collector.send(event("a", "SUBMITTED", 0), event("a", "PRICE_CALCULATED", 3, source="/mes"))
        assert (await checked(collector))["no_silence"]["violations"] == 0
        clock.now = START + timedelta(hours=4.1)
        (sentence,) = (await checked(collector))["no_silence"]["examples"]
        assert sentence.startswith("/shop has said nothing since 2026-03-02T08:00:00")
        name = 'touchstone_invariant_violations{invariant="no_silence"}'
        assert (await collector.metrics())[name] == 1


async def test_without_a_file_of_systems_the_collectors_own_invariants_are_checked(tmp_path: Path) -> None:
    async with running(live.settings(tmp_path)) as collector:
        found = await checked(collector)
        assert {name for name, row in found.items() if row["violations"] is None} == {"outbox_young", "no_silence"}


async def test_the_watch_reconciles_and_shows_the_figures(configured: Settings) -> None:
    house = House()
    house.place("a", ("NEW", 2.0), known_to=("shop", "crm"))
    house.place("b", ("NEW", 0.0), ("PAID", 1.0))
    house.systems["crm"].claim("b", "NEW", 0)
    house.place("c", ("NEW", 1.9))
    async with running(configured, live.Clock(START + timedelta(hours=3)), networks=house.transports) as collector:
        text = (await collector.client.get("/metrics")).text
        assert "touchstone_reconcile_lost NaN" in text
        await collector.service.watch.reconcile()
        gauges = await collector.metrics()
        found = [gauges[f"touchstone_reconcile_{name}"] for name in ("mismatches", "lost", "stuck", "silent_systems")]
        assert found == [1, 1, 1, 0]
        assert gauges["touchstone_reconcile_last_run_timestamp_seconds"] == (START + timedelta(hours=3)).timestamp()
