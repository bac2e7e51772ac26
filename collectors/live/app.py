"""The live collector's composition root, and how it is served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI

from collectors.invariants.flow import LATEST_EVENTS
from collectors.live import store
from collectors.live.api import api, metrics_api, open_api
from collectors.live.bus import BusSource
from collectors.live.decisions_api import decisions_api
from collectors.live.follow import Follower
from collectors.live.handlers import Collector, now_us
from collectors.live.metrics import DISTRIBUTION, Metrics
from collectors.live.reports import Reports
from collectors.live.signalling.gauges import SignalGauges
from collectors.live.signalling.running import Signalling
from collectors.live.watching import Watch
from collectors.pollers.http import HttpPoller
from collectors.pollers.sql import SqlPoller
from collectors.pollers.systems import HttpPoll, SqlPoll, load_systems
from collectors.promise.reading import load_promise
from collectors.timelines.codebook import Codebook
from instrumentation import FASTAPI_TELEMETRY, Telemetry, configure, problems
from instrumentation.app import observe
from instrumentation.logs import log_as_json
from services.bus import Database, RabbitTransport
from services.resilience import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import httpx

    from collectors.live.settings import Settings
    from collectors.pollers.polling import Poller
    from collectors.pollers.systems import Systems
    from services.bus import Transport

MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"
LOG: Final = logging.getLogger("touchstone.collector")


@dataclass
class Service:
    """Everything that answers a request."""

    settings: Settings
    secret: str | None
    database: Database
    metrics: Metrics
    collector: Collector
    reports: Reports
    watch: Watch
    signalling: Signalling
    telemetry: Telemetry
    follower: Follower | None = None
    pollers: list[Poller] = field(default_factory=list)
    bus: BusSource | None = None
    started: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, repr=False)

    @property
    def failures(self) -> list[str]:
        """Why sources cannot be read now."""
        reasons = [self.failure, *(poller.failure for poller in self.pollers)]
        return [reason for reason in reasons if reason is not None]

    @property
    def failure(self) -> str | None:
        """Why the service cannot do its work, None where it can. A polled system that is down is not its fault."""
        return self.follower.failure if self.follower else None

    async def start(self) -> None:
        """Open the state and begin to read the sources. Raises BadInput where the database cannot be used."""
        if self.started:
            return
        await self.collector.start()
        await self.signalling.start()
        async with self.database.reading() as connection:
            heard, now = await store.last_heard(connection, LATEST_EVENTS), self.collector.clock()
            self.metrics.hear({source: min(at, now) for source, at in heard.items()})
        running = [self.watch.run(), self.signalling.run(), *(poller.run() for poller in self.pollers)]
        if self.follower is not None:
            running.append(self.follower.run())
        self._tasks = [asyncio.create_task(one) for one in running]
        if self.bus is not None:
            await self.bus.start()
        self.started = True

    async def stop(self) -> None:
        """Let go of everything; what was answered is stored already."""
        if self.bus is not None:
            await self.bus.stop()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for poller in self.pollers:
            await poller.close()
        await self.watch.close()
        await self.reports.close()
        await self.signalling.close()
        await self.database.close()
        self.telemetry.shutdown()


def create_service(
    settings: Settings,
    clock: Callable[[], int] = now_us,
    transport: Transport | None = None,
    networks: Mapping[str, httpx.AsyncBaseTransport] | None = None,
) -> Service:
    """Put the parts together. Raises BadInput where settings, promise file or file of systems are wrong.

    ``transport``: the bus of a process that several services share, closed by whoever made it; else the settings say
    which. ``networks`` stand in for the network to watched systems, by name.
    """
    secret = settings.secret
    promise = load_promise(settings.promise)
    systems = load_systems(settings.systems) if settings.systems else None
    telemetry = configure("collector", version=metadata.version(DISTRIBUTION))
    metrics = Metrics(Codebook(promise), telemetry.registry)
    database = Database(settings.database, MIGRATIONS)
    collector = Collector(promise, database, metrics, clock)
    reports = Reports(collector, settings.picture_seconds)
    signalling = Signalling(collector, settings.signals_seconds)
    telemetry.registry.register(SignalGauges(signalling))
    service = Service(
        settings=settings,
        secret=secret,
        database=database,
        metrics=metrics,
        collector=collector,
        reports=reports,
        watch=Watch(collector, reports, settings.watch_seconds, systems, networks),
        signalling=signalling,
        telemetry=telemetry,
        follower=Follower(settings.follow, collector, settings.poll_seconds) if settings.follow else None,
        pollers=_pollers(systems, collector, networks or {}),
        bus=_bus(settings, collector, transport),
    )
    metrics.failing = lambda: len(service.failures)
    return service


def _pollers(
    systems: Systems | None, collector: Collector, networks: Mapping[str, httpx.AsyncBaseTransport]
) -> list[Poller]:
    found: list[Poller] = []
    for system in systems.systems if systems else ():
        if isinstance(system.poll, SqlPoll):
            found.append(SqlPoller(system, system.poll, collector))
        elif isinstance(system.poll, HttpPoll):
            found.append(HttpPoller(system, system.poll, collector, networks.get(system.name)))
    return found


def _bus(settings: Settings, collector: Collector, transport: Transport | None) -> BusSource | None:
    if transport is not None:
        return BusSource(transport, collector, settings.queues, own=False)
    if settings.bus is None:
        return None
    return BusSource(RabbitTransport(settings.bus), collector, settings.queues, own=True)


def create_app(settings: Settings, service: Service | None = None) -> FastAPI:
    """Return the app. Raises BadInput where settings or promise file are wrong."""
    service = service or create_service(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await service.start()
            LOG.info("ready")
            yield
        finally:
            await service.stop()
            LOG.info("stopped")

    app = FastAPI(
        title="Touchstone collector",
        summary="Takes in status events, and says which orders are late and which stage made them so.",
        version=metadata.version(DISTRIBUTION),
        lifespan=lifespan,
        telemetry=FASTAPI_TELEMETRY,
    )
    app.state.service = service
    problems.install(app)
    for router in (open_api, metrics_api, decisions_api, api):
        app.include_router(router)
    problems.describe(app)
    observe(app, service.telemetry)
    return app


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT). Raises BadInput where settings, promise or database are wrong."""
    log_as_json()
    service = create_service(settings)
    asyncio.run(serving.serve(create_app(settings, service), settings.host, settings.port, service.start))
