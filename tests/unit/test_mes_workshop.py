"""The workshop: who gets which piece, what happens when somebody is absent, and that nobody sees the others' work."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from services.contract import CRM, Status
from services.mes.vendor import store
from services.mes.vendor.distribution import Operator, Piece, distribute
from tests.mes import LEAD, RING_MAKER, START, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mes import Room


def hand(key: str, *skills: str, **more: Any) -> Operator:
    """Return an operator."""
    return Operator(key, key, frozenset(skills), **more)


RING, PENDANT = "ring", "pendant"
CASES = {
    "the skill decides": ([Piece(1, PENDANT)], [hand("a", RING), hand("b", PENDANT)], {}, {1: "b"}),
    "the smaller load": ([Piece(1, RING)], [hand("a", RING), hand("b", RING)], {"a": 2, "b": 1}, {1: "b"}),
    "load is a share of capacity": (
        [Piece(1, RING)],
        [hand("a", RING, capacity=10), hand("b", RING, capacity=2)],
        {"a": 3, "b": 1},
        {1: "a"},
    ),
    "the nearest promise chooses first": (
        [Piece(1, RING, 900), Piece(2, RING, 100), Piece(3, RING)],
        [hand("a", RING, capacity=1), hand("b", RING, capacity=1)],
        {},
        {2: "a", 1: "b"},
    ),
    "loads even out": (
        [Piece(number, RING, number) for number in range(4)],
        [hand("a", RING), hand("b", RING)],
        {},
        {0: "a", 1: "b", 2: "a", 3: "b"},
    ),
    "absent hands get nothing": ([Piece(1, RING)], [hand("a", RING, at_work=False)], {}, {}),
    "full benches get nothing": ([Piece(1, RING)], [hand("a", RING, capacity=2)], {"a": 2}, {}),
    "nobody has the skill": ([Piece(1, "crown")], [hand("a", RING)], {}, {}),
    "whoever can do everything takes what others cannot": (
        [Piece(1, RING), Piece(2, "crown")],
        [hand("a", "*"), hand("b", RING, PENDANT)],
        {},
        {1: "b", 2: "a"},
    ),
    "a specialist before a generalist": (
        [Piece(1, RING)],
        [hand("a", RING, PENDANT), hand("b", RING)],
        {},
        {1: "b"},
    ),
    "no pieces": ([], [hand("a", RING)], {}, {}),
}


@pytest.mark.parametrize(("pieces", "operators", "loads", "expected"), CASES.values(), ids=CASES)
def test_pieces_go_by_skill_load_and_nearest_promise(
    pieces: list[Piece], operators: list[Operator], loads: dict[str, int], expected: dict[int, str]
) -> None:
    given = distribute(pieces, operators, loads)
    assert {piece.number: operator.id for piece, operator in given} == expected
    assert distribute(pieces[::-1], operators[::-1], loads) == given, "the order of the rows decides nothing"


async def shares(room: Room) -> dict[str, str | None]:
    """Return who has which piece."""
    return {piece["order"]: piece["operator"] for piece in (await room.get("/workshop", LEAD))["pieces"]}


async def fill(room: Room, *orders: str, product: str = RING) -> None:
    """Bring orders into the workshop; the first is promised last."""
    for number, order in enumerate(orders):
        await room.released(order, product=product, promised_at=START + timedelta(days=21 - number))


async def test_released_pieces_are_shared_out_and_listed_nearest_promise_first(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a", "b", "c", "d")
        assert await shares(room) == {"a": "ines", "b": "jonas", "c": "mara", "d": "ines"}
        work = (await room.get("/work", "ines"))["work"]
        assert [item["order"] for item in work] == ["d", "a"]
        assert work[0]["promised_at"] < work[1]["promised_at"]


async def test_an_operator_sees_only_their_own_pieces_and_no_creation_date(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a", "b")
        lists = {who: (await room.get("/work", who))["work"] for who in ("ines", "jonas", "pavel")}
        assert {who: [item["order"] for item in work] for who, work in lists.items()} == {
            "ines": ["a"],
            "jonas": ["b"],
            "pavel": [],
        }
        assert set(lists["ines"][0]) == {"order", "product", "status", "promised_at", "next"}
        page = (await room.client.get("/", headers=room.as_("ines"))).text
        assert "order a" in page
        assert "order b" not in page


async def test_steps_are_the_assigned_operators_alone_in_order_and_safe_to_repeat(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a")
        assert (await room.post("/work/a/start", "jonas")).status_code == 404
        assert (await room.post("/work/zzz/start", "ines")).status_code == 404
        refused = await room.post("/work/a/pack", "ines")
        assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
        assert "needs an order that is COMPLETED, not RELEASED" in refused.json()["detail"]
        for step, status in (
            ("start", "MANUFACTURING_STARTED"),
            ("complete", "MANUFACTURING_COMPLETED"),
            ("pack", "PACKAGING"),
            ("ship", "SHIPPED"),
        ):
            for _ in range(2):
                answer = await room.post(f"/work/a/{step}", "ines")
                assert (answer.status_code, answer.json()) == (200, {"order": "a", "status": status})
        assert (await room.post("/work/a/start", "ines")).status_code == 409
        assert (await room.post("/work/a/melt", "ines")).status_code == 400
        await room.turn()
        assert room.said("a")[2:] == [
            "MANUFACTURING_STARTED",
            "MANUFACTURING_COMPLETED",
            "PACKAGING",
            "SHIPPED",
        ]


async def test_shipped_and_withdrawn_pieces_are_out_of_the_way(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a", "b")
        for step in ("start", "complete", "pack", "ship"):
            await room.post(f"/work/a/{step}", "ines")
        await room.say(CRM, Status.CANCELLED, "b")
        await room.turn()
        assert (await room.get("/work", "ines"))["work"] == []
        assert await shares(room) == {}


async def test_unstarted_work_of_an_absent_operator_goes_to_others_and_started_work_stays(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a", "b", "c", "d")
        await room.post("/work/a/start", "ines")
        away = await room.client.put(
            "/workshop/operators/ines/presence", json={"at_work": False}, headers=room.as_(LEAD)
        )
        assert away.status_code == 204
        assert await shares(room) == {"a": "ines", "b": "jonas", "c": "mara", "d": "jonas"}
        moves = (await room.get("/workshop/pieces/d/moves", LEAD))["moves"]
        assert [(move["previous"], move["operator"], move["moved_by"], move["reason"]) for move in moves] == [
            (None, "ines", "distribution", "released"),
            ("ines", None, LEAD, "Ines Costa is absent"),
            (None, "jonas", "distribution", "Ines Costa is absent"),
        ]


async def test_work_that_nobody_present_can_do_waits_for_somebody_who_can(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        for who in ("mara", "pavel"):
            await room.client.put(
                f"/workshop/operators/{who}/presence", json={"at_work": False}, headers=room.as_(LEAD)
            )
        await fill(room, "a", product="bracelet")
        assert await shares(room) == {"a": None}
        await room.client.put("/workshop/operators/pavel/presence", json={"at_work": True}, headers=room.as_(LEAD))
        assert await shares(room) == {"a": "pavel"}


async def test_a_free_bench_is_filled_with_what_waits(tmp_path: Path) -> None:
    one = [{"id": "mara", "name": "Mara", "skills": ["*"], "capacity": 1, "lead": True}]
    async with running(tmp_path, pricing_seconds=0, operators=one) as room:
        await fill(room, "a", "b")
        assert await shares(room) == {"a": "mara", "b": None}
        for step in ("start", "complete", "pack", "ship"):
            await room.post(f"/work/a/{step}", "mara")
        assert await shares(room) == {"b": "mara"}


async def test_the_lead_gives_a_piece_to_somebody_else_and_the_reason_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a")
        body = {"operator": RING_MAKER, "reason": "knows the setting"}
        assert (await room.post("/workshop/pieces/a/assignment", LEAD, body)).status_code == 204
        assert await shares(room) == {"a": RING_MAKER}
        [_, move] = (await room.get("/workshop/pieces/a/moves", LEAD))["moves"]
        assert (move["previous"], move["operator"], move["moved_by"]) == ("ines", RING_MAKER, LEAD)
        assert move["reason"] == "knows the setting"


@pytest.mark.parametrize(
    ("order", "operator", "status", "says"),
    [
        ("a", "pavel", 409, "has not learned to make: ring"),
        ("a", "nobody", 404, "nobody in the workshop has the id"),
        ("zzz", "jonas", 404, "no order has the reference"),
        ("priced", "jonas", 409, "not in the workshop"),
    ],
)
async def test_a_reassignment_that_makes_no_sense_is_refused(
    tmp_path: Path, order: str, operator: str, status: int, says: str
) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a")
        await room.priced("priced")
        body = {"operator": operator, "reason": "because"}
        answer = await room.post(f"/workshop/pieces/{order}/assignment", LEAD, body)
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True)
        assert (await room.get("/workshop/pieces/a/moves", LEAD))["moves"][-1]["operator"] == "ines"


async def test_nothing_is_given_to_somebody_absent_by_hand_either(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await fill(room, "a")
        await room.client.put("/workshop/operators/jonas/presence", json={"at_work": False}, headers=room.as_(LEAD))
        body = {"operator": "jonas", "reason": "because"}
        answer = await room.post("/workshop/pieces/a/assignment", LEAD, body)
        assert (answer.status_code, "is absent" in answer.json()["detail"]) == (409, True)


async def test_operators_who_were_hired_keep_what_was_changed_at_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        await room.client.put("/workshop/operators/jonas/presence", json={"at_work": False}, headers=room.as_(LEAD))
    async with running(tmp_path) as room:
        present = {one["id"]: one["at_work"] for one in (await room.get("/workshop", LEAD))["operators"]}
        assert present == {"mara": True, "jonas": False, "ines": True, "pavel": True}


async def test_the_calculation_queue_is_found_by_its_index_however_many_orders_there_were(tmp_path: Path) -> None:
    """It is asked for every half second, and all other writing waits for who enters it."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's
        asked.append((statement, values))

    async with running(tmp_path) as room, room.service.database.reading() as connection:
        event.listen(connection.sync_connection, "before_cursor_execute", note)
        await store.in_calculation(connection)
        await store.first_in_queue(connection)
        await store.next_in_queue(connection)
        event.remove(connection.sync_connection, "before_cursor_execute", note)
        for statement, values in asked:
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
            assert any("vendor_orders_calculation" in row[-1] for row in plan), (statement, plan)
    assert len(asked) == 3
