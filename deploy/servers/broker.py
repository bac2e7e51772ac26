"""RabbitMQ on loopback, in a folder of its own: one node, with its own epmd, cookie, configuration and ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from deploy.servers.ports import free_ports
from deploy.servers.processes import Absent, Child, Server
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PACKAGED: Final = Path("/usr/lib/rabbitmq/bin")
_PLUGINS: Final = ("rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_consistent_hash_exchange")
_LOGIN: Final = ("guest", "guest")  # RabbitMQ's own first user, who may come from loopback only
_EPMD_PATIENCE_S: Final = 10.0


class Ports(NamedTuple):
    """Where one broker listens, all on loopback."""

    amqp: int
    management: int
    prometheus: int
    distribution: int
    epmd: int


class RabbitServer(Server):
    """A RabbitMQ node with the management, Prometheus and consistent-hash plugins."""

    name = "RabbitMQ"

    def __init__(self, home: Path, ports: Ports) -> None:
        super().__init__(home)
        self.ports = ports
        self.port = ports.amqp
        self.node = f"touchstone-{ports.amqp}@localhost"
        self._program, self._epmd_program = program(), _epmd()
        self._epmd: Child | None = None
        self._http = httpx.Client(base_url=self.management, auth=_LOGIN, timeout=10, trust_env=False)

    @property
    def address(self) -> str:
        """Where clients connect, with user and password."""
        return f"amqp://{':'.join(_LOGIN)}@127.0.0.1:{self.ports.amqp}/"

    @property
    def management(self) -> str:
        """The base of the management API and its pages; same user and password."""
        return f"http://127.0.0.1:{self.ports.management}"

    @property
    def prometheus(self) -> str:
        """Where Prometheus reads the broker's metrics."""
        return f"http://127.0.0.1:{self.ports.prometheus}/metrics"

    @property
    def environment(self) -> dict[str, str]:
        """What the node runs with; RabbitMQ's own commands (rabbitmqctl, ...) need it to reach this node."""
        return environment(self.home, self.node, self.ports, os.environ)

    def stop(self) -> None:
        """Stop the broker in good order, and epmd with it. Takes about 7 s, 5 of them a time-out within the broker."""
        try:
            super().stop()
        finally:
            self._end_epmd()

    def close(self) -> None:
        """End the broker at once and for good; what it has confirmed is on disk all the same."""
        try:
            self._end_child(self.abruptly)
        finally:
            self._end_epmd()
            self._http.close()

    def _launch(self) -> Child:
        if self._epmd is None or not self._epmd.running():
            self._end_epmd()
            self._start_epmd()
        (self.home / "conf.d").mkdir(exist_ok=True)
        (self.home / "rabbitmq.conf").write_text(configuration(self.ports), encoding="utf-8")
        (self.home / "enabled_plugins").write_text(f"[{','.join(_PLUGINS)}].\n", encoding="utf-8")
        return Child([self._program], home=self.home, log=self.home / "rabbitmq.log", environment=self.environment)

    def _ready(self) -> bool:
        """Whether it takes clients, which it does last of all, and is well."""
        if not _listening(self.ports.amqp):
            return False
        try:
            return self._http.get("/api/health/checks/alarms").is_success
        except httpx.TransportError:
            return False

    def _start_epmd(self) -> None:
        """Run epmd as a child of ours: Erlang would start one as a daemon, which outlives the broker."""
        command = [self._epmd_program, "-address", "127.0.0.1", "-port", str(self.ports.epmd)]
        self._epmd = Child(command, home=self.home, log=self.home / "epmd.log")
        deadline = time.monotonic() + _EPMD_PATIENCE_S
        while not _listening(self.ports.epmd):
            if not self._epmd.running() or time.monotonic() > deadline:
                raise TouchstoneError(f"epmd does not listen on port {self.ports.epmd}: {self._epmd.said()}")
            time.sleep(0.02)

    def _end_epmd(self) -> None:
        epmd, self._epmd = self._epmd, None
        if epmd is not None:
            epmd.end()


@contextlib.contextmanager
def rabbitmq(
    home: Path, port: int | None = None, *, management_port: int | None = None, durable: bool = False
) -> Iterator[RabbitServer]:
    """Run RabbitMQ with its data under a folder. Raises Absent where there is none.

    Durable means that it is stopped in good order at the end; else it is killed, which is faster.
    A node's data belongs to its name, which holds its port: to use data from before, give the same port.
    """
    amqp, management, *others = free_ports(5)
    server = RabbitServer(home, Ports(port or amqp, management_port or management, *others))
    with contextlib.ExitStack() as stack:
        stack.callback(server.close)
        if durable:
            stack.callback(server.stop)
        server.start()
        yield server


def configuration(ports: Ports) -> str:
    """Return rabbitmq.conf of a node: loopback only, small, its log on standard output."""
    settings = {
        "listeners.tcp.1": f"127.0.0.1:{ports.amqp}",
        "management.tcp.ip": "127.0.0.1",
        "management.tcp.port": ports.management,
        "prometheus.tcp.ip": "127.0.0.1",
        "prometheus.tcp.port": ports.prometheus,
        "log.file": "false",
        "log.console": "true",
        "log.console.level": "info",
        "log.console.use_colors": "off",
        "disk_free_limit.absolute": "50MB",
        "vm_memory_high_watermark.absolute": "1GB",
        # Half a gigabyte by default, of disk and up to as much of memory.
        "raft.wal_max_size_bytes": 64_000_000,
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def environment(home: Path, node: str, ports: Ports, base: Mapping[str, str]) -> dict[str, str]:
    """Return a node's environment: all of it under one folder, and nothing of another broker on this machine."""
    kept = {name: value for name, value in base.items() if not name.startswith(("RABBITMQ_", "ERL_", "NOTIFY_"))}
    return kept | {
        "HOME": str(home),  # where Erlang makes and finds the cookie
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "rabbitmq.pid"),
        "RABBITMQ_SCHEMA_DIR": str(home / "schema"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(home / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_CRASH_DUMP": str(home / "erl_crash.dump"),
        # Several brokers on one machine must not all be bound to the same first cores.
        "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
        # Busy waiting is off by the scripts' own defaults; two schedulers are enough, and start sooner.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +A 4 -kernel inet_dist_use_interface {127,0,0,1}",
        # The script then becomes the broker, so that our child is the broker itself and not a shell that waits for it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def program(packaged: Path = _PACKAGED) -> str:
    """Return RabbitMQ's own start script. Raises Absent.

    What Debian puts on PATH is a wrapper, which insists on the user rabbitmq and its folders; the real one stands
    beside rabbitmq-env.
    """
    on_path = shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    for folder in (*([Path(on_path).resolve().parent] if on_path else []), packaged):
        if (folder / "rabbitmq-env").exists() and (folder / "rabbitmq-server").exists():
            return str(folder / "rabbitmq-server")
    raise Absent(f"RabbitMQ (rabbitmq-server beside rabbitmq-env) is neither on PATH nor in {packaged}")


def _epmd() -> str:
    found = shutil.which("epmd")
    if found is None or shutil.which("erl") is None:
        raise Absent("RabbitMQ needs Erlang (erl and epmd), which is not on PATH")
    return found


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
