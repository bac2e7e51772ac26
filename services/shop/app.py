"""The shop's composition root, and how it is served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from fastapi import Depends
from fastapi.staticfiles import StaticFiles

from instrumentation import configure, current_traceparent, log_as_json, problems
from pricing.storage import StoreUnavailable, create_store
from pricing.storage.lifecycle import Terms
from services.assembly import VERSION, begin_app, consuming, finish_app, transport_of
from services.auth.access import CustomerGate
from services.auth.accounts import Accounts
from services.auth.gates import require
from services.auth.headers import SAFE
from services.auth.people import Role
from services.auth.settings import AuthSettings, create_access
from services.bus import BUS_MIGRATIONS, Bus, Database, operations
from services.bus import metrics as bus_metrics
from services.bus.bus import utc_now
from services.contract import CATALOGUE_CHANGED, CONSUMERS, SHOP
from services.resilience import serving
from services.shop.alloys import alloys
from services.shop.api import api, open_api
from services.shop.catalogue import Catalogue
from services.shop.customers import Customers, accounts_api
from services.shop.direct import Direct
from services.shop.handlers import HANDLERS
from services.shop.keeping import Keeping
from services.shop.model import new_order_id
from services.shop.ordering import Ordering
from services.shop.pages import pages
from services.shop.tables import accounts
from services.shop.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    from instrumentation import Telemetry
    from pricing.storage import ModelStore
    from services.auth.access import Access
    from services.bus import Transport
    from services.shop.settings import Settings

NAME: Final = "shop"
LOG: Final = logging.getLogger("touchstone.shop")
HERE: Final = Path(__file__).parent
MIGRATIONS: Final = HERE / "migrations" / "versions"
STATIC: Final = "/static"
# Its pages take style, pictures and script from the shop itself.
HEADERS: Final = SAFE | {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
}


def new_upload() -> str:
    """Return a name for an upload, which nobody can guess."""
    return secrets.token_urlsafe(24)


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
    objects: ModelStore
    uploads: Uploads
    direct: Direct
    keeping: Keeping
    catalogue: Catalogue
    ordering: Ordering
    new_key: Callable[[], str]
    shares_transport: bool = False
    started: bool = False
    _sweeping: asyncio.Task[None] | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Open the database and begin to hear and to speak. Raises BadInput where a part cannot be used."""
        if self.started:
            return
        with self.telemetry.active():
            await self.database.start()
            if self.settings.seed:
                await self.catalogue.fill()
            await self.bus.start(relay=self.settings.relay)
            self._sweeping = asyncio.create_task(self.keeping.run())
        self.started = True

    async def stop(self) -> None:
        """Let go of everything; what was answered is stored already."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        await self.bus.stop()
        if not self.shares_transport:
            await self.transport.close()
        await self.client.aclose()
        await self.objects.close()
        await self.database.close()
        self.telemetry.shutdown()

    async def ready(self) -> str | None:
        """Say why the service cannot do its work, None where it can."""
        return await self.database.trouble()


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
    telemetry = configure(NAME, version=VERSION)
    database = Database(settings.database, BUS_MIGRATIONS, MIGRATIONS)
    carrier = transport or transport_of(settings.bus, dict.fromkeys(CONSUMERS, settings.queues))
    bus = Bus(
        database,
        carrier,
        source=SHOP,
        consumer=NAME,
        handlers=HANDLERS,
        queues=settings.queues,
        clock=clock,
        traceparent=current_traceparent,
        consuming=consuming(telemetry, NAME),
    )
    bus_metrics.register(bus, telemetry.registry)
    catalogue = Catalogue(database, bus, settings.catalogue_seconds, seconds)
    bus.on_broadcast(CATALOGUE_CHANGED, catalogue.drop)
    objects = create_store(settings.models)
    uploads = Uploads(database, objects, clock, settings.largest_model_bytes)
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
        uploads=uploads,
        direct=Direct(uploads, clock, new_upload, timedelta(minutes=settings.upload_minutes)),
        keeping=Keeping(database, objects, clock, _terms(settings), settings.sweep_seconds, settings.sweep_at_once),
        catalogue=catalogue,
        ordering=Ordering(
            database=database,
            bus=bus,
            catalogue=catalogue,
            alloys=alloys(settings.materials),
            clock=clock,
            new_order=new_order,
            promise=timedelta(days=settings.promise_days),
            remember=timedelta(hours=settings.remember_hours),
        ),
        new_key=new_key,
        shares_transport=transport is not None,
    )


def _terms(settings: Settings) -> Terms:
    return Terms(
        cold_after=timedelta(days=settings.cold_after_days),
        quarantined_for=timedelta(days=settings.quarantine_days),
        dropped_for=timedelta(days=settings.dropped_days),
    )


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """Return the app. Raises BadInput where settings are wrong."""
    service = service or create_service(settings)
    summary = "Catalogue, customers' 3D models, and orders with everything that happens to them."
    app = begin_app("Touchstone shop", summary, service)
    operators = Depends(require(Role.SRE, Role.SERVICE))
    for router in (open_api, accounts_api, api, operations.router(service.bus, [operators]), pages):
        app.include_router(router)
    app.add_exception_handler(StoreUnavailable, _without_store)
    app.mount(STATIC, StaticFiles(directory=HERE / "static"), name="static")
    finish_app(app, NAME, service, [STATIC], HEADERS)
    return app


async def _without_store(_request: Request, error: Exception) -> JSONResponse:
    LOG.warning("a request fails for want of models: %s", error)
    detail = "the store of 3D models does not answer; try again in a minute"
    return problems.answer(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "60"})


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT). Raises BadInput where settings or database are wrong."""
    log_as_json(NAME)
    service = create_service(settings)
    asyncio.run(serving.serve(create_app(settings, service), settings.host, settings.port, service.start))
