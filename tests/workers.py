"""The pricing workers under test: the service on embedded parts, somebody who asks it for prices, and models."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine

from pricing.calculation import measured
from pricing.messages import (
    PRICE_CALCULATE,
    PRICE_CALCULATED,
    PRICE_PROGRESSED,
    PRICE_REFUSED,
    PriceCalculate,
    PriceClass,
)
from pricing.sandbox import PICTURE, ModelRead, TaskKind
from pricing.storage import create_store
from pricing.workers import tables
from pricing.workers.app import Service, create_service
from pricing.workers.bench import Bench
from pricing.workers.scheduling import Fair
from pricing.workers.settings import Settings
from pricing.workers.working import Worker
from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pricing.sandbox import Child, Event, Task
    from pricing.storage import ModelStore
    from services.bus import Message

    Act = Exception | Callable[[], Awaitable[object]]
    Watch = Callable[[Event], object]

ASKER: Final = "mes"
PATIENCE_S: Final = 60.0  # for a machine that is busy with others
ANSWERS: Final = (PRICE_CALCULATED, PRICE_REFUSED)


def stl(corners: NDArray[np.float64]) -> bytes:
    """Return triangles of shape (n, 3, 3) as a binary STL."""
    record = np.zeros(len(corners), np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")]))
    record["corners"] = corners
    return bytes(80) + len(corners).to_bytes(4, "little") + record.tobytes()


def ball(rings: int, radius_mm: float = 8.0) -> bytes:
    """Return a closed ball of ``4 * rings * (rings - 1)`` triangles as a binary STL."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.arange(2 * rings) * np.pi / rings, indexing="ij")
    points = radius_mm * np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1
    )
    points[0], points[-1] = (0, 0, radius_mm), (0, 0, -radius_mm)
    a, b = points[:-1], points[1:]
    c, d = np.roll(b, -1, axis=1), np.roll(a, -1, axis=1)
    lower = np.stack([a, b, c], axis=2)[:-1].reshape(-1, 3, 3)
    upper = np.stack([a, c, d], axis=2)[1:].reshape(-1, 3, 3)
    return stl(np.concatenate([lower, upper]))


def plate(thickness_mm: float) -> bytes:
    """Return a plate of 20 x 20 mm as a binary STL."""
    low, high = np.zeros(3), np.array([20.0, 20.0, thickness_mm])
    faces = []
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        for side in (0, 1):
            corner = [np.where(np.arange(3) == axis, high * side, low).astype(float) for _ in range(4)]
            for point, (u, v) in zip(corner, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
                point[one], point[other] = high[one] * u, high[other] * v
            a, b, c, d = corner if side else corner[::-1]
            faces += [(a, b, c), (a, c, d)]
    return stl(np.array(faces))


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class InProcess:
    """Stands for a child: measures in the test's own process, and does what it is told to do first.

    ``acts``: what the next runs do, an error to raise or something to wait for; shared by children that share it.
    ``told``: how many triangles it says that it has read, if not as many as there are.
    """

    def __init__(self, acts: list[Act] | None = None, told: int | None = None) -> None:
        self.acts: list[Act] = [] if acts is None else acts
        self.told = told
        self.tasks: list[Task] = []
        self.pid = None
        self.paused = False

    async def run(self, task: Task, watch: Watch, allowance: object = None, marks: Any = None) -> Any:
        """Compute a task."""
        del allowance
        self.tasks.append(task)
        act = self.acts.pop(0) if self.acts else None
        if isinstance(act, Exception):
            raise act
        if task.kind is TaskKind.PICTURE:
            return {"picture": _drawn(task)}
        assert task.kind is TaskKind.MEASURE
        assert task.model is not None
        found = measured(task.model, task.limits, task.unit, options=task.options, plausible=task.plausible)
        watch(ModelRead(triangles=self.told or found.file_triangles, file_bytes=_size(task.model)))
        if act is not None:
            await act()
        marks(found)
        return {"measured": found.to_document(), "picture": _drawn(task)}

    async def warm(self) -> None:
        """Start nothing."""

    def pause(self) -> None:
        """Be stopped."""
        self.paused = True

    def resume(self) -> None:
        """Go on."""
        self.paused = False

    async def close(self) -> None:
        """End nothing."""


def _size(path: Path) -> int:
    return path.stat().st_size


def _drawn(task: Task) -> str:
    (task.folder / PICTURE).write_bytes(f"a picture with {task.marks}".encode())
    return PICTURE


async def new_database(server: str) -> str:
    """Return the address of an empty database of a PostgreSQL server."""
    name = f"pricing_{uuid.uuid4().hex}"
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return f"{server}/{name}"


@dataclass
class Room:
    """The pricing service, and somebody who asks it."""

    service: Service
    models: ModelStore
    asker: Bus
    heard: list[Message] = field(default_factory=list)

    async def put(self, model: bytes) -> str:
        """Store a model as the shop does; return its name."""

        async def parts() -> AsyncIterator[bytes]:
            yield model

        return (await self.models.put(parts())).name

    async def ask(self, model: str, order: str = "4711", queue: str = PriceClass.SHOP.queue, **wanted: Any) -> str:
        """Ask for a price; return the request's id."""
        data = PriceCalculate(model=model, reply_to=ASKER, **({"channel": "web"} | wanted)).document()

        async def work(connection: AsyncConnection) -> str:
            return (await self.asker.send(connection, queue, PRICE_CALCULATE, order, data)).id

        return await self.asker.database.write(work)

    def answers(self, request: str | None = None) -> list[Message]:
        """Return the answers heard so far: all, or those to a request."""
        final = [message for message in self.heard if message.type in ANSWERS]
        return [one for one in final if request in (None, one.data["request"])]

    def progress(self, request: str) -> list[float]:
        """Return what was heard of a request's progress."""
        told = [one for one in self.heard if one.type == PRICE_PROGRESSED]
        return [one.data["progress"] for one in told if one.data["request"] == request]

    async def answer(self, request: str) -> Message:
        """Wait for the answer to a request."""
        await until(lambda: bool(self.answers(request)))
        return self.answers(request)[0]

    def worker(self, name: str, child: InProcess) -> Worker:
        """Return one more worker, whose two children are one."""
        bench = Bench(cast("Child", child), self.models, self.service.tools.desk.pricer.materials)
        return Worker(name, self.service.tools, bench, bench, Fair())

    async def measurings(self) -> list[dict[str, Any]]:
        """Return all that is stored of measurings."""
        async with self.service.database.reading() as connection:
            return [dict(row) for row in (await connection.execute(select(tables.measurings))).mappings()]


async def worked(room: Room, clock: Clock, child: InProcess, request: str) -> Message:
    """Have a worker work, and time pass, until a request is answered; return the answer."""
    worker = room.worker("one", child)
    while not room.answers(request):
        if not await worker.turn():
            clock.advance(1)
        await room.service.bus.relay.once()
    return room.answers(request)[0]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(folder: Path, *, start: bool = True, **given: Any) -> AsyncIterator[Room]:
    """Run the service, and stop it at the end. ``given``: settings, or arguments of ``create_service``."""
    transport = EmbeddedTransport()
    names = Settings.model_fields.keys()
    wanted = {name: given.pop(name) for name in list(given) if name in names}
    places: dict[str, Any] = {"database": f"sqlite+aiosqlite:///{folder / 'pricing.db'}", "models": str(folder / "m")}
    settings = Settings.model_validate(places | wanted)
    models = given.pop("models_store", None) or create_store(settings.models)
    service = create_service(settings, transport, models=models, **given)
    database = Database(f"sqlite+aiosqlite:///{folder / 'asker.db'}", BUS_MIGRATIONS)
    heard: list[Message] = []

    async def hear(_connection: AsyncConnection, message: Message) -> None:
        heard.append(message)

    handlers = dict.fromkeys((*ANSWERS, PRICE_PROGRESSED), hear)
    asker = Bus(database, transport, source="/mes", consumer=ASKER, commands={ASKER: handlers})
    await database.start()
    await asker.start()
    try:
        if start:
            await service.start()
        yield Room(service, models, asker, heard)
    finally:
        if service.started:
            await service.stop()
        await asker.stop()
        await database.close()
