"""PostgreSQL on loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.servers.ports import free_port
from deploy.servers.processes import Absent, Child, Server
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGED: Final = Path("/usr/lib/postgresql")
_PROGRAMS: Final = ("initdb", "postgres")
_USERS: Final = ("postgres", "nobody")


class PostgresServer(Server):
    """A PostgreSQL server; its user is `postgres`, and whoever reaches loopback is trusted."""

    name = "PostgreSQL"
    gently = signal.SIGINT  # its "fast shutdown": does not wait for clients to go
    # Its "immediate shutdown": nothing is flushed, and the next start recovers. After kill -9 of its first process the
    # others may hold its memory for a moment, and keep the next start from working.
    abruptly = signal.SIGQUIT

    def __init__(self, home: Path, port: int, *, durable: bool) -> None:
        super().__init__(home)
        self.port, self.durable = port, durable
        self._programs = programs()
        self._user = _unprivileged(home)
        self._data = home / "data"

    @property
    def address(self) -> str:
        """The server's address for SQLAlchemy, without a database."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}"

    def _launch(self) -> Child:
        if not (self._data / "PG_VERSION").exists():
            self._make()
        # No socket file: its path may be at most 107 bytes long, and folders of tests are longer.
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-c", "max_connections=300"]
        if not self.durable:
            options.append("-F")  # stored once the server has it: tests kill servers, never the machine
        return Child(
            [*self._user, str(self._programs / "postgres"), "-D", str(self._data), *options],
            home=self.home,
            log=self.home / "postgres.log",
            if_orphaned=self.abruptly,
        )

    def _ready(self) -> bool:
        """Whether this very process has written that it is ready; a file from before a crash names another."""
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return False
        return lines[0] == str(self.pid) and len(lines) > 7 and lines[7].strip() == "ready"

    def _make(self) -> None:
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", *([] if self.durable else ["--no-sync"])]
        words = [*self._user, str(self._programs / "initdb"), "-D", str(self._data), *options]
        done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)  # noqa: S603 - initdb
        if done.returncode:
            raise TouchstoneError(
                f"initdb could not make a database in {self._data}:\n{done.stdout}{done.stderr}".strip()
            )


@contextlib.contextmanager
def postgres(home: Path, port: int | None = None, *, durable: bool = False) -> Iterator[PostgresServer]:
    """Run PostgreSQL with its data under a folder. Raises Absent where there is none.

    Durable means that it outlives a power cut, and costs an fsync a transaction.
    """
    server = PostgresServer(home, port or free_port(), durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def programs(packaged: Path = _PACKAGED) -> Path:
    """Return the folder of PostgreSQL's programs: the one on PATH, else the newest packaged one. Raises Absent."""
    on_path = shutil.which("postgres") or shutil.which("pg_ctl")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted((path / "bin" for path in packaged.glob("*")), key=_version, reverse=True)
    for folder in found:
        if all((folder / name).exists() for name in _PROGRAMS):
            return folder
    raise Absent(f"PostgreSQL ({' and '.join(_PROGRAMS)}) is neither on PATH nor in {packaged}")


def _version(folder: Path) -> float:
    with contextlib.suppress(ValueError):
        return float(folder.parent.name)
    return 0.0


def _unprivileged(home: Path) -> list[str]:
    """Give a folder to a user that PostgreSQL accepts, and return how to run a command as that user."""
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next((known[name] for name in _USERS if name in known), None)
    if user is None or shutil.which("setpriv") is None:
        raise Absent("PostgreSQL refuses root, and there is no setpriv, or neither of the users postgres and nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if subprocess.run([*as_user, "test", "-x", str(home)], cwd="/", check=False).returncode:  # noqa: S603 - constants
        raise TouchstoneError(
            f"PostgreSQL runs as the user {user.pw_name} here, who cannot enter {home}: a folder above it is private;"
            " choose a folder that others may enter"
        )
    return as_user
