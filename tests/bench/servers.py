"""Servers that the measurements start and stop: PostgreSQL, and the live collector."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
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

from tests.bench.environments import Skipped
from tests.bench.processes import ProgramFailed, reap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S: Final = 60.0
USER: Final = "postgres"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    """Wait for a server. Raises ProgramFailed where it ends or takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ProgramFailed(f"{what} did not become ready")
        time.sleep(0.05)


class PostgreSQL:
    """A server of our own in a temporary folder, with its usual durability; a new database for each asker."""

    def __init__(self, programs: Path, port: int) -> None:
        self._programs, self._port, self._number = programs, port, count()

    def database(self) -> str:
        """Create a database; return ``user@host:port/name``."""
        name = f"bench{next(self._number)}"
        server = ["-h", "127.0.0.1", "-p", str(self._port), "-U", USER]
        made = subprocess.run([str(self._programs / "createdb"), *server, name], check=False, capture_output=True)
        if made.returncode:
            raise ProgramFailed(f"createdb ended with status {made.returncode}")
        return f"{USER}@127.0.0.1:{self._port}/{name}"

    def ready(self) -> bool:
        """Whether it answers."""
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, check=False).returncode == 0


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server. Raises Skipped where there is none."""
    programs = _programs()
    identity = _nobody()
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        if identity:
            os.chown(folder, *identity)
        data = str(Path(folder) / "data")
        initdb = [str(programs / "initdb"), "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        with _quiet(initdb, folder, identity) as process:
            if process.wait():
                raise Skipped(f"initdb ended with status {process.returncode}")
        port = free_port()
        command = [str(programs / "postgres"), "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
        with _quiet(command, folder, identity) as process:
            try:
                server = PostgreSQL(programs, port)
                until(server.ready, process, "PostgreSQL")
                yield server
            finally:
                process.send_signal(signal.SIGINT)  # the fast shutdown, which waits for no client


def _quiet(command: list[str], folder: str, identity: tuple[int, int] | None) -> subprocess.Popen[bytes]:
    user, group = identity or (None, None)
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=silent, stderr=silent, cwd=folder, user=user, group=group)


def _programs() -> Path:
    beside = [Path(found).parent for found in (shutil.which("initdb"),) if found]
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in (*beside, *packaged):
        if all((folder / name).exists() for name in ("initdb", "postgres", "createdb", "pg_isready")):
            return folder
    raise Skipped("not installed: PostgreSQL's initdb and postgres are neither in PATH nor packaged")


def _nobody() -> tuple[int, int] | None:
    # PostgreSQL refuses to run as root.
    if os.geteuid():
        return None
    user = pwd.getpwnam("nobody")
    return user.pw_uid, user.pw_gid


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
