"""The desk at work: what it decides by rule, what people decide, and what the world hears of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.bus import Message, Refusal
from services.contract import ORDER_ANSWERED, ORDER_CANCEL, ORDER_REQUOTE, STATUS_CHANGED, Status
from services.crm.handlers import COMMANDS, EVENTS, bound
from services.crm.model import Unheard
from tests import crm
from tests.crm import FACTS, START, TOMAS, Desk, running

if TYPE_CHECKING:
    from pathlib import Path

APPROVED = "approved automatically: 412.50 EUR is within 800 EUR for customers in good standing"


async def whole(desk: Desk) -> dict[str, Any]:
    """Return everything that the desk's own tables hold."""
    async with desk.service.database.reading() as connection:
        return {
            table: [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3"))]
            for table in ("files", "history", "decisions", "dialogue", "standings", "bus_outbox")
        }


async def cancel(desk: Desk, order: str, reason: str = "changed my mind") -> None:
    data = {"reason": reason, "asked_at": desk.clock().isoformat()}
    await desk.hear(desk.command(ORDER_CANCEL, order, data))


async def answer(desk: Desk, order: str, said: str = "yes, please", model: str | None = None) -> None:
    data = {"answer": said, "answered_at": desk.clock().isoformat()} | ({"model": model} if model else {})
    await desk.hear(desk.command(ORDER_ANSWERED, order, data))


async def test_a_good_customers_order_is_approved_by_rule_and_the_world_hears_it(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a")
        (event,) = [message for message in desk.sent if message.subject == "a"]
        assert event.data == {
            "status": "MANUFACTURING_APPROVED",
            "previous": "PRICE_CALCULATED",
            "order": FACTS.document(),
            "price": {"amount": "412.50", "currency": "EUR"},
            "reason": APPROVED,
            "by": "rule",
        }
        assert (event.source, event.sequence) == ("/crm", 1)
        order = await desk.order("a")
        assert (order["status"], order["tray"], order["may"]) == ("MANUFACTURING_APPROVED", "approved", ["cancel"])
        (decision,) = order["decisions"]
        assert (decision["action"], decision["automatic"], decision["reason"]) == ("approve", True, APPROVED)
        assert (await desk.get("/desk"))["waiting"] == 0


async def test_a_new_customers_order_lies_on_the_desk_with_the_reason(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        (line,) = (await desk.get("/desk"))["orders"]
        assert (line["order"], line["why"]) == ("a", "on the desk: the customer is new")
        assert desk.said("a") == []
        (decision,) = (await desk.order("a"))["decisions"]
        assert (decision["action"], decision["by"], decision["price"]) == (
            "hold",
            "rule",
            {"amount": "412.50", "currency": "EUR"},
        )


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("approval", {}, "MANUFACTURING_APPROVED"),
        ("approval", {"reason": "an old friend"}, "MANUFACTURING_APPROVED"),
        ("rejection", {"reason": "no such alloy"}, "REJECTED"),
        ("question", {"question": "May it be thicker?"}, "AWAITING_CUSTOMER"),
        ("cancellation", {"reason": "a double order"}, "CANCELLED"),
    ],
)
async def test_a_manager_decides_whatever_the_rules_say(
    tmp_path: Path, what: str, body: dict[str, str], status: str
) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a", "99999")
        desk.clock.pass_by(hours=2)
        done = await desk.post(f"/orders/a/{what}", **body)
        assert done.status_code == 200, done.text
        assert done.json()["status"] == status
        (event,) = [message for message in desk.sent if message.subject == "a"] or await _sent(desk, "a")
        assert (event.data["status"], event.data["by"]) == (status, "Sofia Marin")
        assert event.data["reason"] == (next(iter(body.values())) if body else "approved by hand")
        decision = done.json()["decisions"][-1]
        assert (decision["by"], decision["automatic"]) == ("Sofia Marin", False)


async def _sent(desk: Desk, order: str) -> list[Message]:
    await desk.hear()
    return [message for message in desk.sent if message.subject == order]


async def test_the_same_decision_again_by_the_same_person_changes_nothing(tmp_path: Path) -> None:
    bodies: dict[str, dict[str, str]] = {
        "approval": {},
        "rejection": {"reason": "no"},
        "question": {"question": "why?"},
        "cancellation": {"reason": "no"},
    }
    async with running(crm.settings(tmp_path)) as desk:
        for what, body in bodies.items():
            await desk.priced(what)
            first = await desk.post(f"/orders/{what}/{what}", **body)
            desk.clock.pass_by(minutes=1)
            again = await desk.post(f"/orders/{what}/{what}", **body)
            assert (again.status_code, again.json()) == (200, first.json())
            other = await desk.post(f"/orders/{what}/{what}", TOMAS, **body)
            assert other.status_code == 409


async def test_another_question_is_refused_until_the_first_is_answered(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        await desk.post("/orders/a/question", question="why?")
        refused = await desk.post("/orders/a/question", question="and how?")
        assert refused.status_code == 409
        assert "the customer was asked" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("after", "what", "says"),
    [
        ([], "approval", "its price is not known yet"),
        ([], "question", "its price is not known yet"),
        ([Status.MANUFACTURING_STARTED], "cancellation", "manufacturing has started"),
        ([Status.MANUFACTURING_STARTED], "rejection", "manufacturing has started"),
        ([Status.MANUFACTURING_STARTED], "closing", "manufacturing has started"),
        ([Status.SHIPPED], "approval", "it is shipped"),
        ([Status.PRICE_FAILED], "approval", "no price to approve"),
    ],
)
async def test_what_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, after: list[Status], what: str, says: str
) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.walk("a", Status.SUBMITTED, *after)
        refused = await desk.post(f"/orders/a/{what}", reason="so", question="so?")
        assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
        assert says in refused.json()["detail"]
        assert desk.said("a") == []


async def test_an_approved_order_can_be_cancelled_until_the_workshop_begins(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a")
        assert (await desk.post("/orders/a/rejection", reason="no")).status_code == 409
        assert (await desk.post("/orders/a/cancellation", reason="fraud")).status_code == 200
        assert (await desk.order("a"))["status"] == "CANCELLED"


async def test_question_answer_and_quote_again_bring_the_order_back_to_the_desk(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a", "900")
        await desk.post("/orders/a/question", question="May it be thicker?")
        assert (await desk.get("/desk"))["waiting"] == 0
        desk.clock.pass_by(days=3)
        await answer(desk, "a", "Yes.", "f" * 64)
        (requote,) = [message for message in desk.sent if message.type == ORDER_REQUOTE]
        assert (requote.subject, requote.data) == ("a", {"model": "f" * 64})
        order = await desk.order("a")
        assert (order["question"], order["status"]) == ("answered", "AWAITING_CUSTOMER")
        await desk.priced("a", "100")
        # A rule would approve it now, but somebody asked, and must read the answer.
        (line,) = (await desk.get("/desk"))["orders"]
        assert (line["why"], line["question"]) == ("on the desk: the customer has answered", "answered")
        order = await desk.order("a")
        said = [(one["kind"], one["by"], one["said"], one["model"]) for one in order["dialogue"]]
        assert said == [
            ("question", "Sofia Marin", "May it be thicker?", None),
            ("answer", "Ada Byron", "Yes.", "f" * 64),
        ]
        await desk.post("/orders/a/approval")
        await desk.hear()
        assert desk.said("a") == ["AWAITING_CUSTOMER", "MANUFACTURING_APPROVED"]


async def test_the_customers_turn_puts_the_promise_off(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        await desk.post("/orders/a/question", question="why?")
        assert (await desk.order("a"))["asked_at"] == "2026-03-02T08:00:00Z"
        desk.clock.pass_by(days=3)
        await answer(desk, "a")
        desk.clock.pass_by(hours=1)
        await desk.priced("a")
        order = await desk.order("a")
        assert order["promised_at"] == "2026-03-23T08:00:00Z"
        assert order["due_at"] == "2026-03-26T09:00:00Z"
        assert order["asked_at"] is None


async def test_an_answer_that_comes_too_late_is_on_record(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        await desk.post("/orders/a/question", question="why?")
        await desk.post("/orders/a/approval")
        await answer(desk, "a")
        order = await desk.order("a")
        assert order["decisions"][-1]["reason"] == "the customer's answer came too late: it is approved"
        assert [one["kind"] for one in order["dialogue"]] == ["question", "answer"]
        assert [message for message in desk.sent if message.type == ORDER_REQUOTE] == []


async def test_a_customer_cancels_before_the_workshop_begins(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        await cancel(desk, "a")
        await cancel(desk, "a")
        order = await desk.order("a")
        assert (order["status"], order["why"]) == ("CANCELLED", "changed my mind")
        assert desk.said("a") == ["CANCELLED"]
        assert order["decisions"][-1]["reason"] == "the customer's cancellation came too late: it is cancelled"


async def test_a_cancellation_after_the_workshop_began_changes_nothing_and_is_on_record(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a")
        await desk.walk("a", Status.MANUFACTURING_STARTED)
        await cancel(desk, "a")
        order = await desk.order("a")
        assert order["status"] == "MANUFACTURING_STARTED"
        assert order["decisions"][-1]["action"] == "decline"
        assert desk.said("a") == ["MANUFACTURING_APPROVED"]


async def test_a_cancellation_that_overtakes_the_order_counts_when_the_order_comes(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await cancel(desk, "a")
        assert (await desk.get("/orders"))["orders"] == []
        await desk.walk("a", Status.INITIATED)
        assert (await desk.order("a"))["tray"] == "cancelled"
        assert desk.said("a") == ["CANCELLED"]


async def test_an_ended_order_that_is_priced_meanwhile_ends_again_for_all(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.walk("a", Status.INITIATED, Status.SUBMITTED, Status.PRICE_CALCULATING)
        await cancel(desk, "a")
        desk.clock.pass_by(minutes=1)
        await desk.priced("a")
        order = await desk.order("a")
        assert (order["status"], order["tray"]) == ("CANCELLED", "cancelled")
        assert desk.said("a") == ["CANCELLED", "CANCELLED"]
        assert order["decisions"][-1]["action"] == "repeat"


async def test_a_cancellation_loses_against_a_workshop_that_goes_on(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a")
        started = desk.event("a", Status.MANUFACTURING_STARTED, at=START + timedelta(minutes=1))
        desk.clock.pass_by(minutes=2)
        await cancel(desk, "a")
        await desk.hear(started)
        # The others believe the later word, so there is another: nobody reads `cancelled` of what is being made.
        order = await desk.order("a")
        assert (order["status"], order["tray"]) == ("MANUFACTURING_APPROVED", "making")
        assert desk.said("a") == ["MANUFACTURING_APPROVED", "CANCELLED", "MANUFACTURING_APPROVED"]
        await desk.walk("a", Status.MANUFACTURING_COMPLETED, Status.PACKAGING, Status.SHIPPED)
        order = await desk.order("a")
        assert (order["status"], order["tray"], order["may"]) == ("SHIPPED", "shipped", ["close"])
        assert [one["action"] for one in order["decisions"]] == ["approve", "cancel", "resume"]


async def test_a_price_that_failed_comes_to_the_desk_and_can_be_asked_about(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.walk("a", Status.SUBMITTED, Status.PRICE_CALCULATING)
        await desk.hear(desk.event("a", Status.PRICE_FAILED, reason="the mesh is open"))
        (line,) = (await desk.get("/desk"))["orders"]
        assert line["why"] == "on the desk: the price could not be calculated (the mesh is open)"
        assert (await desk.post("/orders/a/question", question="Send a closed mesh, please.")).status_code == 200


async def test_a_new_price_needs_a_new_decision(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a")
        desk.clock.pass_by(hours=1)
        await desk.priced("a", "5000")
        assert (await desk.get("/desk"))["orders"][0]["order"] == "a"
        assert (await desk.order("a"))["status"] == "PRICE_CALCULATED"


async def test_a_price_may_be_heard_of_before_the_order(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        submitted = desk.event("a", Status.SUBMITTED)
        desk.clock.pass_by(minutes=1)
        await desk.hear(
            desk.event(
                "a",
                Status.PRICE_CALCULATED,
                price={"amount": "412.50", "currency": "EUR"},
                valid_until=START + timedelta(days=9),
            )
        )
        assert (await desk.order("a"))["status"] == "MANUFACTURING_APPROVED"
        await desk.hear(submitted)
        order = await desk.order("a")
        assert order["status"] == "MANUFACTURING_APPROVED"
        assert [line["status"] for line in order["history"]] == [
            "SUBMITTED",
            "PRICE_CALCULATED",
            "MANUFACTURING_APPROVED",
        ]


async def test_only_the_owner_of_a_status_moves_an_order(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        wrong = desk.event("a", Status.INITIATED, at=START + timedelta(days=1))
        wrong.data["status"] = "SHIPPED"
        await desk.hear(wrong)
        order = await desk.order("a")
        assert (order["status"], order["tray"]) == ("PRICE_CALCULATED", "waiting")
        assert "SHIPPED" in [line["status"] for line in order["history"]]


async def test_the_sweep_closes_shipped_orders_once_and_only_when_due(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path, close_after="P2D", sweep_at_once=2)) as desk:
        for order in ("a", "b", "c"):
            await desk.walk(order, Status.SUBMITTED, Status.SHIPPED)
        shipped = desk.clock()
        desk.clock.now = shipped + timedelta(days=2) - timedelta(microseconds=1)
        assert await desk.service.sweep.once() == 2
        desk.clock.now = shipped + timedelta(days=2)
        assert await desk.service.sweep.once() == 1
        assert await desk.service.sweep.once() == 0
        await desk.hear()
        assert [desk.said(order) for order in ("a", "b", "c")] == [["CLOSED"]] * 3
        order = await desk.order("c")
        assert order["decisions"][-1]["reason"] == "closed automatically: shipped 2.0 days ago"
        assert order["close_at"] is None


async def test_a_manager_may_close_a_shipped_order_at_once(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.walk("a", Status.SUBMITTED, Status.SHIPPED)
        assert (await desk.post("/orders/a/closing")).json()["status"] == "CLOSED"
        desk.clock.pass_by(days=30)
        assert await desk.service.sweep.once() == 0


@pytest.mark.parametrize("message_type", [*EVENTS, *COMMANDS])
@pytest.mark.parametrize("standing", ["good", "new"])
async def test_a_handler_that_runs_twice_leaves_what_it_left_once(
    tmp_path: Path, message_type: str, standing: str
) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good(standing=standing)
        messages = [desk.event("a", Status.SUBMITTED)]
        messages += [desk.event("a", status) for status in (Status.PRICE_CALCULATING, Status.PRICE_FAILED)]
        price = {"amount": "412.50", "currency": "EUR"}
        messages.append(desk.event("a", Status.PRICE_CALCULATED, price=price, valid_until=START + timedelta(days=1)))
        if message_type != STATUS_CHANGED:
            await desk.hear(*messages)
            if standing == "new":
                await desk.post("/orders/a/question", question="why?")
            data = {"answer": "so", "answered_at": START, "reason": "so", "asked_at": START}
            messages = [desk.command(message_type, "a", {key: str(value) for key, value in data.items()})]
        else:
            made = (Status.MANUFACTURING_STARTED, Status.SHIPPED)
            messages += [desk.event("a", status, at=START + timedelta(hours=1)) for status in made]
        handler = (bound(desk.service.desk, EVENTS) | bound(desk.service.desk, COMMANDS))[message_type]
        for message in messages:
            await desk.handle(handler, message)
            once = await whole(desk)
            await desk.handle(handler, message)
            assert await whole(desk) == once


async def test_a_message_that_cannot_be_used_is_refused_with_the_field(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        bad = desk.event("a", Status.SUBMITTED)
        bad.data["status"] = "LOST"
        handler = bound(desk.service.desk, EVENTS)[STATUS_CHANGED]
        with pytest.raises(Refusal, match="`status`"):
            await desk.handle(handler, bad)


async def test_an_answer_about_an_order_never_heard_of_is_tried_again_later(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        data = {"answer": "so", "answered_at": START.isoformat()}
        message = desk.command(ORDER_ANSWERED, "a", data)
        handler = bound(desk.service.desk, COMMANDS)[ORDER_ANSWERED]
        with pytest.raises(Unheard, match="`a`"):
            await desk.handle(handler, message)


@pytest.mark.parametrize("table", ["decisions", "standings"])
async def test_what_was_decided_cannot_be_changed_or_deleted(tmp_path: Path, table: str) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.good()
        await desk.priced("a")
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET reason = ''"):
            with pytest.raises(DBAPIError, match="only grows"):
                await desk.execute(statement)


async def test_an_order_sent_off_after_the_desk_cancelled_it_is_cancelled_again(tmp_path: Path) -> None:
    """The shop had not heard of it yet: without a later word everybody would believe SUBMITTED for good."""
    async with running(crm.settings(tmp_path)) as desk:
        await desk.walk("a", Status.INITIATED)
        await desk.post("/orders/a/cancellation", reason="fraud")
        await desk.walk("a", Status.SUBMITTED)
        order = await desk.order("a")
        assert (order["tray"], order["status"]) == ("cancelled", "CANCELLED")
        assert desk.said("a") == ["CANCELLED", "CANCELLED"]
        assert "sent off meanwhile" in order["decisions"][-1]["reason"]


async def test_the_model_of_an_answer_is_the_orders_from_then_on(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        await desk.priced("a")
        await desk.post("/orders/a/question", question="Thicker?")
        await answer(desk, "a", "Here it is.", "f" * 64)
        assert (await desk.order("a"))["facts"]["model"] == "f" * 64
        await desk.priced("a")
        await desk.post("/orders/a/approval")
        await desk.hear()
        said = [message.data["order"].get("model") for message in desk.sent if message.type == STATUS_CHANGED]
        assert said == [None, "f" * 64]


@pytest.mark.parametrize("good", [True, False])
async def test_a_decision_is_not_before_what_it_is_about_though_the_workshops_clock_is_ahead(
    tmp_path: Path,
    good: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        if good:
            await desk.good()
        ahead = desk.clock() + timedelta(minutes=5)
        await desk.walk("a", Status.SUBMITTED)
        desk.clock.pass_by(hours=-1)
        price = {"amount": "100", "currency": "EUR"}
        until = desk.clock() + timedelta(days=9)
        await desk.hear(
            desk.event("a", Status.PRICE_CALCULATED, at=ahead + timedelta(hours=1), price=price, valid_until=until)
        )
        if not good:
            await desk.post("/orders/a/approval")
        assert (await desk.order("a"))["status"] == "MANUFACTURING_APPROVED"


async def test_a_clock_that_was_set_back_does_not_hold_its_own_later_statuses_up(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        at = desk.clock()
        await desk.hear(desk.event("a", Status.INITIATED, at=at))
        await desk.hear(desk.event("a", Status.SUBMITTED, at=at - timedelta(minutes=1)))
        order = await desk.order("a")
        assert (order["status"], order["since"]) == ("SUBMITTED", "2026-03-02T08:00:00Z")


async def test_a_moment_without_a_zone_is_refused_with_its_field(tmp_path: Path) -> None:
    async with running(crm.settings(tmp_path)) as desk:
        event = desk.event("a", Status.INITIATED)
        event.data["order"]["promised_at"] = "2026-03-23T08:00:00"
        await desk.hear(event)
        assert desk.service.bus.received.died == 1
