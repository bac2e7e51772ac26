"""Real parts for tests, started once a session on free ports of this machine and stopped at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import pytest

from deploy import servers
from deploy.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from deploy.servers import RabbitServer, S3Server, Toxiproxy

__all__ = ["free_port", "postgres", "rabbitmq", "s3", "started", "toxiproxy"]

Running = TypeVar("Running")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start PostgreSQL; the fixture is the address of its server, without a database."""
    with _in_a_folder(servers.postgres) as server:
        yield server.address


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitServer]:
    """Start RabbitMQ; a test gives its queues and exchanges names of their own."""
    with _in_a_folder(servers.rabbitmq) as server:
        yield server


@pytest.fixture(scope="session")
def toxiproxy() -> Iterator[Toxiproxy]:
    """Start Toxiproxy; a test makes the proxies that it needs."""
    with _in_a_folder(servers.toxiproxy) as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """Start S3; its bucket is shared by the tests of a session."""
    with _in_a_folder(servers.s3) as server:
        yield server


def absent(reason: str) -> NoReturn:
    """Skip the test for want of a part, or fail it where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def chromium() -> str:
    """Return the browser's program; where this machine has none, skip the test, or fail it where CI=true."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return found
    return absent("no Chromium here; install the package `chromium`")


@contextlib.contextmanager
def started(server: AbstractContextManager[Running]) -> Iterator[Running]:
    """Run a server; where this machine has none, skip the test, or fail it where CI=true."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(server)
        except servers.Absent as reason:
            absent(str(reason))
        yield running


@contextlib.contextmanager
def _in_a_folder(server: Callable[[Path], AbstractContextManager[Running]]) -> Iterator[Running]:
    # Not pytest's tmp_path: PostgreSQL's own user cannot enter it.
    home = Path(tempfile.mkdtemp(prefix="touchstone-server-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        yield stack.enter_context(started(server(home)))
