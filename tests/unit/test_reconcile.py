"""Reconciliation finds what is planted, invents nothing, mends what replay can, and says why the rest is left."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from rich.console import Console

from collectors.promise.reading import load_promise
from collectors.reconciliation import print_reconciliation, run_reconcile
from collectors.reconciliation.comparing import Claim, Limit, Owed, Rules, by_order, compare
from collectors.reconciliation.limits import by_status, stage_limits
from collectors.replay import micros
from collectors.stages.eta import History
from collectors.timelines.codebook import Codebook
from instrumentation.errors import BadInput, TouchstoneError
from tests import live
from tests.systems import House, systems_file

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.reconciliation import Report

HOUR = 3_600 * 1_000_000
NOW_H = 100.0
WAY = (
    ("SUBMITTED", 0.0),
    ("PRICE_CALCULATED", 1.0),
    ("MANUFACTURING_APPROVED", 2.0),
    ("MANUFACTURING_STARTED", 3.0),
    ("PACKAGING", 4.0),
    ("SHIPPED", 5.0),
)


def clock() -> int:
    return micros(live.START + timedelta(hours=NOW_H))


def learnt(hours: float = 20.0) -> httpx.MockTransport:
    """Return a collector that has learnt how long every stage may take."""
    stages = ("price queue", "pricing", "approval", "assignment", "manufacturing", "packing queue", "packing")
    rows = [{"stage": stage, "limit_s": hours * 3_600, "basis": "P99", "orders": 500} for stage in stages]
    return httpx.MockTransport(lambda _: httpx.Response(200, content=orjson.dumps({"limits": rows})))


def reconciled(folder: Path, house: House, *, repair: bool = False, patience_s: float = 0.0) -> Report:
    transports = {**house.transports, "collector": learnt()}
    return run_reconcile(systems_file(folder), repair=repair, transports=transports, clock=clock, patience_s=patience_s)


def walked(last: int, since: float) -> tuple[tuple[str, float], ...]:
    """Return the way of an order up to its step ``last``, reached ``since`` hours before now."""
    begin = NOW_H - since - WAY[last][1]
    return tuple((status, begin + hours) for status, hours in WAY[: last + 1])


def test_of_5000_orders_all_planted_trouble_is_found_none_invented_and_what_replay_can_mend_mended(
    tmp_path: Path,
) -> None:
    """50 mismatches, 20 lost and 20 stuck; among the rest, orders in transit within the tolerance."""
    house, chance = House(), live.mixer(3)
    names = [f"o{number:05}" for number in range(5_000)]
    chance.shuffle(names)
    mismatched, lost, stuck, transit = names[:50], names[50:70], names[70:90], names[90:300]
    for number, name in enumerate(names[300:]):
        house.place(name, *walked(number % 6, chance.uniform(0.5, 19)))
    for number, name in enumerate(mismatched):
        behind = ("shop", "crm", "mes")[number % 3]
        last = 2 if behind == "mes" else 3 if number % 2 else 1
        house.place(name, *walked(last, chance.uniform(0.3, 19)))
        house.systems[behind].claim(name, *walked(last, 0.0)[last - 1][:1], NOW_H - 30)
    for number, name in enumerate(lost):
        missing = ("crm", "mes")[number % 2]
        known = tuple(one for one in ("shop", "crm", "mes") if one != missing)
        house.place(name, *walked(0, chance.uniform(0.6, 19)), known_to=known)
    for number, name in enumerate(stuck):
        house.place(name, *walked(number % 5, chance.uniform(20.1, 90)))
    for number, name in enumerate(transit):
        if number % 2:
            house.place(name, *walked(1, chance.uniform(0, 0.24)))
            house.systems["crm"].claim(name, "SUBMITTED", NOW_H - 5)
        else:
            house.place(name, *walked(0, chance.uniform(0, 0.49)), known_to=("shop", "crm"))
    report = reconciled(tmp_path, house, repair=True)
    assert {one.order for one in report.findings.mismatches} == set(mismatched)
    assert {(one.order) for one in report.findings.lost} == set(lost)
    assert {one.order for one in report.findings.stuck} == set(stuck)
    assert report.document()["counts"] == {"mismatches": 50, "lost": 20, "stuck": 20}
    assert report.orders["shop"] == 5_000
    assert report.repair is not None
    assert report.repair.repaired == 70
    assert {left.order for left in report.repair.left} == set(stuck)
    assert {order for _, _, order in house.asked} == {*mismatched, *lost}


def test_each_finding_says_who_claims_what_and_who_is_right(tmp_path: Path) -> None:
    house = House()
    house.place("a", *walked(2, 10))
    house.systems["mes"].claim("a", "PRICE_CALCULATED", 80)
    house.place("b", *walked(0, 2), known_to=("shop", "mes"))
    house.place("c", *walked(3, 50))
    report = reconciled(tmp_path, house)
    (mismatch,), (lost,), (stuck,) = (report.document()[kind] for kind in ("mismatches", "lost", "stuck"))
    assert mismatch["sentence"] == (
        "order a: shop says MANUFACTURING_APPROVED since 2026-03-06 02:00, crm says MANUFACTURING_APPROVED since "
        "2026-03-06 02:00 and mes says PRICE_CALCULATED since 2026-03-05 16:00; crm decides MANUFACTURING_APPROVED, "
        "so it is right"
    )
    assert (mismatch["right"], mismatch["lagging"]) == ("crm", ["mes"])
    assert lost["sentence"] == (
        "order b: shop says SUBMITTED since 2026-03-06 10:00; crm does not know it, though it should since "
        "2026-03-06 10:00"
    )
    assert stuck["sentence"] == (
        "order c: MANUFACTURING_STARTED since 2026-03-04 10:00, 2.1 days in manufacturing; 99 of 100 orders leave it "
        "within 20 hours"
    )
    assert [row["orders"] for row in report.document()["systems"]] == [2, 3, 3]


def test_what_replay_cannot_mend_is_said_with_its_reason(tmp_path: Path) -> None:
    house = House()
    house.systems["crm"].deaf = True
    house.systems["crm"].letters["deaf"] = "ValueError: no price"
    house.place("slow", *walked(1, 5))
    house.systems["crm"].claim("slow", "SUBMITTED", 50)
    house.place("deaf", *walked(1, 5))
    house.systems["crm"].claim("deaf", "SUBMITTED", 50)
    # The shop has heard from the workshop what the workshop itself does not say.
    house.place("denied", *walked(3, 5))
    house.systems["mes"].claim("denied", "MANUFACTURING_APPROVED", 50)
    # The owner has no record of what it decided.
    house.place("blank", *walked(2, 5))
    house.systems["shop"].claim("blank", "PRICE_CALCULATED", 50)
    house.history["blank"] = []
    report = reconciled(tmp_path, house, repair=True)
    assert report.repair is not None
    assert report.repair.repaired == 0
    why = {left.order: left.why for left in report.repair.left}
    assert why["deaf"] == "it lies among crm's dead letters: ValueError: no price"
    assert "crm has not taken it in yet" in why["slow"]
    assert "does not say so" in why["denied"]
    assert "no record" in why["blank"]
    # Nobody is asked to replay what nobody stands for.
    assert "denied" not in {order for _, _, order in house.asked}


def test_a_repair_that_takes_a_while_is_waited_for(tmp_path: Path) -> None:
    house = House()
    house.place("a", *walked(1, 5))
    house.systems["crm"].claim("a", "SUBMITTED", 50)
    tell = house.tell

    def late(consumer: str, owner: str, order: str) -> int:
        asyncio.get_running_loop().call_later(0.3, tell, consumer, owner, order)
        return 1

    house.tell = late  # type: ignore[method-assign] # a slow system
    report = reconciled(tmp_path, house, repair=True, patience_s=10)
    assert report.repair is not None
    assert (report.repair.repaired, report.repair.left) == (1, [])


def test_a_system_that_does_not_answer_is_named_and_makes_no_order_lost(tmp_path: Path) -> None:
    house = House()
    house.place("a", *walked(1, 5))
    house.systems["mes"].refuses = "the database is away"
    report = reconciled(tmp_path, house)
    assert report.silent == {"mes": "answers 503 to GET /statuses: the database is away"}
    assert report.findings.names() == set()
    assert not report.clean


def test_orders_that_move_while_systems_are_read_are_no_findings(tmp_path: Path) -> None:
    """Reading a large system may take longer than the tolerance: what it then lacks may have come meanwhile."""
    house, now = House(), clock()
    house.place("moved", *walked(1, 0))
    house.systems["shop"].claim("moved", "SUBMITTED", NOW_H - 1)
    house.place("new", *walked(1, 0), known_to=("crm", "mes"))
    whole = house.transports["shop"]

    class Slow(httpx.AsyncBaseTransport):
        """The shop was read first; the others tell what happened in the two hours after that."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal now
            now += 2 * HOUR
            return await whole.handle_async_request(request)

    transports = {**house.transports, "shop": Slow(), "collector": learnt()}
    report = run_reconcile(systems_file(tmp_path), transports=transports, clock=lambda: now)
    assert now > clock()
    assert report.findings.names() == set()


def test_a_system_that_falls_silent_during_the_repair_was_not_mended(tmp_path: Path) -> None:
    house = House()
    house.place("a", *walked(1, 5))
    house.systems["crm"].claim("a", "SUBMITTED", 50)
    house.place("b", *walked(0, 2), known_to=("shop", "mes"))

    def tell(consumer: str, owner: str, order: str) -> int:  # noqa: ARG001 - named as the house calls it
        house.systems[consumer].refuses = "the database is away"
        return 1

    house.tell = tell  # type: ignore[method-assign] # a system that dies of what it is told
    report = reconciled(tmp_path, house, repair=True)
    assert report.repair is not None
    assert report.repair.repaired == 0
    assert {left.order: left.why for left in report.repair.left} == dict.fromkeys(
        ("a", "b"), "replayed, and now crm answers 503 to GET /statuses: the database is away"
    )


@pytest.mark.parametrize("count", [None, "many", [1]])
def test_a_replay_that_is_not_counted_is_said(tmp_path: Path, count: object) -> None:
    house = House()
    house.place("a", *walked(1, 5))
    house.systems["crm"].claim("a", "SUBMITTED", 50)
    house.tell = lambda *_: 0  # type: ignore[method-assign] # nobody is told
    whole = house.transports["mes"]

    class Odd(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                return httpx.Response(200, json={"replayed": count}, request=request)
            return await whole.handle_async_request(request)

    transports = {**house.transports, "mes": Odd(), "collector": learnt()}
    report = run_reconcile(systems_file(tmp_path), repair=True, transports=transports, clock=clock, patience_s=0)
    assert report.repair is not None
    assert "how many events" in report.repair.left[0].why


def test_a_system_whose_pages_lead_in_a_circle_is_left_out(tmp_path: Path) -> None:
    circle = httpx.MockTransport(lambda _: httpx.Response(200, json={"orders": [], "next": "a"}))
    transports = {**House().transports, "mes": circle, "collector": learnt()}
    report = run_reconcile(systems_file(tmp_path), transports=transports, clock=clock)
    assert "next one of itself" in report.silent["mes"]


@pytest.mark.parametrize("limits", [[3], [{"stage": "pricing"}], 7, [{"stage": "pricing", "limit_s": "x"}]])
def test_a_collector_that_answers_nonsense_leaves_the_budgets(tmp_path: Path, limits: object) -> None:
    odd = httpx.MockTransport(lambda _: httpx.Response(200, json={"limits": limits}))
    report = run_reconcile(systems_file(tmp_path), transports={**House().transports, "collector": odd}, clock=clock)
    assert len(report.notes) == 1


def test_a_refused_replay_is_a_reason(tmp_path: Path) -> None:
    house = House()
    house.place("a", *walked(1, 5))
    house.systems["crm"].claim("a", "SUBMITTED", 50)
    transports = dict(house.transports)
    whole = transports["mes"]

    class Refusing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                return httpx.Response(403, json={"detail": "not for you"}, request=request)
            return await whole.handle_async_request(request)

    transports |= {"mes": Refusing(), "collector": learnt()}
    report = run_reconcile(systems_file(tmp_path), repair=True, transports=transports, clock=clock, patience_s=0)
    assert report.repair is not None
    assert [left.why for left in report.repair.left] == ["mes answers 403 to POST /replay: not for you"]


def test_without_the_collector_stuck_is_judged_by_budgets_and_that_is_said(tmp_path: Path) -> None:
    house = House()
    house.place("a", *walked(1, 4 * 24 - 1))  # approval has three days
    house.place("b", *walked(1, 2 * 24))
    away = httpx.MockTransport(lambda _: httpx.Response(503))
    transports = {**house.transports, "collector": away}
    report = run_reconcile(systems_file(tmp_path), transports=transports, clock=clock)
    assert [(one.order, one.limit.basis) for one in report.findings.stuck] == [("a", "budget")]
    assert len(report.notes) == 1


def test_the_terminal_shows_every_kind_and_the_repair(tmp_path: Path) -> None:
    house = House()
    house.place("a", *walked(2, 10))
    house.systems["mes"].claim("a", "PRICE_CALCULATED", 80)
    house.place("b", *walked(0, 2), known_to=("shop", "mes"))
    house.place("c\x1b[31m", *walked(3, 50))
    shown = io.StringIO()
    print_reconciliation(reconciled(tmp_path, house, repair=True), Console(file=shown, width=200))
    text = shown.getvalue()
    for expected in ("Mismatches: 1", "Lost: 1", "Stuck: 1", "crm -> mes: 1 order", "2 findings mended, 1 left"):
        assert expected in text
    assert "\x1b[31m" not in text
    empty = io.StringIO()
    print_reconciliation(reconciled(tmp_path, House()), Console(file=empty, width=200))
    assert "agree on every order" in empty.getvalue()


def test_a_reconciliation_that_nobody_answers_is_a_failed_job(tmp_path: Path) -> None:
    away = httpx.MockTransport(lambda _: httpx.Response(503))
    transports = dict.fromkeys(("shop", "crm", "mes", "collector"), away)
    with pytest.raises(TouchstoneError, match="no system could be asked: shop answers 503") as caught:
        run_reconcile(systems_file(tmp_path), transports=transports, clock=clock)
    assert caught.value.exit_code == 1


def test_a_file_without_addresses_leaves_nobody_to_ask(tmp_path: Path) -> None:
    file = systems_file(tmp_path, "touchstone: 1\nsystems: [{name: a, source: /a}]")
    with pytest.raises(BadInput, match="nobody to ask"):
        run_reconcile(file)


def test_a_status_that_the_promise_does_not_know_is_said(tmp_path: Path) -> None:
    text = "touchstone: 1\nsystems: [{name: a, source: /a, address: http://a, owns: [SHIPED]}]"
    with pytest.raises(BadInput, match="did you mean `SHIPPED`"):
        run_reconcile(systems_file(tmp_path, text))


def _rules(**changed: Any) -> Rules:
    rank = {"A": 0.0, "B": 1.0, "C": 2.0}
    given = {
        "rank": rank,
        "owner": {"A": "x", "B": "y", "C": "y"},
        "cancelling": frozenset({"V"}),
        "owed": (Owed(1.0, "x", "y"),),
        "limits": {},
        "tolerance_us": HOUR,
        "lost_after_us": HOUR,
    }
    return Rules(**{**given, **changed})


def _names(x: list[Claim], y: list[Claim], now: int, **changed: Any) -> set[tuple[str, ...]]:
    lists = {"x": x, "y": y}
    return compare(by_order(lists), lists, _rules(**changed), now).names()


def test_a_difference_counts_once_the_newer_claim_is_older_than_the_tolerance() -> None:
    x, y = [Claim("o", "A", 0)], [Claim("o", "B", 5 * HOUR)]
    assert _names(x, y, 6 * HOUR) == set()
    assert _names(x, y, 6 * HOUR + 1) == {("mismatch", "o")}


def test_of_two_claims_at_one_moment_the_higher_rank_is_right() -> None:
    lists = {"x": [Claim("o", "A", 0)], "y": [Claim("o", "B", 0)]}
    (found,) = compare(by_order(lists), lists, _rules(), 9 * HOUR).mismatches
    assert (found.right, found.lagging) == ("y", ("x",))


def test_an_order_is_lost_only_from_the_status_that_is_owed_on_and_once_its_time_is_up() -> None:
    assert _names([Claim("o", "A", 0)], [], 9 * HOUR) == set()
    assert _names([Claim("o", "B", 0)], [], HOUR) == set()
    assert _names([Claim("o", "B", 0)], [], HOUR + 1) == {("lost", "o", "y")}
    assert _names([Claim("o", "V", 0)], [], 9 * HOUR) == set()


def test_an_order_is_stuck_only_beyond_the_limit_of_its_newest_status() -> None:
    limits = {"B": Limit("middle", 3 * HOUR, "P99", 100)}
    both = [Claim("o", "B", 0)]
    assert _names(both, both, 3 * HOUR, limits=limits) == set()
    assert _names(both, both, 3 * HOUR + 1, limits=limits) == {("stuck", "o")}
    ended = [Claim("o", "C", 0)]
    assert _names(ended, ended, 90 * HOUR, limits=limits) == set()


async def test_limits_are_the_p99_of_ended_orders_where_enough_have_ended_else_the_budget(tmp_path: Path) -> None:
    clock = live.Clock(live.START + timedelta(days=9))
    async with live.running(live.settings(tmp_path), clock) as collector:
        for number in range(101):
            await collector.send(*live.whole_order(f"o{number}", step=(number + 1) / 100))
        limits = (await collector.get("/limits"))["limits"]
    by_stage = {row["stage"]: row for row in limits}
    assert by_stage["payment"] == {"stage": "payment", "limit_s": 3_600.0, "basis": "P99", "orders": 101}
    assert "customer" not in by_stage


def test_no_status_after_the_end_or_cancelled_has_a_limit_and_working_budgets_are_none(tmp_path: Path) -> None:
    text = live.PROMISE.replace("kind: work, budget: 2h", "kind: work, budget: 2h, working: true")
    path = tmp_path / "promise.yaml"
    path.write_text(text + "calendar: {hours: 09:00-12:00}\n", encoding="utf-8")
    book = Codebook(load_promise(path))
    found = by_status(book, stage_limits(book, History(book)))
    assert {status: limit.basis for status, limit in found.items()} == {"NEW": "budget", "PAID": "budget"}
