"""Pricing workers as processes over one PostgreSQL and one RabbitMQ: started, killed and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from deploy import servers
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 60.0
END_S: Final = 15.0


@dataclass(frozen=True)
class Ground:
    """Where workers stand: databases' server, broker, and the folder that holds models and logs."""

    postgres: str
    broker: str
    folder: Path

    @property
    def models(self) -> Path:
        """Where models lie."""
        return self.folder / "models"

    async def database(self, name: str) -> str:
        """Make a database; return its address."""
        engine = create_async_engine(f"{self.postgres}/postgres", isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(f'CREATE DATABASE "{name}"'))
        await engine.dispose()
        return make_url(f"{self.postgres}/{name}").render_as_string(hide_password=False)


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """Start the servers. Raises Absent where this machine has none."""
    with contextlib.ExitStack() as stack:
        homes = []
        for name in ("postgres", "rabbitmq", "models"):
            # Not in a folder of ours, which PostgreSQL's own user could not enter.
            home = Path(tempfile.mkdtemp(prefix=f"touchstone-load-{name}-"))
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            homes.append(home)
        postgres = stack.enter_context(servers.postgres(homes[0]))
        rabbitmq = stack.enter_context(servers.rabbitmq(homes[1]))
        yield Ground(postgres.address, rabbitmq.address, homes[2])


@dataclass
class Workers:
    """Some workers over one database. ``environment``: beyond what every worker is told."""

    ground: Ground
    database: str
    environment: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    def start(self, number: int) -> None:
        """Start so many more, and return when each is ready. Raises TouchstoneError where one is not."""
        begun = range(len(self.running), len(self.running) + number)
        for _ in begun:
            self.ports.append(servers.free_port())
            self.running.append(self._start(self.ports[-1]))
        for slot in begun:
            self._await(slot)

    def again(self, slot: int) -> None:
        """Start a worker in the place of one that has ended, without waiting for it."""
        self.running[slot] = self._start(self.ports[slot])

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        known = {
            "TOUCHSTONE_PRICING_DATABASE": self.database,
            "TOUCHSTONE_PRICING_BUS": self.ground.broker,
            "TOUCHSTONE_PRICING_MODELS": str(self.ground.models),
            "TOUCHSTONE_PRICING_PORT": str(port),
        }
        with (self.ground.folder / "workers.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "touchstone", "serve", "pricing"],
                env=os.environ | known | self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def _await(self, slot: int) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self.running[slot].poll() is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{self.ports[slot]}/readyz").is_success:
                    return
            time.sleep(0.1)
        raise TouchstoneError(f"a pricing worker does not become ready; {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of the workers' log."""
        lines = (self.ground.folder / "workers.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-5:])[-1500:]

    def kill(self, slot: int) -> None:
        """End a worker by SIGKILL, with no warning."""
        self.running[slot].kill()
        self.running[slot].wait()

    def kill_child(self, slot: int) -> bool:
        """End one of a worker's own processes by SIGKILL; return whether there was one."""
        for child in children(self.running[slot].pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                return True
        return False

    def stop(self) -> None:
        """End all workers in good order."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running, self.ports = [], []


def children(parent: int) -> list[int]:
    """Return the processes that a process has started (Linux: proc(5), fourth field of ``stat``)."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    found.append(int(place.name))
    return found
