"""The desk on PostgreSQL: rows are locked, so what several processes do at once counts once."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from services.contract import ORDER_CANCEL, Status
from tests import crm
from tests.crm import SOFIA, TOMAS, Clock, running

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def database(postgres: str) -> str:
    """Make a database; the fixture is its address."""
    name = f"crm_{uuid.uuid4().hex}"
    engine = create_async_engine(f"{postgres}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return f"{postgres}/{name}"


async def test_an_order_goes_its_whole_way(tmp_path: Path, database: str) -> None:
    async with running(crm.settings(tmp_path, database=database)) as desk:
        await desk.good()
        await desk.priced("a", "900")
        assert (await desk.get("/desk"))["orders"][0]["order"] == "a"
        await desk.post("/orders/a/approval", reason="an old friend")
        await desk.walk("a", Status.MANUFACTURING_STARTED, Status.SHIPPED)
        desk.clock.pass_by(days=8)
        assert await desk.service.sweep.once() == 1
        await desk.hear()
        assert desk.said("a") == ["MANUFACTURING_APPROVED", "CLOSED"]
        order = await desk.order("a")
        assert [one["action"] for one in order["decisions"]] == ["hold", "approve", "close"]


async def test_processes_that_sweep_at_once_close_each_order_once(tmp_path: Path, database: str) -> None:
    clock = Clock()
    configured = crm.settings(tmp_path, database=database, sweep_at_once=3)
    async with running(configured, clock) as one, running(configured, clock) as two:
        orders = [f"a-{number}" for number in range(20)]
        for order in orders:
            await one.walk(order, Status.SUBMITTED, Status.SHIPPED)
        clock.now += timedelta(days=8)
        closed = await asyncio.gather(*(desk.service.sweep.once() for desk in (one, two, one, two)))
        assert sum(closed) == 20
        await one.hear()
        await two.hear()
        assert [len(one.said(order)) + len(two.said(order)) for order in orders] == [1] * 20


async def test_of_decisions_at_once_one_counts(tmp_path: Path, database: str) -> None:
    clock = Clock()
    configured = crm.settings(tmp_path, database=database)
    async with running(configured, clock) as one, running(configured, clock) as two:
        for number in range(8):
            order = f"a-{number}"
            await one.priced(order)
            data = {"reason": "changed my mind", "asked_at": clock().isoformat()}
            approved, rejected, _ = await asyncio.gather(
                one.post(f"/orders/{order}/approval", SOFIA),
                two.post(f"/orders/{order}/rejection", TOMAS, reason="no"),
                two.hear(two.command(ORDER_CANCEL, order, data)),
            )
            actions = [line["action"] for line in (await one.order(order))["decisions"]]
            deciding = [action for action in actions if action in ("approve", "reject", "cancel")]
            # An approved order may still be cancelled; nothing else follows a decision.
            assert deciding in (["approve"], ["reject"], ["cancel"], ["approve", "cancel"])
            assert (approved.status_code == 200) == ("approve" in deciding)
            assert (rejected.status_code == 200) == ("reject" in deciding)


@pytest.mark.parametrize("table", ["decisions", "standings"])
async def test_what_was_decided_cannot_be_changed_or_deleted(tmp_path: Path, database: str, table: str) -> None:
    async with running(crm.settings(tmp_path, database=database)) as desk:
        await desk.good()
        await desk.priced("a")
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET reason = ''"):
            with pytest.raises(DBAPIError, match="only grows"):
                await desk.execute(statement)
