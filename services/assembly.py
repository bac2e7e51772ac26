"""What the composition roots of all services do alike: the way to the bus, and the app around a service's routes."""

from __future__ import annotations

import contextlib
import logging
from importlib import metadata
from typing import TYPE_CHECKING, Final, Protocol

from fastapi import FastAPI

from instrumentation import FASTAPI_TELEMETRY, instrument, problems
from services.auth.guard import guard
from services.auth.headers import SAFE, SafeHeaders
from services.auth.problem_pages import show_problems
from services.bus import EmbeddedTransport, RabbitTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping
    from contextlib import AbstractContextManager

    from instrumentation import Telemetry
    from services.auth.access import Access
    from services.bus import Message, Transport

VERSION: Final = metadata.version("touchstone-sla")
# Bodies are read before anybody is asked who they are, so they are small; uploads have a limit of their own.
LARGEST_BODY: Final = 1024 * 1024
LOG: Final = logging.getLogger("touchstone.services")


class Service(Protocol):
    """What an app needs of the service that answers."""

    @property
    def access(self) -> Access:
        """Who is let in."""

    @property
    def telemetry(self) -> Telemetry:
        """Where spans and metrics go."""

    async def start(self) -> None:
        """Open everything; once more changes nothing."""

    async def stop(self) -> None:
        """Let go of everything."""

    async def ready(self) -> str | None:
        """Say why the service cannot work, None where it can."""


def transport_of(bus: str | None, consumers: Mapping[str, int]) -> Transport:
    """Return the way to the broker at an address; without one, the embedded bus of one process.

    ``consumers``: who hears the events that the service publishes, each with its number of queues.
    """
    return EmbeddedTransport() if bus is None else RabbitTransport(bus, consumers)


def consuming(telemetry: Telemetry, consumer: str) -> Callable[[Message], AbstractContextManager[object]]:
    """Return what surrounds each handler: a span in the publisher's trace, of the message's order."""

    def entered(message: Message) -> AbstractContextManager[object]:
        return telemetry.consuming(
            f"process {message.type}",
            order=message.subject,
            traceparent=message.traceparent,
            destination=consumer,
            message=message.id,
        )

    return entered


def begin_app(title: str, summary: str, service: Service) -> FastAPI:
    """Return an app that starts and stops a service, to be given its routes and then to ``finish_app``."""

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
        title=title,
        summary=summary,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=FASTAPI_TELEMETRY,
        max_body_size=LARGEST_BODY,
    )
    app.state.service, app.state.access = service, service.access
    problems.install(app)
    show_problems(app)
    return app


def finish_app(
    app: FastAPI, name: str, service: Service, open_paths: Collection[str] = (), headers: Mapping[str, str] = SAFE
) -> None:
    """Close an app to whoever is not let in, and make it observable. All its routes are there."""
    problems.describe(app)
    guard(app, ("/openapi.json", *open_paths))
    app.add_middleware(SafeHeaders, headers=headers)
    instrument(app, name, service.ready, service.telemetry)
