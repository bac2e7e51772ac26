"""The supervisor of `make up`: starts servers and processes, and starts again what ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.house import DATABASES, HOST, PORTS, POSTGRES_PORT, RABBIT_PORT, House, Part
from deploy.servers import PostgresServer, RabbitServer, postgres, rabbitmq
from deploy.servers.processes import Child
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from deploy.place import Place
    from deploy.servers import Server

PATIENCE_S: Final = 120.0
LOOK_S: Final = 1.0
CALM_S: Final = 30.0


class Supervisor:
    """Holds up servers and parts. ``calm_s``: between two starts of the same one."""

    def __init__(
        self, parts: Sequence[Part], folder: Path, logs: Path, servers: Iterable[Server] = (), calm_s: float = CALM_S
    ) -> None:
        self.parts, self.folder, self.logs, self.calm_s = parts, folder, logs, calm_s
        self.children: dict[str, Child] = {}
        self._servers = {server.name: server for server in servers}
        self._begun = dict.fromkeys(self._servers, time.monotonic())

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
            place.tell(house.environment(), _addresses(database, broker))
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
