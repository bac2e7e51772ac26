"""Real parts for tests, started once a session on free ports of this machine and stopped at its end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGED: Final = Path("/usr/lib/postgresql")
_USERS: Final = ("postgres", "nobody")


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start PostgreSQL; the fixture is the address of its server, without a database."""
    binaries = _postgres_binaries()
    with contextlib.ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="touchstone-postgres-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        user = _unprivileged(home)
        # A transaction is as good as stored here once the server has it: the tests kill clients, not servers.
        port = free_port()
        options = f"-p {port} -h 127.0.0.1 -k {home} -F"
        data = home / "data"
        _run(user, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        _run(user, binaries / "pg_ctl", "-D", data, "-l", home / "log", "-w", "-o", options, "start")
        stack.callback(_run, user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}"


def _postgres_binaries() -> Path:
    on_path = shutil.which("pg_ctl")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted((path / "bin" for path in _PACKAGED.glob("*")), reverse=True)
    for folder in found:
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    return _absent("PostgreSQL (initdb, pg_ctl, postgres) is neither on PATH nor in /usr/lib/postgresql")


def _absent(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _unprivileged(home: Path) -> list[str]:
    """Give a folder to a user that PostgreSQL accepts, and return how to run a command as that user."""
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next((known[name] for name in _USERS if name in known), None)
    if user is None or shutil.which("setpriv") is None:
        return _absent("PostgreSQL refuses root, and there is no setpriv, or neither of the users postgres and nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _run(user: list[str], *command: str | Path) -> None:
    # Not piped: a server that pg_ctl starts would hold the pipe open for as long as it lives.
    with tempfile.TemporaryFile() as output:
        words = [*user, *map(str, command)]
        done = subprocess.run(words, cwd="/", stdout=output, stderr=subprocess.STDOUT, check=False)
        output.seek(0)
        assert done.returncode == 0, output.read().decode()
