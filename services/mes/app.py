"""The composition root of the manufacturing system and its adapter, and how it is served."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from fastapi import Depends

from instrumentation import configure, current_traceparent, log_as_json
from pricing.storage import create_store
from services.assembly import VERSION, begin_app, consuming, finish_app, transport_of
from services.auth.settings import AuthSettings, create_access
from services.auth.sign_in import sign_in_routes
from services.bus import BUS_MIGRATIONS, Bus, Database
from services.bus.bus import new_id, utc_now
from services.bus.metrics import register as register_metrics
from services.bus.operations import router as bus_operations
from services.contract import CONSUMERS, MES
from services.mes.adapter import KEY_HEADER, Vendor
from services.mes.api import WATCHERS, lead, watch, work
from services.mes.asking import QUEUE, Asking
from services.mes.background import Background
from services.mes.calling import Caller
from services.mes.following import Follower
from services.mes.handlers import COMMANDS, HANDLERS, bound
from services.mes.metrics import VendorGauges, fallbacks
from services.mes.pages import pages
from services.mes.vendor.access import Front
from services.mes.vendor.calculation import Calculation, Terms
from services.mes.vendor.distribution import Operator
from services.mes.vendor.orders import Orders
from services.mes.vendor.v1 import describe_v1, v1
from services.mes.vendor.v2 import v2
from services.mes.vendor.workshop import Workshop
from services.mes.watch import LOOK_EVERY_S, Watch
from services.resilience import serving
from services.resilience.client import Client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from fastapi import FastAPI

    from instrumentation import Telemetry
    from services.auth.access import Access
    from services.bus import Transport
    from services.mes.settings import Settings

MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"
NAME: Final = "mes"  # of the service and its inbox
CHANCE: Final = secrets.SystemRandom().random


@dataclass
class Service:
    """Everything that answers a request or a message, or acts by itself."""

    settings: Settings
    auth: AuthSettings
    access: Access
    client: httpx.AsyncClient
    telemetry: Telemetry
    database: Database
    bus: Bus
    front: Front
    workshop: Workshop
    calculation: Calculation
    asking: Asking
    caller: Caller
    follower: Follower
    watch: Watch
    background: Background
    looking: Background
    clock: Callable[[], datetime]
    closing: Sequence[Callable[[], Awaitable[None]]]
    started: bool = False

    async def start(self) -> None:
        """Open the database, and begin to hear. Raises BadInput where database or broker cannot be used."""
        if self.started:
            return
        with self.telemetry.active():
            await self.database.start()
            await self.workshop.hire([_hired(one) for one in self.settings.operators])
            await self.bus.start(relay=self.settings.relay)
            self.asking.listen()
            self.follower.begin()
            if self.settings.tasks:
                self.background.start()
                self.looking.start()
        self.started = True

    async def stop(self) -> None:
        """Let go of everything; what was answered is stored already."""
        await self.looking.stop()
        await self.background.stop()
        await self.bus.stop()
        for close in self.closing:
            await close()
        await self.database.close()
        self.telemetry.shutdown()

    async def ready(self) -> str | None:
        """Say why the service cannot work, None where it can."""
        return await self.database.trouble()


def _hired(setting: Any) -> Operator:
    skills = frozenset(setting.skills)
    return Operator(setting.id, setting.name, skills, capacity=setting.capacity, lead=setting.lead)


def create_service(  # noqa: PLR0913 - the composition root; whoever composes names each part
    settings: Settings,
    transport: Transport | None = None,
    clock: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_id,
    *,
    auth: AuthSettings | None = None,
    client: httpx.AsyncClient | None = None,
    vendor_transport: httpx.AsyncBaseTransport | None = None,
    chance: Callable[[], float] = CHANCE,
) -> Service:
    """Put the parts together. ``transport``: the embedded one that all services of this process share.

    ``client`` reaches the issuer of sign-ins, ``vendor_transport`` the vendor's API if not the network does.
    Raises BadInput where settings are wrong.
    """
    own = transport is None
    transport = transport or transport_of(settings.bus, dict.fromkeys(CONSUMERS, settings.queues))
    auth, client = auth or AuthSettings(), client or httpx.AsyncClient()
    telemetry = configure(NAME, version=VERSION)
    entering = partial(_entering, telemetry)
    database = Database(settings.database, BUS_MIGRATIONS, MIGRATIONS)
    by_workers, patience = settings.pricing == "workers", settings.pricing_patience
    asking = Asking(database, clock, entering, fallbacks(telemetry.registry), by_workers, patience)
    asking.bus = bus = Bus(
        database,
        transport,
        source=MES,
        consumer=NAME,
        handlers=bound(asking, HANDLERS),
        commands={QUEUE: bound(asking, COMMANDS)},
        queues=settings.queues,
        clock=clock,
        new_id=new_id,
        traceparent=current_traceparent,
        consuming=consuming(telemetry, NAME),
    )
    register_metrics(bus, telemetry.registry)
    calls = Client(settings.vendor_address, {KEY_HEADER: settings.key}, transport=vendor_transport)
    models = None if settings.models is None else create_store(settings.models)
    vendor = Vendor(calls, settings.vendor_api, models)
    caller = Caller(database, bus, vendor, clock=clock, chance=chance, entering=entering)
    follower = Follower(database, bus, vendor, clock, entering)
    sight = Watch(database, follower, clock)
    telemetry.registry.register(VendorGauges(sight))
    terms = Terms(settings.pricing_seconds, settings.quote_valid, settings.vendor_largest_model_bytes)
    calculation = Calculation(database, clock, terms)
    steps = {
        "calculation": calculation.step,
        "asking": asking.step,
        "calling": caller.step,
        "following": follower.step,
    }
    return Service(
        settings=settings,
        auth=auth,
        access=create_access(auth, client, clock=clock),
        client=client,
        telemetry=telemetry,
        database=database,
        bus=bus,
        front=Front(Orders(database, clock, settings.quote_valid), settings.key, settings.vendor_latency),
        workshop=Workshop(database, clock),
        calculation=calculation,
        asking=asking,
        caller=caller,
        follower=follower,
        watch=sight,
        background=Background(steps, settings.poll_seconds),
        looking=Background({"looking": sight.look}, LOOK_EVERY_S),
        clock=clock,
        closing=[vendor.close, client.aclose, *([transport.close] if own else [])],
    )


def _entering(telemetry: Telemetry, name: str, order: str, traceparent: str | None) -> AbstractContextManager[object]:
    return telemetry.consuming(name, order=order, traceparent=traceparent, destination="vendor")


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """Return the app. Raises BadInput where settings are wrong."""
    service = service or create_service(settings)
    summary = "The bought-in manufacturing system, its workshop, and the adapter that is the only way to it."
    app = begin_app("Touchstone MES", summary, service)
    app.state.vendor = service.front
    for router in (v1, v2, work, lead, watch, bus_operations(service.bus, [Depends(WATCHERS)]), pages):
        app.include_router(router)
    app.include_router(sign_in_routes(service.auth, service.client))
    finish_app(app, NAME, service)
    describe_v1(app)
    return app


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT). Raises BadInput where settings or database are wrong."""
    log_as_json(NAME)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    service = create_service(settings)
    await serving.serve(create_app(settings, service), settings.host, settings.port, service.start)
