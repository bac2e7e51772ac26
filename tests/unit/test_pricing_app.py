"""The workers' app: probes, metrics, and the bus for those who may."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from instrumentation.errors import BadInput
from pricing.messages import PRICE_CALCULATED, PriceClass
from pricing.workers.app import create_app, create_service
from pricing.workers.settings import Settings
from services.auth import undeclared
from services.bus import EmbeddedTransport
from tests.workers import InProcess, ball, running, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.bus.transport import Receive


async def test_the_app_tells_how_it_is_and_lets_nobody_in_unasked(tmp_path: Path) -> None:
    async with running(tmp_path, child=InProcess) as room:
        app = create_app(room.service.settings, room.service)
        assert undeclared(app) == []
        wire = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=wire, base_url="http://pricing") as client:
            assert (await client.get("/healthz")).status_code == httpx.codes.OK
            assert (await client.get("/readyz")).status_code == httpx.codes.OK
            assert (await client.get("/bus")).status_code == httpx.codes.UNAUTHORIZED


async def test_metrics_tell_answers_caches_and_what_waits(tmp_path: Path) -> None:
    async with running(tmp_path, child=InProcess) as room:
        model = await room.put(ball(12))
        for alloy in (None, None, "cheese"):
            await room.answer(await room.ask(model, alloy=alloy))
        value = room.service.telemetry.registry.get_sample_value
        assert value("touchstone_pricing_answers_total", {"class": "shop"}) == 3
        assert value("touchstone_pricing_refusals_total", {"reason": "unsupported"}) == 1
        for cache in ("measures", "quotes"):
            for outcome in ("hit", "miss"):
                labels = {"cache": cache, "outcome": outcome}
                assert value("touchstone_pricing_cache_lookups_total", labels) == 1, labels
        labels = {"class": "shop", "size": "small"}
        assert value("touchstone_pricing_calculation_seconds_count", labels) == 1


async def test_the_age_of_the_oldest_request_is_told_by_class(tmp_path: Path) -> None:
    async with running(tmp_path, workers=0) as room:
        await room.ask(await room.put(ball(12)), channel="b2b", queue=PriceClass.PARTNER.queue)
        value = room.service.telemetry.registry.get_sample_value
        await until(lambda: value("touchstone_pricing_waiting_requests", {"class": "partner"}) == 1)
        assert (value("touchstone_pricing_oldest_request_age_seconds", {"class": "partner"}) or 0) > 0
        assert value("touchstone_pricing_oldest_request_age_seconds", {"class": "shop"}) == 0


async def test_work_that_a_stopped_service_left_is_done_by_the_next(tmp_path: Path) -> None:
    async with running(tmp_path, workers=0) as room:
        model = await room.put(ball(12))
        request = await room.ask(model)
        while room.service.bus.received.applied == 0:
            await room.asker.relay.once()
    async with running(tmp_path, child=InProcess) as room:
        assert (await room.answer(request)).type == PRICE_CALCULATED


async def test_a_service_that_stops_lets_go_of_its_work_at_once(tmp_path: Path) -> None:
    """The next one need not wait for the lease to end, and the stop does not count against the model."""
    child = InProcess([asyncio.Event().wait])
    async with running(tmp_path, child=lambda: child) as room:
        request = await room.ask(await room.put(ball(12)))
        await until(lambda: len(child.tasks) == 1)
    async with running(tmp_path, workers=0) as room:
        (left,) = await room.measurings()
        assert (left["stage"], left["worker"], left["losses"], left["failures"]) == ("measure", None, 0, 0)
        assert left["due_at"] <= room.service.tools.now()
    async with running(tmp_path, child=InProcess) as room:
        assert (await room.answer(request)).type == PRICE_CALCULATED


def test_queues_share_a_batch_by_the_weights_of_their_classes(tmp_path: Path) -> None:
    """What the broker hands over is weighted as the time of the workers is."""
    weights: dict[str, int] = {}

    class Noting(EmbeddedTransport):
        def work(self, queues: Mapping[str, int], receive: Receive, owner: str) -> None:
            weights.update(queues)
            super().work(queues, receive, owner)

    settings = Settings(database=f"sqlite+aiosqlite:///{tmp_path / 'p.db'}", models=str(tmp_path))
    create_service(settings, Noting())
    assert weights == {"pricing-shop": 8, "pricing-partner": 3, "pricing-heavy": 1}


def test_terms_that_the_materials_do_not_have_are_named_at_the_start(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite+aiosqlite:///{tmp_path / 'p.db'}", models=str(tmp_path), partner_terms="none")
    with pytest.raises(BadInput, match="partner terms"):
        create_service(settings)
