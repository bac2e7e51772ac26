"""The shop's composition root, and how it is served."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from instrumentation import (
    FASTAPI_TELEMETRY,
    Telemetry,
    configure,
    current_traceparent,
    instrument,
    log_as_json,
    problems,
)
from services.auth.access import CustomerGate
from services.auth.accounts import Accounts
from services.auth.gates import require
from services.auth.guard import guard
from services.auth.people import Role
from services.auth.settings import AuthSettings, create_access
from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport, operations
from services.bus import metrics as bus_metrics
from services.contract import CATALOGUE_CHANGED, CONSUMERS, SHOP
from services.resilience import serving
from services.shop import store
from services.shop.api import api, open_api
from services.shop.catalogue import Catalogue
from services.shop.customers import Customers, accounts_api
from services.shop.handlers import HANDLERS
from services.shop.headers import SafeHeaders
from services.shop.model import new_order_id
from services.shop.objects import FolderStore
from services.shop.ordering import Ordering
from services.shop.pages import pages
from services.shop.tables import accounts
from services.shop.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.auth.access import Access
    from services.bus import Message, Transport
    from services.shop.objects import ObjectStore
    from services.shop.settings import Settings

NAME: Final = "shop"
DISTRIBUTION: Final = "touchstone-sla"
HERE: Final = Path(__file__).parent
MIGRATIONS: Final = HERE / "migrations" / "versions"
STATIC: Final = "/static"


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def new_key() -> str:
    """Return a key for a form, so that sending it twice orders once."""
    return secrets.token_urlsafe(16)


@dataclass
class Service:
    """Everything that answers a request."""

    settings: Settings
    telemetry: Telemetry
    database: Database
    transport: Transport
    bus: Bus
    client: httpx.AsyncClient
    access: Access
    customers: Customers
    objects: ObjectStore
    uploads: Uploads
    catalogue: Catalogue
    ordering: Ordering
    new_key: Callable[[], str]
    shares_transport: bool = False
    started: bool = False

    async def start(self) -> None:
        """Open the database and begin to hear and to speak. Raises BadInput where a part cannot be used."""
        if self.started:
            return
        with self.telemetry.active():
            await self.database.start()
            if self.settings.seed:
                await self.catalogue.fill()
            await self.bus.start(relay=self.settings.relay)
        self.started = True

    async def stop(self) -> None:
        """Let go of everything; what was answered is stored already."""
        await self.bus.stop()
        if not self.shares_transport:
            await self.transport.close()
        await self.client.aclose()
        await self.database.close()
        self.telemetry.shutdown()

    async def failing(self) -> str | None:
        """Why the service cannot do its work, None where it can."""
        try:
            async with self.database.reading() as connection:
                await store.alive(connection)
        except Exception:  # noqa: BLE001 - whatever it is, nothing can be answered
            return "the database does not answer"
        return None


def create_service(
    settings: Settings,
    transport: Transport | None = None,
    clock: Callable[[], datetime] = utc_now,
    *,
    auth: AuthSettings | None = None,
    client: httpx.AsyncClient | None = None,
    new_order: Callable[[], str] = new_order_id,
    seconds: Callable[[], float] = time.monotonic,
) -> Service:
    """Put the parts together. ``transport``: shared with other services of this process, who close it.

    Raises BadInput where settings are wrong.
    """
    telemetry = configure(NAME, version=metadata.version(DISTRIBUTION))
    database = Database(settings.database, BUS_MIGRATIONS, MIGRATIONS)
    carrier = transport or _transport(settings)
    bus = Bus(
        database,
        carrier,
        source=SHOP,
        consumer=NAME,
        handlers=HANDLERS,
        queues=settings.queues,
        clock=clock,
        traceparent=current_traceparent,
        consuming=lambda message: _consuming(telemetry, message),
    )
    bus_metrics.register(bus, telemetry.registry)
    catalogue = Catalogue(database, bus, settings.catalogue_seconds, seconds)
    bus.on_broadcast(CATALOGUE_CHANGED, catalogue.drop)
    objects = FolderStore(settings.models)
    customers = Customers(database, Accounts(accounts, clock))
    client = client or httpx.AsyncClient()
    gate = CustomerGate(customers.load)
    return Service(
        settings=settings,
        telemetry=telemetry,
        database=database,
        transport=carrier,
        bus=bus,
        client=client,
        access=create_access(auth or AuthSettings(), client, gate, "/sign-in", clock),
        customers=customers,
        objects=objects,
        uploads=Uploads(database, objects, clock, settings.largest_model_bytes),
        catalogue=catalogue,
        ordering=Ordering(
            database=database,
            bus=bus,
            catalogue=catalogue,
            clock=clock,
            new_order=new_order,
            promise=timedelta(days=settings.promise_days),
            remember=timedelta(hours=settings.remember_hours),
        ),
        new_key=new_key,
        shares_transport=transport is not None,
    )


def _transport(settings: Settings) -> Transport:
    if settings.bus is None:
        return EmbeddedTransport()
    from services.bus import RabbitTransport

    return RabbitTransport(settings.bus, dict.fromkeys(CONSUMERS, settings.queues))


def _consuming(telemetry: Telemetry, message: Message) -> contextlib.AbstractContextManager[object]:
    return telemetry.consuming(
        message.type, order=message.subject, traceparent=message.traceparent, destination=NAME, message=message.id
    )


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """Return the app. Raises BadInput where settings are wrong."""
    service = service or create_service(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await service.start()
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="Touchstone shop",
        summary="Catalogue, customers' 3D models, and orders with everything that happens to them.",
        version=metadata.version(DISTRIBUTION),
        lifespan=lifespan,
        telemetry=FASTAPI_TELEMETRY,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.access = service.access
    problems.install(app)
    operators = Depends(require(Role.SRE, Role.SERVICE))
    for router in (open_api, accounts_api, api, operations.router(service.bus, [operators]), pages):
        app.include_router(router)
    app.mount(STATIC, StaticFiles(directory=HERE / "static"), name="static")
    problems.describe(app)
    guard(app, (STATIC, "/openapi.json"))
    app.add_middleware(SafeHeaders)
    instrument(app, NAME, service.failing, service.telemetry)
    return app


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT). Raises BadInput where settings or database are wrong."""
    log_as_json()
    service = create_service(settings)
    asyncio.run(serving.serve(create_app(settings, service), settings.host, settings.port, service.start))
