"""Servers that the measurements start and stop: PostgreSQL, and the live collector."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from deploy import servers
from deploy.servers import Absent, PostgresServer, free_port
from tests.bench.environments import Skipped
from tests.bench.processes import ProgramFailed, reap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S: Final = 60.0
SCHEME: Final = "postgresql+asyncpg://"


def until(ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    """Wait for a server. Raises ProgramFailed where it ends or takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ProgramFailed(f"{what} did not become ready")
        time.sleep(0.05)


class PostgreSQL:
    """A server of our own with its usual durability; a new database for each asker."""

    def __init__(self, server: PostgresServer) -> None:
        self._server, self._number = server, count()

    def database(self) -> str:
        """Create a database; return ``user@host:port/name``."""
        name, address = f"bench{next(self._number)}", self._server.address.removeprefix(SCHEME)
        psql = str(servers.postgresql.programs() / "psql")
        command = [psql, "-q", "-c", f"CREATE DATABASE {name}", f"postgresql://{address}/postgres"]
        made = subprocess.run(command, check=False, capture_output=True)
        if made.returncode:
            raise ProgramFailed(f"psql ended with status {made.returncode} making a database")
        return f"{address}/{name}"


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server in a temporary folder. Raises Skipped where there is none."""
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder, contextlib.ExitStack() as stack:
        try:
            # The folder itself is its maker's alone, and PostgreSQL may run as another user.
            Path(folder).chmod(0o755)
            server = stack.enter_context(servers.postgres(Path(folder) / "postgres", durable=True))
        except Absent as reason:
            raise Skipped(f"not installed: {reason}") from reason
        yield PostgreSQL(server)


class Collector:
    """A running ``touchstone serve collector``; ``usage`` once it has stopped: processor seconds and peak bytes."""

    def __init__(self, database: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.usage: tuple[float, int] = (0.0, 0)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving
        touchstone = str(Path(sys.executable).parent / "touchstone")
        command = [touchstone, "serve", "collector", "--port", str(port), "--database", database]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._errors)

    def __enter__(self) -> Self:
        try:
            until(self._ready, self._process, "the collector")
        except ProgramFailed:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            self.__exit__()
            raise ProgramFailed(f"the collector did not become ready: {said[-1][:200] if said else ''}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            self.usage = reap(self._process, time.perf_counter())[1:]
        self._errors.close()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == HTTPStatus.OK)
        except (urllib.error.URLError, OSError):
            return False
