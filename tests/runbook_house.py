"""A house for the commands of the runbooks: as `make up` runs it, on free ports, with something wrong in it.

The services, relays and servers are those of `make up`. Prometheus reads the exporters of a house in trouble
(tests/dashboards.py), so that every query finds what it asks for, and the servers' own; its rules are the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aio_pika
import httpx
import orjson
import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from alerts.command import GENERATED
from collectors.promise import load_promise
from deploy import house as houses
from deploy import servers
from deploy.place import Place
from deploy.servers.ports import free_ports
from deploy.supervisor import Supervisor
from services.bus.topology import EVENTS_EXCHANGE
from services.contract import STATUS_CHANGED
from tests.dashboards import House as Exporters
from tests.workers import ball

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from deploy.servers import AlertmanagerServer, PrometheusServer, RabbitServer, Server

PATIENCE_S: Final = 60.0
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of an account that lives for one test
EXPORTED: Final = ("shop", "crm", "mes", "pricing", "collector")
SPARE: Final = "pricing-2"  # a second worker costs its start, and answers as the first one does
TOKEN: Final = "of a collector that other machines reach"  # noqa: S105 - as above
FOREIGN_BODY: Final = b"this is no message of ours"
CALL: Final = """INSERT INTO adapter_calls (key, order_id, kind, payload, due_at, attempts, failure, refused)
VALUES ('by hand', 'R7K2-M4QF', 'withdraw', '{}', 0, 3, 'the vendor refuses to give it back', true) RETURNING number"""


@contextlib.contextmanager
def running(patch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Run the house; yields what a shell must know for the commands of any page. Raises Absent for want of a part."""
    folder = Path(tempfile.mkdtemp(prefix="touchstone-runbooks-"))
    folder.chmod(0o755)  # PostgreSQL's own user must be able to enter it
    place = Place(folder)
    place.logs.mkdir()
    _own_ports(patch, folder)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        database = stack.enter_context(servers.postgres(folder / "postgres"))
        broker = stack.enter_context(servers.rabbitmq(folder / "rabbitmq"))
        teller = stack.enter_context(servers.alertmanager(folder / "alertmanager", config=_routes()))
        watcher = stack.enter_context(servers.prometheus(folder / "prometheus"))
        exporters = Exporters(load_promise(), well=False)
        watcher.reload(_scraping(stack.enter_context(exporters.serving()), watcher, teller, broker, folder))
        asyncio.run(_asked(database.address, "postgres", *map('CREATE DATABASE "{}"'.format, houses.DATABASES)))
        house = houses.House(folder, database.address, broker.address)
        parts = [part for part in house.parts() if part.name != SPARE]
        watched: list[Server] = [database, broker, teller, watcher]
        supervisor = Supervisor(parts, folder, place.logs, watched, calm_s=0)
        stack.callback(_end, supervisor)
        stack.enter_context(_happening(exporters))
        supervisor.start()
        stack.enter_context(_looking(supervisor))
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in houses.PORTS.items()}
        theirs = {"PostgreSQL": database.address, "RabbitMQ": broker.management}
        place.tell(
            {**house.environment(), "TOUCHSTONE_TOKEN": TOKEN},
            addresses | theirs | {one.name: one.url for one in (watcher, teller)},
        )
        (folder / "lock").write_text(str(os.getpid()), encoding="ascii")
        (folder / "supervisor.log").write_text("the house is up\n", encoding="utf-8")
        yield {"UP": str(folder), **asyncio.run(_something_wrong(addresses, broker, database.address, folder))}


def _end(supervisor: Supervisor) -> None:
    """End every part at once: nobody needs what they would still store."""
    for child in supervisor.children.values():
        child.end(signal.SIGKILL)


def _own_ports(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let this house listen on ports of its own, and its file of systems name them."""
    own = dict(zip(houses.PORTS, free_ports(len(houses.PORTS)), strict=True))
    systems = houses.SYSTEMS.read_text(encoding="utf-8")
    for name, port in houses.PORTS.items():
        systems = systems.replace(f"127.0.0.1:{port}", f"127.0.0.1:{own[name]}")
    path = folder / "systems.yaml"
    path.write_text(f"{systems}collector: http://127.0.0.1:{own['collector']}\n", encoding="utf-8")
    patch.setattr(houses, "PORTS", own)
    patch.setattr(houses, "SYSTEMS", path)
    for name in [name for name in os.environ if name.startswith("TOUCHSTONE_")]:
        patch.delenv(name)
    patch.setenv("TOUCHSTONE_TOKEN", TOKEN)  # for the collector: what a command does not show it, it is refused


def _routes() -> Path:
    return GENERATED / "alertmanager.yaml"


def _scraping(
    exporters: str, watcher: PrometheusServer, teller: AlertmanagerServer, broker: RabbitServer, folder: Path
) -> dict[str, Any]:
    """Return what Prometheus does: the house's own scraping and rules, as often as a test needs."""
    rules = []
    for name in ("targets.yaml", "rules.yaml"):
        document = yaml.safe_load((GENERATED / name).read_text(encoding="utf-8"))
        groups = [{**group, "interval": "5s"} for group in document["groups"]]
        rules.append(folder / name)
        rules[-1].write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    metrics = broker.prometheus.removeprefix("http://").removesuffix("/metrics")
    config = houses.prometheus_configuration(metrics, alertmanager=True)
    for job in config["scrape_configs"]:
        if job["job_name"] in EXPORTED:
            job |= {"metrics_path": f"/{job['job_name']}", "static_configs": [{"targets": [exporters]}]}
        elif job["job_name"] in {"prometheus", "alertmanager"}:
            own = watcher.address if job["job_name"] == "prometheus" else teller.address
            job["static_configs"] = [{"targets": [own]}]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [teller.address]}]}]
    times = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "5s"}
    return {**config, "global": times, "rule_files": [str(path) for path in rules]}


@contextlib.contextmanager
def _happening(exporters: Exporters) -> Iterator[None]:
    """Let things happen in the exporters every second, so that rates are known."""
    with _repeating(exporters.happen, 1.0):
        yield


@contextlib.contextmanager
def _looking(supervisor: Supervisor) -> Iterator[None]:
    """Have what ends started again, as `make up` does."""
    with _repeating(supervisor.look, 0.1):
        yield


@contextlib.contextmanager
def _repeating(step: Any, every_s: float) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s):
            step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


async def _asked(server: str, database: str, *statements: str) -> list[Any]:
    """Run statements on a database, each by itself; return the rows of the last one, where it has any."""
    engine = create_async_engine(f"{server}/{database}", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        answers = [await connection.execute(text(statement)) for statement in statements]
        rows = list(answers[-1].all()) if answers[-1].returns_rows else []
    await engine.dispose()
    return rows


async def _something_wrong(
    addresses: dict[str, str], broker: RabbitServer, server: str, folder: Path
) -> dict[str, str]:
    """Have an order placed and messages given up; return the variables that commands take their subjects from."""
    model = ball(20)
    order = await _order(addresses["shop"], model)
    await _send(broker.address, "R7K2-M4QF", orjson.dumps(_unknown_status("R7K2-M4QF")))
    await _send(broker.address, "nobody", FOREIGN_BODY)
    (folder / "ring.stl").write_bytes(model)
    letters = await _letters(server)
    [(call,)] = await _asked(server, "mes", CALL)
    return {
        "ORDER": order,
        "LETTER": letters[False],
        "UNREADABLE": letters[True],
        "CALL": str(call),
        "WINDOW": await _window(addresses["collector"]),
        "MODEL": str(folder / "ring.stl"),
        "STAGE": "approval",
        "SEGMENT": "channel=b2b",
        "CLASS": "shop",
        "JOB": "crm",
        "CONSUMER": "crm",
        "QUEUE": "crm.events.0",
        "USER": "mira",
    }


async def _order(shop: str, model: bytes) -> str:
    """Order a piece of one's own drawing, and submit it."""
    async with httpx.AsyncClient(base_url=shop, timeout=30, trust_env=False) as client:
        login = {"email": "ada@example.org", "password": PASSWORD}
        (await client.post("/accounts", json={**login, "name": "Ada"})).raise_for_status()
        token = (await client.post("/sessions", json=login)).raise_for_status().json()["token"]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "first"}
        brought = await client.post("/models", content=model, headers=headers)
        wanted = {"model": brought.raise_for_status().json()["model"], "product": "ring"}
        placed = await client.post("/orders", json=wanted, headers=headers)
        order: str = placed.raise_for_status().json()["order"]
        (await client.post(f"/orders/{order}/submission", headers=headers)).raise_for_status()
        return order


async def _window(collector: str) -> str:
    """Declare a maintenance window that nobody will live to see; return its number."""
    shown = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=collector, headers=shown, timeout=30, trust_env=False) as client:
        far = {"begin": "2126-01-01T00:00:00Z", "end": "2126-01-02T00:00:00Z", "why": "a hundred years"}
        declared = await client.post("/maintenance", json=far)
        return str(declared.raise_for_status().json()["windows"][-1]["number"])


def _unknown_status(order: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "89c20d64-5721-45ae-a602-adc7c7f62e8c",
        "source": "/shop",
        "type": STATUS_CHANGED,
        "subject": order,
        "time": "2026-03-02T08:00:00Z",
        "sequence": "1",
        "sequencetype": "Integer",
        "data": {"status": "MELTED", "previous": None, "order": {"channel": "online", "product": "ring"}},
    }


async def _send(broker: str, subject: str, body: bytes) -> None:
    async with await aio_pika.connect(broker) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EVENTS_EXCHANGE, ensure=False)
        await exchange.publish(aio_pika.Message(body, headers={"subject": subject}), routing_key=STATUS_CHANGED)


async def _letters(server: str) -> dict[bool, str]:
    """Return the ids of the CRM's dead letters, once both are there, by whether nobody can read them."""
    until = time.monotonic() + PATIENCE_S
    found: dict[bool, str] = {}
    while len(found) < 2:
        assert time.monotonic() < until, "the CRM has not given up what it should"
        found = dict(await _asked(server, "crm", "SELECT place = 0, id FROM bus_held WHERE dead_at IS NOT NULL"))
        await asyncio.sleep(0.1)
    return found
