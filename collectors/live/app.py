"""The live collector's composition root, and how it is served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from fastapi import FastAPI

from collectors.live.api import api, metrics_api, open_api
from collectors.live.follow import Follower
from collectors.live.handlers import Collector, now_us
from collectors.live.metrics import DISTRIBUTION, Metrics
from collectors.live.reports import Reports
from collectors.promise.reading import load_promise
from collectors.timelines.codebook import Codebook
from instrumentation import problems
from instrumentation.logs import log_as_json
from services.bus.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from collectors.live.settings import Settings

MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"
LOG: Final = logging.getLogger("touchstone.collector")
# FastAPI's own telemetry would double the spans of whoever instruments the app.
QUIET: Final[Any] = {"tracing": False, "metrics": False}


@dataclass
class Service:
    """Everything that answers a request."""

    settings: Settings
    secret: str | None
    database: Database
    metrics: Metrics
    collector: Collector
    reports: Reports
    follower: Follower | None
    started: bool = False
    _following: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def failure(self) -> str | None:
        """Why the service cannot do its work, None where it can."""
        return self.follower.failure if self.follower else None

    async def start(self) -> None:
        """Open the state and begin to follow the log. Raises BadInput where the database cannot be used."""
        if self.started:
            return
        await self.collector.start()
        if self.follower is not None:
            self._following = asyncio.create_task(self.follower.run())
        self.started = True

    async def stop(self) -> None:
        """Let go of everything; what was answered is stored already."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        await self.database.close()


def create_service(settings: Settings, clock: Callable[[], int] = now_us) -> Service:
    """Put the parts together. Raises BadInput where settings or promise file are wrong."""
    secret = settings.secret
    promise = load_promise(settings.promise)
    metrics = Metrics(Codebook(promise))
    database = Database(settings.database, MIGRATIONS)
    collector = Collector(promise, database, metrics, clock)
    follower = Follower(settings.follow, collector, settings.poll_seconds) if settings.follow else None
    reports = Reports(collector, settings.picture_seconds)
    return Service(settings, secret, database, metrics, collector, reports, follower)


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
        telemetry=QUIET,
    )
    app.state.service = service
    problems.install(app)
    for router in (open_api, metrics_api, api):
        app.include_router(router)
    problems.describe(app)
    return app


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT). Raises BadInput where settings, promise or database are wrong."""
    log_as_json()
    service = create_service(settings)
    app = create_app(settings, service)

    async def run() -> None:
        # Before the server starts, so that what is wrong is said in one sentence.
        await service.start()
        server = _Server(uvicorn.Config(app, settings.host, settings.port, log_config=None, access_log=False))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
        await server.serve()

    asyncio.run(run())


class _Server(uvicorn.Server):
    """A server that ends well when told to: uvicorn's own raises the signal again, and the exit status is a failure."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to ``serve``."""
        yield
