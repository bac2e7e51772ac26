"""The composition root of the pricing workers, and how they are served."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from fastapi import Depends

from instrumentation import configure, current_traceparent, log_as_json
from pricing.materials import DEFAULT_MATERIALS, load_materials
from pricing.sandbox import Child
from pricing.storage import create_store
from pricing.workers import store
from pricing.workers.bench import Bench
from pricing.workers.desk import Desk
from pricing.workers.handlers import QUEUE_WEIGHTS, commands
from pricing.workers.metrics import PricingMetrics
from pricing.workers.outcomes import Pricer
from pricing.workers.scheduling import Fair
from pricing.workers.shelf import Shelf
from pricing.workers.tools import Tools
from pricing.workers.working import Worker
from services.assembly import VERSION, begin_app, consuming, finish_app, transport_of
from services.auth.gates import require
from services.auth.people import Role
from services.auth.settings import AuthSettings, create_access
from services.bus import BUS_MIGRATIONS, Bus, Database
from services.bus.bus import new_id, utc_now
from services.bus.metrics import register as register_metrics
from services.bus.operations import router as bus_operations
from services.resilience import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncConnection

    from instrumentation import Telemetry
    from pricing.storage import ModelStore
    from pricing.workers.settings import Settings
    from services.auth.access import Access
    from services.bus import Transport

MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"
NAME: Final = "pricing"  # of the service and its inbox
SOURCE: Final = "/pricing"
LOOK_EVERY_S: Final = 2.0
WATCHERS: Final = require(Role.SRE, Role.SERVICE)
LOG: Final = logging.getLogger("touchstone.pricing")


@dataclass
class Service:
    """Everything that hears requests, computes, and answers."""

    settings: Settings
    access: Access
    telemetry: Telemetry
    tools: Tools
    bus: Bus
    workers: Sequence[Worker]
    closing: Sequence[Callable[[], Awaitable[None]]]
    started: bool = False
    _looking: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """Where it keeps its state."""
        return self.tools.database

    async def start(self) -> None:
        """Open the database, and begin to hear and to work. Raises BadInput where database or broker cannot be used."""
        if self.started:
            return
        with self.telemetry.active():
            await self.database.start()
            await self.bus.start(relay=self.settings.relay)
            for worker in self.workers:
                worker.start()
            self._looking = [asyncio.create_task(self._look())]
        self.started = True

    async def stop(self) -> None:
        """Let go of everything; others take up what was under way."""
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        for worker in self.workers:
            await worker.stop()
        await self.bus.stop()
        for close in self.closing:
            await close()
        await self.database.close()
        self.telemetry.shutdown()

    async def ready(self) -> str | None:
        """Say why the service cannot work, None where it can."""
        return await self.database.trouble()

    async def _look(self) -> None:
        """Look at what waits, for the metrics: no scrape reads the database."""
        while True:
            try:
                self.tools.metrics.see(await self.tools.read(store.queues), self.tools.now())
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look comes
                LOG.warning("what waits cannot be seen now: %s: %s", type(error).__name__, error)
            await asyncio.sleep(LOOK_EVERY_S)


def create_service(  # noqa: PLR0913 - the composition root; whoever composes names each part
    settings: Settings,
    transport: Transport | None = None,
    clock: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_id,
    *,
    auth: AuthSettings | None = None,
    client: httpx.AsyncClient | None = None,
    models: ModelStore | None = None,
    child: Callable[[], Child] = Child,
) -> Service:
    """Put the parts together. ``transport``: the embedded one that all services of this process share.

    ``models``: the store, if not that of the settings; ``child`` makes a child process. Raises BadInput where settings
    or materials are wrong.
    """
    own = transport is None
    # It publishes no events, and what it answers goes to a queue that the asker has made: nobody hears it.
    transport = transport or transport_of(settings.bus, {})
    client = client or httpx.AsyncClient()
    own_store = models is None
    models = models or create_store(str(settings.models))
    materials = load_materials(settings.materials or DEFAULT_MATERIALS)
    telemetry = configure(NAME, version=VERSION)
    metrics = PricingMetrics(telemetry.registry)
    database = Database(settings.database, BUS_MIGRATIONS, MIGRATIONS)

    async def send(connection: AsyncConnection, queue: str, kind: str, subject: str, data: dict[str, Any]) -> None:
        await bus.send(connection, queue, kind, subject, data)

    shelf = Shelf(models)
    desk = Desk(Pricer(materials, settings.partner_terms), send, clock, telemetry, metrics, shelf)
    bus = Bus(
        database,
        transport,
        source=SOURCE,
        consumer=NAME,
        commands=commands(desk),
        weights=QUEUE_WEIGHTS,
        queues=settings.queues,
        clock=clock,
        new_id=new_id,
        traceparent=current_traceparent,
        consuming=consuming(telemetry, NAME),
    )
    register_metrics(bus, telemetry.registry)
    tools = Tools(database, desk, models, telemetry, metrics, clock)

    def bench() -> Bench:
        return Bench(child(), models, materials, settings.folder)

    named = f"{socket.gethostname()}:{os.getpid()}"
    workers = [Worker(f"{named}:{number}", tools, bench(), bench(), Fair()) for number in range(settings.workers)]
    return Service(
        settings=settings,
        access=create_access(auth or AuthSettings(), client, clock=clock),
        telemetry=telemetry,
        tools=tools,
        bus=bus,
        workers=workers,
        closing=[
            client.aclose,
            shelf.close,
            *([transport.close] if own else []),
            *([models.close] if own_store else []),
        ],
    )


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """Return the app: probes, metrics, and the bus for those who run it. Raises BadInput where settings are wrong."""
    service = service or create_service(settings)

    app = begin_app("Touchstone pricing", "The workers that measure 3D models and price them.", service)
    app.include_router(bus_operations(service.bus, [Depends(WATCHERS)]))
    finish_app(app, NAME, service)
    return app


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT). Raises BadInput where settings or database are wrong."""
    log_as_json(NAME)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    service = create_service(settings)
    await serving.serve(create_app(settings, service), settings.host, settings.port, service.start)
