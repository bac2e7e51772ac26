"""What becomes of models on PostgreSQL, where sweeps, orders and uploads of the same model really run at once."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from pricing.storage.lifecycle import Step
from tests.integration.test_shop_postgresql import database
from tests.unit.test_shop import MODEL, Shop, running

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from httpx import Response

__all__ = ["database"]
ROUNDS: Final = 12


async def _signed_in(shop: Shop) -> dict[str, str]:
    known = {"email": "ada@example.com", "password": "correct horse battery"}
    answer = await shop.client.post("/sessions", json=known)
    return {"authorization": f"Bearer {answer.json()['token']}"}


def _content(number: int) -> bytes:
    return MODEL.replace(b"ring", b"ring%d" % number)


async def _uploaded(shop: Shop) -> tuple[list[str], dict[str, str]]:
    """Upload models and wait until they are to be deleted; return them, and the headers of who brought them."""
    await shop.customer()
    headers = await _signed_in(shop)
    models = [await shop.upload(headers, _content(number)) for number in range(ROUNDS)]
    shop.clock.tick(days=31)
    return models, await _signed_in(shop)


async def _meanwhile(shop: Shop, model: str, ask: Coroutine[Any, Any, Response], delay_s: float) -> tuple[int, int]:
    """Send a request while two sweeps come by the model; return its status, and how many of them deleted it."""

    async def settle() -> Step | None:
        await asyncio.sleep(delay_s)
        return await shop.service.keeping.settle(model)

    answer, *steps = await asyncio.gather(ask, settle(), settle())
    return answer.status_code, steps.count(Step.DELETE)


async def test_a_model_is_either_ordered_or_deleted_never_both(tmp_path: Path, database: str) -> None:
    chance = random.Random(4)  # noqa: S311 - moments, no secrets
    async with running(tmp_path, database=database) as shop:
        models, headers = await _uploaded(shop)
        for model in models:
            order = shop.order(headers, model, item=None, model=model)
            status, deleted = await _meanwhile(shop, model, order, chance.random() * 0.02)
            kept = await shop.service.objects.exists(model)
            assert (status, deleted) == ((201, 0) if kept else (400, 1))


async def test_an_order_waits_for_the_sweep_that_is_deleting_its_model_and_is_refused(
    tmp_path: Path, database: str
) -> None:
    async with running(tmp_path, database=database) as shop:
        models, headers = await _uploaded(shop)
        deleting, let_go = asyncio.Event(), asyncio.Event()
        delete = shop.service.objects.delete

        async def slowly(name: str) -> None:
            deleting.set()
            await let_go.wait()
            await delete(name)

        shop.service.objects.delete = slowly  # type: ignore[method-assign] # a slow store
        sweep = asyncio.create_task(shop.service.keeping.settle(models[0]))
        await deleting.wait()
        order = asyncio.create_task(shop.order(headers, item=None, model=models[0]))
        await asyncio.sleep(0.5)
        assert not order.done()
        let_go.set()
        assert await sweep is Step.DELETE
        assert (await order).status_code == 400


async def test_a_model_that_is_brought_again_while_it_is_deleted_is_kept_or_asked_for_again(
    tmp_path: Path, database: str
) -> None:
    chance = random.Random(5)  # noqa: S311 - moments, no secrets
    async with running(tmp_path, database=database) as shop:
        models, headers = await _uploaded(shop)
        for number, model in enumerate(models):
            again = shop.client.post("/models", content=_content(number), headers=headers)
            status, _ = await _meanwhile(shop, model, again, chance.random() * 0.02)
            assert await shop.service.objects.exists(model) == {201: True, 503: False}[status]
        placed = await shop.order(headers, item=None, model=await shop.upload(headers, _content(0)))
        assert placed.status_code == 201
