"""Requests through the whole service, on embedded parts and real children."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from pricing.messages import PRICE_CALCULATED, PRICE_REFUSED, PriceCalculated
from pricing.refusals import RefusalCode
from pricing.storage import Area
from tests.workers import ball, running

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_request_comes_back_as_a_price(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        request = await room.ask(await room.put(ball(24)))
        answer = await room.answer(request)
        assert answer.type == PRICE_CALCULATED, answer
        priced = PriceCalculated.model_validate(answer.data)
        assert priced.amount > Decimal(0)
        assert priced.castable
        assert priced.picture is not None
        drawn = b"".join([part async for part in room.models.open(priced.picture)])
        assert drawn.startswith(b"\x89PNG")


async def test_a_model_that_cannot_be_closed_is_refused_with_a_picture_and_stays_in_quarantine(tmp_path: Path) -> None:
    """Half a sphere's skin has no inside."""
    whole = ball(24)
    records = np.frombuffer(whole[84:], np.uint8).reshape(-1, 50)
    half = whole[:80] + (len(records) // 2).to_bytes(4, "little") + records[: len(records) // 2].tobytes()
    async with running(tmp_path) as room:
        model = await room.put(half)
        answer = await room.answer(await room.ask(model))
        assert (answer.type, answer.data["code"]) == (PRICE_REFUSED, RefusalCode.OPEN)
        drawn = b"".join([part async for part in room.models.open(answer.data["picture"])])
        assert drawn.startswith(b"\x89PNG")
        assert await room.models.area(model) is Area.QUARANTINE
        again = await room.answer(await room.ask(model, "again"))
        assert again.data["picture"] == answer.data["picture"]


async def test_what_is_no_model_is_refused_in_words_and_without_a_picture(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        answer = await room.answer(await room.ask(await room.put(b"no model at all")))
        assert answer.type == PRICE_REFUSED
        assert answer.data["code"] != "failed"
        assert "picture" not in answer.data
