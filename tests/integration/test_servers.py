"""Real servers start, survive what the fault runs do to them, and leave nothing running behind them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aio_pika
import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest

from deploy import servers
from instrumentation.errors import TouchstoneError
from tests.parts import amtool, promtool, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aio_pika.abc import AbstractIncomingMessage

    from deploy.servers import Proxy, RabbitServer, Toxiproxy

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 60.0
STARTER: Final = """
import pathlib, sys, time
from deploy import servers
with getattr(servers, sys.argv[1])(pathlib.Path(sys.argv[2])) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""


async def declared(address: str, name: str) -> None:
    """Declare a hash exchange bound to a quorum queue with one consumer at a time, and publish one lasting message."""
    async with await aio_pika.connect(address) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(name, "x-consistent-hash", durable=True)
        arguments: dict[str, Any] = {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": 20,
            "x-dead-letter-strategy": "at-least-once",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{name}.dead",
            "x-overflow": "reject-publish",
        }
        queue = await channel.declare_queue(name, durable=True, arguments=arguments)
        await queue.bind(exchange, routing_key="10")
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(message, routing_key="4711")


async def waiting(address: str, name: str) -> bytes:
    """Return the body of a queue's first message, and leave it there unacknowledged.

    The queue's own count is not asked: a quorum queue that has just recovered may still say zero.
    """
    first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def take(message: AbstractIncomingMessage) -> None:
        first.set_result(message.body)

    async with await aio_pika.connect(address) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.declare_queue(name, passive=True)
        await queue.consume(take)
        return await asyncio.wait_for(first, PATIENCE_S)


async def test_a_confirmed_message_survives_a_restart_and_a_kill(rabbitmq: RabbitServer) -> None:
    """Quorum queues, single active consumers, hash exchanges and at-least-once dead-lettering are all there."""
    await declared(rabbitmq.address, "servers-survive")
    pids = [rabbitmq.pid]
    for disturb in (rabbitmq.restart, rabbitmq.kill):
        await asyncio.to_thread(disturb)
        pids.append(rabbitmq.pid)
        assert await waiting(rabbitmq.address, "servers-survive") == b"kept"
    assert len(set(pids)) == 3


def test_the_broker_has_every_feature_that_dead_lettering_needs(rabbitmq: RabbitServer) -> None:
    """A message is dead-lettered at least once only where the feature flag stream_queue is enabled."""
    flags = httpx.get(f"{rabbitmq.management}/api/feature-flags", auth=("guest", "guest")).raise_for_status().json()
    assert {flag["name"] for flag in flags if flag["state"] == "enabled"} >= {"quorum_queue", "stream_queue"}
    assert "rabbitmq_identity_info" in httpx.get(rabbitmq.prometheus).raise_for_status().text


def test_a_server_restarted_in_a_thread_outlives_the_thread(rabbitmq: RabbitServer) -> None:
    """The death of the thread that started a server is not the death of its process."""
    thread = threading.Thread(target=rabbitmq.kill)
    thread.start()
    thread.join()
    pid = rabbitmq.pid
    time.sleep(0.5)
    assert pid is not None
    assert alive(pid)
    assert httpx.get(f"{rabbitmq.management}/api/overview", auth=("guest", "guest")).json()["node"] == rabbitmq.node


def test_two_brokers_share_nothing_and_leave_nothing_running(rabbitmq: RabbitServer, tmp_path: Path) -> None:
    before = children()
    with servers.rabbitmq(tmp_path / "other") as other:
        assert {*other.ports}.isdisjoint(rabbitmq.ports)
        assert children() - before
    assert children() == before


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that PostgreSQL's own user can enter, which cannot be said of pytest's."""
    home = Path(tempfile.mkdtemp(prefix="touchstone-server-"))
    try:
        yield home
    finally:
        shutil.rmtree(home)


async def executed(server: servers.PostgresServer, statement: str) -> list[int]:
    """Run one statement in a connection of its own; return the first column of its rows."""
    connection = await asyncpg.connect(host="127.0.0.1", port=server.port, user="postgres", database="postgres")
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


@pytest.mark.parametrize("durable", [False, True])
async def test_postgres_keeps_what_was_committed(durable: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    """A committed row is there after a restart, after a crash, and for the next server on the same folder."""
    with folder() as home:
        with started(servers.postgres(home, durable=durable)) as server:
            await executed(server, "create table kept (number int)")
            for number, disturb in enumerate((server.restart, server.kill)):
                await executed(server, f"insert into kept values ({number})")
                disturb()
                assert await executed(server, "select number from kept order by 1") == [*range(number + 1)]
            assert await executed(server, "select (current_setting('fsync') = 'on')::int") == [durable]
        with started(servers.postgres(home, durable=durable)) as server:
            assert await executed(server, "select count(*)::int from kept") == [2]


@pytest.fixture
def echo() -> Iterator[str]:
    """Listen on a port and answer every line with itself; yields host:port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def answer(connection: socket.socket) -> None:
    """Send back what comes, until the other end is gone."""
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(1024):
            connection.sendall(data)


@pytest.fixture
def proxied(toxiproxy: Toxiproxy, echo: str) -> Proxy:
    """Put a proxy before the echo."""
    return toxiproxy.proxy(f"echo-{echo.rpartition(':')[2]}", echo)


def connected(proxy: Proxy) -> socket.socket:
    """Connect through a proxy and see one answer."""
    connection = socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE_S)
    connection.sendall(b"first")
    assert connection.recv(1024) == b"first"
    return connection


def test_a_reset_reaches_an_idle_connection_and_the_next_one_works(proxied: Proxy) -> None:
    with connected(proxied) as connection:
        proxied.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1024)
    connected(proxied).close()


def test_a_cut_refuses_connections_until_it_is_restored(proxied: Proxy) -> None:
    with connected(proxied) as connection:
        proxied.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1024)
    with pytest.raises(ConnectionRefusedError):
        connected(proxied)
    proxied.restore()
    connected(proxied).close()


def test_latency_delays_an_open_connection_until_it_is_restored(proxied: Proxy) -> None:
    """An answer does not come while it is delayed by ten minutes, and comes when the delay is taken away."""
    with connected(proxied) as connection:
        proxied.latency(600_000)
        connection.sendall(b"slow")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1024)
        proxied.restore()
        connection.settimeout(PATIENCE_S)
        assert connection.recv(1024) == b"slow"


def test_a_stalled_connection_stays_open_and_silent(proxied: Proxy) -> None:
    with connected(proxied) as connection:
        proxied.stall()
        connection.sendall(b"lost")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1024)
    proxied.restore()
    connected(proxied).close()


def test_a_refusal_of_toxiproxy_is_told(toxiproxy: Toxiproxy, echo: str) -> None:
    toxiproxy.proxy("taken", echo)
    with pytest.raises(TouchstoneError, match=r"Toxiproxy refused POST /proxies: .*already exists"):
        toxiproxy.proxy("taken", echo)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["toxiproxy", "postgres", "s3", "prometheus", "alertmanager"])
def test_a_server_ends_with_its_starter(name: str, how: signal.Signals, request: pytest.FixtureRequest) -> None:
    """Kill -9 leaves its victim no chance to stop its servers; they end all the same, as after Ctrl-C."""
    # Each skips where this machine has no such server.
    programs = {"prometheus": promtool, "alertmanager": amtool}
    programs[name]() if name in programs else request.getfixturevalue(name)
    with folder() as home:
        command = [sys.executable, "-c", STARTER, name, str(home)]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=quiet) as starter:
            assert starter.stdout is not None
            pid = int(starter.stdout.readline())
            assert alive(pid)
            starter.send_signal(how)
        deadline = time.monotonic() + PATIENCE_S
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(pid)


def test_a_server_that_cannot_start_says_why(toxiproxy: Toxiproxy, tmp_path: Path) -> None:
    """A port that is taken is named by the server's own last words, and nothing is left running."""
    before = children()
    with (
        pytest.raises(TouchstoneError, match=r"(?s)ended as soon as it was started; .*address already in use"),
        servers.toxiproxy(tmp_path, toxiproxy.proxy("holder", "127.0.0.1:9").port),
    ):
        pass
    assert children() == before


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children() -> set[int]:
    """Return the processes that this one started and that run, servers and their guards."""
    own = str(os.getpid())
    stats = [path.read_text(encoding="utf-8") for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return {int(stat.split()[0]) for stat in stats if stat.rpartition(")")[2].split()[1] == own}
