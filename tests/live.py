"""A collector under test: its app without a network, a clock that stands still, and events to send it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import orjson

from collectors.live.app import Service, create_app, create_service
from collectors.live.reading import BATCHED
from collectors.live.settings import Settings
from collectors.replay import micros

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from services.bus import Transport

START: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
PROMISE: Final = """
touchstone: 1
name: short
statuses: {main: [NEW, PAID, MADE, PACKED, SENT], off: [ASKED], cancelled: [VOID]}
stages:
  - {name: payment, in: [NEW], kind: wait, budget: 1h}
  - {name: making, in: [PAID], kind: work, budget: 3h}
  - {name: customer, in: [ASKED], kind: wait, pauses: true}
  - {name: packing, in: [MADE], kind: work, budget: 2h}
promise: {from: NEW, to: SENT, within: 8h, overrides: [{when: {channel: b2b}, within: 5h}]}
segments: [channel]
log: {format: cloudevents}
"""
BY_PROMISE: Final = PROMISE.replace("within: 8h, overrides: [{when: {channel: b2b}, within: 5h}]", "by: promised_at")


class Clock:
    """A clock that moves only when told; microseconds since 1970 UTC."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return the present moment."""
        return micros(self.now)


@dataclass
class Live:
    """A running collector and a client of it."""

    service: Service
    client: httpx.AsyncClient
    clock: Clock

    async def send(self, *messages: Any) -> dict[str, int]:
        """Send a batch of messages, and return the receipt."""
        answer = await self.client.post("/events", content=orjson.dumps(messages), headers={"content-type": BATCHED})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        receipt: dict[str, int] = answer.json()
        return receipt

    async def get(self, path: str, **query: Any) -> Any:
        """Return the JSON at a path."""
        answer = await self.client.get(path, params=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    async def stages(self, as_of: datetime) -> dict[str, Any]:
        """Return the stage table as of a moment."""
        found: dict[str, Any] = await self.get("/stages", as_of=as_of.isoformat())
        return found

    async def metrics(self) -> dict[str, float]:
        """Return every sample but buckets, by name and labels as Prometheus writes them."""
        answer = await self.client.get("/metrics")
        lines = [line for line in answer.text.splitlines() if not line.startswith("#") and "_bucket{" not in line]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def settings(folder: Path, database: str | None = None, promise: str = PROMISE, **changed: Any) -> Settings:
    """Return settings of a collector that keeps its files in a folder, and takes no picture twice."""
    path = folder / "promise.yaml"
    path.write_text(promise, encoding="utf-8")
    address = database or f"sqlite+aiosqlite:///{folder / 'live.db'}"
    return Settings(**{"database": address, "promise": path, "picture_seconds": 0, **changed})


@contextlib.asynccontextmanager
async def running(
    configured: Settings,
    clock: Clock | None = None,
    transport: Transport | None = None,
    networks: Mapping[str, httpx.AsyncBaseTransport] | None = None,
) -> AsyncIterator[Live]:
    """Run a collector, maybe on a bus of this process and with watched systems that need no network."""
    clock = clock or Clock()
    service = create_service(configured, clock, transport, networks)
    app = create_app(configured, service)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector") as client,
    ):
        await asyncio.sleep(0)  # its own first turn has begun: whoever asks for another one comes after it
        yield Live(service, client, clock)


def mixer(seed: int) -> Random:
    """Return a source of chance that gives the same every time."""
    return Random(seed)  # noqa: S311 - nothing secret


def event(order: str, status: str, hours: float, *, source: str = "/shop", key: str | None = None, **more: Any) -> Any:
    """Return a status event ``hours`` after START. ``sequence`` and attributes of the order may follow."""
    sequence = more.pop("sequence", None)
    message: dict[str, Any] = {
        "specversion": "1.0",
        "id": key or f"{order}-{source}-{status}-{hours}",
        "source": source,
        "type": "order.status.changed.v1",
        "subject": order,
        "time": (START + timedelta(hours=hours)).isoformat(),
        "data": {"status": status, "order": more},
    }
    return message if sequence is None else {**message, "sequence": str(sequence)}


def whole_order(order: str, *, begin: float = 0, step: float = 1, **attributes: Any) -> Sequence[Any]:
    """Return the events of an order that goes through every stage, ``step`` hours in each."""
    line = ("NEW", "PAID", "MADE", "PACKED", "SENT")
    return [
        event(order, status, begin + place * step, sequence=place + 1, **attributes)
        for place, status in enumerate(line)
    ]


def accounted(collector: Live) -> list[np.ndarray[Any, Any]]:
    """Return copies of all that the collector's ledger holds, its segments in the order of their names."""
    account = collector.service.signalling.account
    ledger, line = account.ledger, [0, *(1 + np.argsort(account.segments)).tolist()]
    held = (ledger._time, ledger._inside, ledger._entries, ledger._departures)  # noqa: SLF001 - all that it holds
    return [array[:, line] for array in held]


async def accounted_again(collector: Live) -> list[np.ndarray[Any, Any]]:
    """Return what the ledger holds when all of the past is read anew."""
    await collector.service.signalling.start()
    await collector.service.signalling.turn()
    return accounted(collector)
