"""The desk's composition root, and how it is served."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
from services.contract import CONSUMERS, CRM
from services.crm.api import WATCHERS, manage, read, watch
from services.crm.handlers import COMMANDS, EVENTS, Desk, bound
from services.crm.pages import pages
from services.crm.rules import load_rules
from services.crm.sweeping import Sweep
from services.resilience import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from fastapi import FastAPI

    from instrumentation import Telemetry
    from pricing.storage import ModelStore
    from services.auth.access import Access
    from services.bus import Transport
    from services.crm.settings import Settings

MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"
NAME: Final = "crm"  # of the service, its inbox, and its queue of commands


@dataclass
class Service:
    """Everything that answers a request or a message."""

    settings: Settings
    auth: AuthSettings
    database: Database
    bus: Bus
    desk: Desk
    sweep: Sweep
    access: Access
    models: ModelStore | None
    client: httpx.AsyncClient
    telemetry: Telemetry
    closing: Sequence[Callable[[], Awaitable[None]]]
    started: bool = False
    _sweeping: asyncio.Task[None] | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Open the database, and begin to hear. Raises BadInput where database or broker cannot be used."""
        if self.started:
            return
        with self.telemetry.active():
            await self.database.start()
            await self.bus.start(relay=self.settings.relay)
            self._sweeping = asyncio.create_task(self.sweep.run())
        self.started = True

    async def stop(self) -> None:
        """Let go of everything; what was answered is stored already."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        await self.bus.stop()
        for close in self.closing:
            await close()
        await self.database.close()
        self.telemetry.shutdown()

    async def ready(self) -> str | None:
        """Say why the desk cannot work, None where it can."""
        return await self.database.trouble()


def create_service(
    settings: Settings,
    transport: Transport | None = None,
    clock: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_id,
    auth: AuthSettings | None = None,
    client: httpx.AsyncClient | None = None,
) -> Service:
    """Put the parts together. ``transport``: the embedded one that all services of this process share.

    ``client`` reaches the issuer of sign-ins. Raises BadInput where settings or rules are wrong.
    """
    rules = load_rules(settings.rules)
    own = transport is None
    transport = transport or transport_of(settings.bus, dict.fromkeys(CONSUMERS, settings.queues))
    auth, client = auth or AuthSettings(), client or httpx.AsyncClient()
    telemetry = configure(NAME, version=VERSION)
    database = Database(settings.database, BUS_MIGRATIONS, MIGRATIONS)
    desk = Desk(rules, settings.close_after, clock)
    desk.bus = Bus(
        database,
        transport,
        source=CRM,
        consumer=NAME,
        handlers=bound(desk, EVENTS),
        commands={NAME: bound(desk, COMMANDS)},
        queues=settings.queues,
        clock=clock,
        new_id=new_id,
        traceparent=current_traceparent,
        consuming=consuming(telemetry, NAME),
    )
    register_metrics(desk.bus, telemetry.registry)
    sweep = Sweep(desk, database, settings.sweep_seconds, settings.sweep_at_once)
    access = create_access(auth, client, clock=clock)
    models = None if settings.models is None else create_store(settings.models)
    closing = [client.aclose, *([transport.close] if own else []), *([models.close] if models else [])]
    return Service(settings, auth, database, desk.bus, desk, sweep, access, models, client, telemetry, closing)


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """Return the app. Raises BadInput where settings or rules are wrong."""
    service = service or create_service(settings)
    summary = "The sales managers' desk: approve, reject, ask back; by rule or by hand, with the reason kept."
    app = begin_app("Touchstone CRM", summary, service)
    for router in (manage, read, watch, bus_operations(service.bus, [Depends(WATCHERS)]), pages):
        app.include_router(router)
    app.include_router(sign_in_routes(service.auth, service.client))
    finish_app(app, NAME, service)
    return app


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT). Raises BadInput where settings, rules or database are wrong."""
    log_as_json(NAME)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    service = create_service(settings)
    await serving.serve(create_app(settings, service), settings.host, settings.port, service.start)
