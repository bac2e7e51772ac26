"""Reconciliation against the real shop, CRM and MES, signed in as a machine: what one of them lost comes back."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from sqlalchemy import text

from collectors.pollers.http import HttpPoller
from collectors.pollers.systems import HttpPoll, System
from collectors.promise.reading import DEFAULT_PROMISE
from collectors.reconciliation import run_reconcile
from services.demo.house import CLIENT, House, Pace
from services.demo.rings import Ring
from tests import live
from tests.parts import free_port
from tests.systems import systems_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from sqlalchemy.ext.asyncio import AsyncConnection

PATIENCE_S: Final = 60
SYSTEMS: Final = """
touchstone: 1
tolerance: 0s
lost_after: 0s
collector: http://127.0.0.1:1
sign_in: {{issuer: {issuer}, client_id: {client}, secret_env: MACHINE_SECRET}}
flow: [{{status: SUBMITTED, from: shop, to: [crm, mes]}}]
systems:
  - {{name: shop, source: /shop, address: {shop}, owns: [INITIATED, SUBMITTED]}}
  - {{name: crm, source: /crm, address: {crm}, owns: [MANUFACTURING_APPROVED]}}
  - {{name: mes, source: /mes, address: {mes}, owns: [PRICE_CALCULATING, PRICE_CALCULATED]}}
"""


async def placed(house: House, client: httpx.AsyncClient) -> str:
    """Place an order at the shop, and submit it."""
    shop = house.address("shop")
    login = {"email": f"{uuid.uuid4().hex}@example.org", "password": "a long enough password"}
    (await client.post(f"{shop}/accounts", json={**login, "name": "Ada Example"})).raise_for_status()
    token = (await client.post(f"{shop}/sessions", json=login)).json()["token"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "one"}
    ring = Ring(waves=12, wave_height_mm=0.3).stl()
    model = (await client.post(f"{shop}/models", headers=headers, content=ring)).json()["model"]
    answer = await client.post(f"{shop}/orders", headers=headers, json={"model": model, "product": "ring"})
    order: str = answer.json()["order"]
    (await client.post(f"{shop}/orders/{order}/submission", headers=headers, json={})).raise_for_status()
    return order


async def test_an_order_that_the_crm_lost_comes_back_by_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names it with the word of shop and MES; the repair asks both; afterwards all three agree."""
    house = House(
        tmp_path,
        {name: free_port() for name in ("shop", "crm", "mes", "issuer", "pricing")},
        pace=Pace(pricing_seconds=0.1, vendor_latency=0.0, poll_seconds=0.05, sweep_seconds=3_600),
    )
    monkeypatch.setenv("MACHINE_SECRET", house.secret)
    monkeypatch.setenv("VENDOR_KEY", house.mes.settings.key)
    addresses = {name: house.address(name) for name in ("shop", "crm", "mes")}
    written = SYSTEMS.format(issuer=house.issuer.url, client=CLIENT, **addresses)
    file = systems_file(tmp_path, written)

    async def forget(connection: AsyncConnection) -> None:
        for table, column in (("files", "order_id"), ("history", "order_id"), ("bus_inbox", "subject")):
            await connection.execute(text(f"DELETE FROM {table} WHERE {column} = :order"), {"order": order})

    async with house.open(), httpx.AsyncClient(timeout=30) as client:
        order = await placed(house, client)
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            report = await asyncio.to_thread(run_reconcile, file)
            assert report.silent == {}
            said = report.says.get(order, {})
            if [claim.status for claim in said.values()] == ["PRICE_CALCULATED"] * 3:
                break
            assert asyncio.get_running_loop().time() < until, "the order did not reach all three in time"
            await asyncio.sleep(0.2)
        assert (report.findings.lost, report.findings.mismatches) == ([], [])
        await house.crm.database.write(forget)
        report = await asyncio.to_thread(lambda: run_reconcile(file, repair=True))
        assert [(one.order, one.missing) for one in report.findings.lost] == [(order, "crm")]
        assert report.repair is not None
        assert {(one.owner, one.consumer, one.refused) for one in report.repair.asked} == {
            ("shop", "crm", None),
            ("mes", "crm", None),
        }
        assert (report.repair.repaired, report.repair.left) == (1, [])
        await _seen_without_the_bus(house, order, tmp_path)


async def _seen_without_the_bus(house: House, order: str, folder: Path) -> None:
    """Poll the vendor's own API, as a bought-in system is seen: the same order, its time to an interval."""
    fields: dict[str, Any] = {"order": "extRef", "status": "stat", "attributes": {"channel": "chn"}}
    poll = HttpPoll.model_validate(
        {
            "kind": "http",
            "url": house.address("mes") + "/v1/orders",
            "key_env": "VENDOR_KEY",
            "items": "ords",
            "fields": fields,
            "keyset": {"updated": "updTs", "number": "ordNo", "after": "after_no"},
            "statuses": {"30": "PRICE_CALCULATED"},
        }
    )
    clock = live.Clock(datetime.now(UTC))
    promise = DEFAULT_PROMISE.read_text(encoding="utf-8")
    async with live.running(live.settings(folder, promise=promise), clock) as collector:
        poller = HttpPoller(System(name="mes", source="/mes", poll=poll), poll, collector.service.collector)
        await poller.step()
        (event,) = (await collector.get(f"/orders/{order}"))["events"]
        assert (event["status"], event["moved"]) == ("PRICE_CALCULATED", True)
        assert event["uncertainty_s"] == 43_200
        await poller.close()
