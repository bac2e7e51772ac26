"""Real parts for tests, started once a session on free ports of this machine and stopped at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

from deploy import servers
from deploy.servers import free_port
from deploy.servers.programs import cache, program
from tests.promlib import promlib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from deploy.servers import AlertmanagerServer, PrometheusServer, RabbitServer, S3Server, Toxiproxy
    from tests.promlib import Promlib

__all__ = [
    "amtool",
    "chromium",
    "free_port",
    "grafana_schema",
    "pint",
    "postgres",
    "promtool",
    "rabbitmq",
    "running_alertmanager",
    "running_prometheus",
    "running_promlib",
    "s3",
    "sloth",
    "started",
    "toxiproxy",
]

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


def promtool() -> str:
    """Return the program that checks and tests Prometheus' rules; skip or fail as `chromium` does."""
    return _on_path("promtool", "prometheus")


def amtool() -> str:
    """Return the program that checks Alertmanager's configuration; skip or fail as `chromium` does."""
    return _on_path("amtool", "prometheus-alertmanager")


def _on_path(name: str, package: str) -> str:
    return shutil.which(name) or absent(f"no {name} here; install the package `{package}`")


def pint() -> str:
    """Return the linter of rules; skip or fail as `chromium` does."""
    try:
        return program("pint", "the linter of rules")
    except servers.Absent as reason:
        absent(str(reason))


def sloth() -> str:
    """Return the generator of burn-rate rules that drills compare with; skip or fail as `chromium` does."""
    try:
        return program("sloth", "the generator of burn-rate rules")
    except servers.Absent as reason:
        absent(str(reason))


def grafana_schema() -> Path:
    """Return a folder whose node_modules hold @grafana/schema and typescript; skip or fail as `chromium` does."""
    folder = cache() / "grafana-schema"
    if shutil.which("node") is None or not (folder / "node_modules" / "@grafana" / "schema").is_dir():
        absent(f"no node, or no @grafana/schema in {folder}; deploy/parts installs it where npm is")
    return folder


def running_prometheus(
    config: Mapping[str, Any] | None = None, **options: Any
) -> AbstractContextManager[PrometheusServer]:
    """Run Prometheus in a folder of its own; the rest as `deploy.servers.prometheus` has it."""
    return _in_a_folder(lambda home: servers.prometheus(home, config=config, **options))


def running_alertmanager(
    config: Path | Mapping[str, Any] | None = None,
) -> AbstractContextManager[AlertmanagerServer]:
    """Run Alertmanager in a folder of its own."""
    return _in_a_folder(lambda home: servers.alertmanager(home, config=config))


def running_promlib(prometheus: str, interval: str = "15s") -> AbstractContextManager[Promlib]:
    """Run Grafana's query backend over the Prometheus at an address. ``interval``: as its data source says."""
    return _in_a_folder(lambda home: promlib(home, prometheus, interval))


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
