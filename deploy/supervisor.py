"""The supervisor of `make up`: starts servers and processes, and starts again what ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.house import (
    ALERTMANAGER_PORT,
    DATABASES,
    HOST,
    PORTS,
    POSTGRES_PORT,
    PROMETHEUS_PORT,
    RABBIT_PORT,
    House,
    Part,
    alertmanager_configuration,
    prometheus_configuration,
)
from deploy.servers import Absent, PostgresServer, RabbitServer, alertmanager, postgres, prometheus, rabbitmq
from deploy.servers.processes import Child
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from deploy.place import Place
    from deploy.servers import AlertmanagerServer, PrometheusServer, Server

PATIENCE_S: Final = 120.0
LOOK_S: Final = 1.0
CALM_S: Final = 30.0
# Of the house's Prometheus: three windows of four weeks. What is older, the collector's database tells.
RETENTION: Final = timedelta(days=90)


class Supervisor:
    """Holds up servers and parts. ``calm_s``: between two starts of the same one."""

    def __init__(
        self, parts: Sequence[Part], folder: Path, logs: Path, servers: Iterable[Server] = (), calm_s: float = CALM_S
    ) -> None:
        self.parts, self.folder, self.logs, self.calm_s = parts, folder, logs, calm_s
        self.children: dict[str, Child] = {}
        self._servers: dict[str, Server] = {}
        self._begun: dict[str, float] = {}
        for server in servers:
            self.watch(server)

    def watch(self, server: Server) -> None:
        """Hold up one more server, which runs already."""
        self._servers[server.name] = server
        self._begun[server.name] = time.monotonic()

    def start(self) -> None:
        """Start every part, and wait for each that says when it is ready."""
        for part in self.parts:
            self._start(part)
        for part in self.parts:
            await_ready(part, self.children[part.name])

    def _start(self, part: Part) -> None:
        environment = {**os.environ, **part.environment}
        log = self.logs / f"{part.name}.log"
        self._begun[part.name] = time.monotonic()
        self.children[part.name] = Child(
            part.command, home=self.folder, log=log, environment=environment, if_orphaned=signal.SIGTERM
        )

    def look(self) -> None:
        """Start again what has ended, each not more often than the calm allows. The servers first: parts need them."""
        for name, server in self._servers.items():
            if not server.running() and self._calm(name):
                self._begun[name] = time.monotonic()
                try:
                    server.start()
                except TouchstoneError as error:
                    _note(f"{name} could not be started again: {error}")
        for part in self.parts:
            child = self.children[part.name]
            if not child.running() and self._calm(part.name):
                child.end()
                self._start(part)

    def _calm(self, name: str) -> bool:
        calm = time.monotonic() - self._begun[name] > self.calm_s
        if calm:
            _note(f"{name} has ended; starting it again")
        return calm

    def stop(self) -> None:
        """End every part in good order."""
        for child in reversed(self.children.values()):
            child.end()


def _note(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stdout.flush()


def await_ready(part: Part, child: Child) -> None:
    """Wait until a part answers. Raises TouchstoneError, with the end of its log, where it does not."""
    until = time.monotonic() + PATIENCE_S
    while part.ready is not None:
        # First: where it has ended, whoever answers at its address is somebody else.
        if not child.running() or time.monotonic() > until:
            raise TouchstoneError(f"the {part.name} did not start; {child.log} ends with:\n{child.said()}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(part.ready, trust_env=False).is_success:
                return
        time.sleep(0.1)


async def _make_databases(server: PostgresServer) -> None:
    engine = create_async_engine(f"{server.address}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        there = set(await connection.scalars(text("SELECT datname FROM pg_database")))
        for name in sorted({*DATABASES} - there):
            await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[tuple[PostgresServer, RabbitServer]]:
    with (
        postgres(folder / "postgres", POSTGRES_PORT, durable=True) as database,
        rabbitmq(folder / "rabbitmq", RABBIT_PORT, durable=True) as broker,
    ):
        yield database, broker


@contextlib.contextmanager
def monitors(folder: Path, broker: str) -> Iterator[list[AlertmanagerServer | PrometheusServer]]:
    """Run Alertmanager and Prometheus over the house; one that this machine does not have is noted and left out.

    ``broker``: host:port of the broker's metrics.
    """
    running: list[AlertmanagerServer | PrometheusServer] = []
    with contextlib.ExitStack() as stack:
        with _or_without():
            config = alertmanager_configuration()
            running.append(stack.enter_context(alertmanager(folder / "alertmanager", ALERTMANAGER_PORT, config=config)))
        with _or_without():
            asked = prometheus_configuration(broker, alertmanager=bool(running))
            home = folder / "prometheus"
            running.append(stack.enter_context(prometheus(home, PROMETHEUS_PORT, config=asked, retention=RETENTION)))
        yield running


@contextlib.contextmanager
def _or_without() -> Iterator[None]:
    try:
        yield
    except Absent as reason:
        _note(f"going on without it: {reason}")


def run(place: Place) -> None:
    """Hold up the house until told to stop. Raises TouchstoneError where a part of it does not start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    with contextlib.suppress(_Stopped), place.held(), _servers(place.folder) as (database, broker):
        asyncio.run(_make_databases(database))
        house = House(place.folder, database.address, broker.address)
        supervisor = Supervisor(house.parts(), place.folder, place.logs, (database, broker))
        try:
            supervisor.start()
            with monitors(place.folder, urlsplit(broker.prometheus).netloc) as watching:
                for server in watching:
                    supervisor.watch(server)
                found = {server.name: server.url for server in watching}
                place.tell(house.environment(), _addresses(database, broker) | found)
                while True:
                    time.sleep(LOOK_S)
                    supervisor.look()
        finally:
            place.forget()
            supervisor.stop()


def _addresses(database: PostgresServer, broker: RabbitServer) -> dict[str, str]:
    ours = {name: f"http://{HOST}:{port}" for name, port in PORTS.items()}
    return {**ours, "PostgreSQL": database.address, "RabbitMQ": broker.management}


class _Stopped(BaseException):
    """We were told to stop."""


def _stop(*_: object) -> None:
    # Once is enough: a second signal must not break off the ending of what runs.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped
