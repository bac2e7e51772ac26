"""A price that comes with an order: the vendor takes it, and calculates nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.mes import ORDER, START, running
from tests.unit.test_mes_pricing import CALCULATED, CALCULATING, vendor_order

if TYPE_CHECKING:
    from pathlib import Path

GIVEN: Final[dict[str, dict[str, Any]]] = {
    "v1": {"prcExt": "412.50", "curExt": "EUR", "prcExtValTs": 1_774_252_800_000},
    "v2": {"price": {"amount": "412.50", "currency": "EUR"}, "valid_until": "2026-03-23T08:00:00Z"},
}
ORDERS: Final[dict[str, dict[str, Any]]] = {
    "v1": {"extRef": ORDER, "prodCd": "ring", "chn": "shop"},
    "v2": {"id": ORDER, "product": "ring", "channel": "shop"},
}
REQUOTES: Final = {"v1": ("/v1/orders/1/requote", "reqKey"), "v2": (f"/v2/orders/{ORDER}/requote", "request")}


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_vendor_takes_a_price_and_calculates_nothing(tmp_path: Path, version: str) -> None:
    async with running(tmp_path) as room:
        await room.vendor(f"/{version}/orders", ORDERS[version] | GIVEN[version])
        known = await vendor_order(room)
        assert (known["status"], known["progress"]) == (CALCULATED, 1)
        assert (known["price"], known["valid_until"]) == (GIVEN["v2"]["price"], GIVEN["v2"]["valid_until"])
        assert not await room.service.calculation.step()


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_given_price_ends_a_calculation_under_way_and_is_good_for_the_usual_term(
    tmp_path: Path, version: str
) -> None:
    async with running(tmp_path, pricing_seconds=20) as room:
        await room.vendor(f"/{version}/orders", ORDERS[version])
        await room.service.calculation.step()
        assert (await vendor_order(room))["status"] == CALCULATING
        given = {name: value for name, value in GIVEN[version].items() if name not in {"prcExtValTs", "valid_until"}}
        path, key = REQUOTES[version]
        for _ in range(2):
            await room.vendor(path, {key: "k1", **given})
        room.clock.advance(minutes=1)
        assert not await room.service.calculation.step()
        known = await vendor_order(room)
        assert (known["status"], known["price"]["amount"]) == (CALCULATED, "412.50")
        assert datetime.fromisoformat(known["valid_until"]) == START + timedelta(days=14)
        statuses = [change["status"] for change in (await room.vendor("/v2/changes"))["changes"]]
        assert statuses == ["SUBMITTED", CALCULATING, CALCULATED]


@pytest.mark.parametrize(
    ("version", "given"),
    [
        ("v1", {"prcExt": "412.50"}),
        ("v1", {"curExt": "EUR"}),
        ("v1", {"prcExtValTs": 1}),
        ("v1", {"prcExt": "-1", "curExt": "EUR"}),
        ("v1", {"prcExt": "NaN", "curExt": "EUR"}),
        ("v2", {"valid_until": "2026-03-23T08:00:00Z"}),
        ("v2", {"price": {"amount": "412.50"}}),
        ("v2", {"price": {"amount": "412.50", "currency": "euro"}}),
        ("v2", GIVEN["v2"] | {"valid_until": "9999-12-31T23:59:59-14:00"}),
        ("v2", GIVEN["v2"] | {"promised_at": "0001-01-01T00:00:00+14:00"}),
    ],
)
async def test_half_a_price_is_refused(tmp_path: Path, version: str, given: dict[str, Any]) -> None:
    async with running(tmp_path) as room:
        headers = {"X-Api-Key": room.service.front.key}
        answer = await room.client.post(f"/{version}/orders", json=ORDERS[version] | given, headers=headers)
        assert answer.status_code == 400, answer.text
        assert (await room.vendor("/v1/orders"))["cnt"] == 0
