"""`make up` and `make down`: the house as native processes on loopback, over real servers, watched and started again.

``python -m deploy.up start`` returns when everything answers; a supervisor in the background holds it up until
``python -m deploy.up stop``. Data stays in ``build/up`` from one time to the next.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.house import DATABASES, HOST, PORTS, POSTGRES_PORT, RABBIT_PORT, House, Part
from deploy.servers import PostgresServer, RabbitServer, postgres, rabbitmq
from deploy.servers.processes import Child
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path("build/up").absolute()
STATE: Final = FOLDER / "state.json"
ENVIRONMENT: Final = FOLDER / "environment"
PATIENCE_S: Final = 120.0
LOOK_S: Final = 1.0
CALM_S: Final = 30.0


class Supervisor:
    """Holds up every part, and starts again what ends."""

    def __init__(self, house: House, logs: Path) -> None:
        self.house, self.logs = house, logs
        self.children: dict[str, tuple[Part, Child, float]] = {}
        self.restarts = 0

    def start(self) -> None:
        """Start every part, and wait for each that says when it is ready."""
        for part in self.house.parts():
            self._start(part)
        for part, child, _ in self.children.values():
            _await_ready(part, child)

    def _start(self, part: Part) -> None:
        environment = {**os.environ, **part.environment}
        log = self.logs / f"{part.name}.log"
        child = Child(part.command, home=FOLDER, log=log, environment=environment, if_orphaned=signal.SIGTERM)
        self.children[part.name] = (part, child, time.monotonic())

    def look(self) -> None:
        """Start again what has ended, not more often than every half minute."""
        for part, child, since in list(self.children.values()):
            if not child.running() and time.monotonic() - since > CALM_S:
                child.end()
                self._start(part)
                self.restarts += 1

    def stop(self) -> None:
        """End every part in good order."""
        for _, child, _ in reversed(self.children.values()):
            child.end()


def _await_ready(part: Part, child: Child) -> None:
    until = time.monotonic() + PATIENCE_S
    while part.ready is not None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(part.ready, trust_env=False).is_success:
                return
        if not child.running() or time.monotonic() > until:
            raise TouchstoneError(f"the {part.name} did not start; {child.log} ends with:\n{child.said()}")
        time.sleep(0.1)


async def _make_databases(server: PostgresServer) -> None:
    engine = create_async_engine(f"{server.address}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        there = set(await connection.scalars(text("SELECT datname FROM pg_database")))
        for name in sorted({*DATABASES} - there):
            await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()


@contextlib.contextmanager
def _servers() -> Iterator[tuple[PostgresServer, RabbitServer]]:
    with (
        postgres(FOLDER / "postgres", POSTGRES_PORT, durable=True) as database,
        rabbitmq(FOLDER / "rabbitmq", RABBIT_PORT, durable=True) as broker,
    ):
        yield database, broker


def run() -> None:
    """Hold up the house until told to stop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    logs = FOLDER / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(_Stopped), _servers() as (database, broker):
        asyncio.run(_make_databases(database))
        supervisor = Supervisor(House(FOLDER, database.address, broker.address), logs)
        try:
            supervisor.start()
            _tell(supervisor.house, database, broker)
            while True:
                time.sleep(LOOK_S)
                supervisor.look()
        finally:
            STATE.unlink(missing_ok=True)
            supervisor.stop()


class _Stopped(BaseException):
    """We were told to stop."""


def _stop(*_: object) -> None:
    raise _Stopped


def _tell(house: House, database: PostgresServer, broker: RabbitServer) -> None:
    state: dict[str, Any] = {
        "pid": os.getpid(),
        "environment": house.environment(),
        "addresses": {
            **{name: f"http://{HOST}:{port}" for name, port in PORTS.items()},
            "PostgreSQL": database.address,
            "RabbitMQ": broker.management,
        },
    }
    # Both hold a secret; the state comes last, because it is what says that everything is there.
    for path, content in ((ENVIRONMENT, _exports(house.environment())), (STATE, json.dumps(state, indent=2))):
        partial = path.with_suffix(".new")
        partial.touch(mode=0o600)
        partial.write_text(content, encoding="utf-8")
        partial.replace(path)


def _exports(environment: dict[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def start() -> None:
    """Start the supervisor in the background, and return once everything answers."""
    if STATE.exists() and _alive(_state()["pid"]):
        _say("The house is up already.")
    else:
        FOLDER.mkdir(parents=True, exist_ok=True)
        log = FOLDER / "supervisor.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "deploy.up", "run"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        while not STATE.exists():
            if process.poll() is not None:
                raise TouchstoneError(
                    f"the house did not start; {log} says:\n{log.read_text(errors='replace').strip()}"
                )
            time.sleep(0.2)
    _say(_directions(_state()))


def _directions(state: dict[str, Any]) -> str:
    lines = [f"  {name:<12}{address}" for name, address in state["addresses"].items()]
    return "\n".join(
        [
            "The house is up:",
            *lines,
            f"Logs are in {FOLDER / 'logs'}. For the command line: source build/up/environment",
            "`make down` stops it; data stays in build/up.",
        ]
    )


def stop() -> None:
    """Stop the supervisor and all that it holds up."""
    if not STATE.exists() or not _alive(_state()["pid"]):
        STATE.unlink(missing_ok=True)
        _say("The house is down.")
        return
    pid = _state()["pid"]
    os.kill(pid, signal.SIGTERM)
    while _alive(pid):
        time.sleep(0.2)
    _say("The house is down; its data is in build/up.")


def _state() -> dict[str, Any]:
    state: dict[str, Any] = json.loads(STATE.read_text(encoding="utf-8"))
    return state


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that ended and that nobody has asked after is still in the table.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m deploy.up", description="The house as native processes.")
    parser.add_argument("what", choices=("start", "stop", "run"))
    what = parser.parse_args().what
    try:
        {"start": start, "stop": stop, "run": run}[what]()
    except TouchstoneError as error:
        sys.stderr.write(f"make up: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
