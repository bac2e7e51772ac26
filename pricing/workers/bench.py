"""What one child computes for a worker, from objects of the model store to objects of the model store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from instrumentation.cancelling import finished, opened
from instrumentation.errors import TouchstoneError
from pricing.refusals import Refusal
from pricing.sandbox import PICTURE, Crashed, Task, TaskKind
from pricing.storage import Area

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from pricing.calculation import Measured
    from pricing.materials import Materials
    from pricing.refusals import Point
    from pricing.sandbox import Child, Event
    from pricing.storage import ModelStore
    from pricing.workers.model import Measuring, Slab

    Watch = Callable[[Event], None]
    Marks = Callable[[Measured], tuple[Point, ...]]

LOG: Final = logging.getLogger("touchstone.pricing")
PART_BYTES: Final = 1 << 20
PREFIX: Final = "touchstone-pricing-"


class ModelMissing(TouchstoneError):
    """The model is not in the store."""


class WorkMissing(TouchstoneError):
    """What an earlier step left for this one is not in the store any more."""


class Drawn(NamedTuple):
    """A model's measures as a document, and the SHA-256 of its picture with its marks; None where there is none.

    ``marks`` are None where there was a picture, and the store would not have it.
    """

    measured: dict[str, Any]
    picture: str | None
    marks: tuple[Point, ...] | None


class RefusedAtBench(Exception):
    """The child refused a model; ``picture``: SHA-256 of a picture that shows where."""

    def __init__(self, refusal: Refusal, picture: str | None) -> None:
        super().__init__(refusal.detail)
        self.refusal, self.picture = refusal, picture


class Bench:
    """One child with its files. Methods raise what ``Child.run`` does, ModelMissing or WorkMissing, and OSError.

    A refusal comes as RefusedAtBench.
    """

    def __init__(self, child: Child, models: ModelStore, materials: Materials, folder: Path | None = None) -> None:
        """``folder``: where files of a calculation lie while it lasts; the machine's if left out."""
        self.child, self.models, self.materials, self._home = child, models, materials, folder

    async def sweep(self, before: float) -> None:
        """Remove what killed processes left of their calculations before a moment (seconds since 1970 UTC)."""
        await asyncio.to_thread(_swept, self._home or Path(tempfile.gettempdir()), before)

    async def warm(self) -> None:
        """Have the child ready before there is work; one that cannot start now is started when there is."""
        with contextlib.suppress(Crashed, OSError):
            await self.child.warm()

    async def size(self, model: str) -> int:
        """Return a model's size in bytes."""
        try:
            return await self.models.size(model)
        except KeyError as error:
            raise ModelMissing(model) from error

    async def measure(self, measuring: Measuring, watch: Watch, marks: Marks) -> Drawn:
        """Load, mend, measure and draw a model. ``marks``: the places in mm to show on the picture, by its measures."""
        async with self._folders() as (given, written), self._model(measuring.model, given) as model:
            task = self._task(TaskKind.MEASURE, written, measuring, model=model)
            return await self._drawn(task, watch, marks)

    async def prepare(self, measuring: Measuring, watch: Watch) -> tuple[dict[str, str], int]:
        """Do what comes before the slabs; return the objects by file name, and how many triangles are to be cut."""
        async with self._folders() as (given, written), self._model(measuring.model, given) as model:
            task = self._task(TaskKind.PREPARE, written, measuring, model=model)
            result = await self._run(task, watch)
            objects = {name: await self._put(written / name, Area.WORK) for name in result["files"]}
            return objects, int(result["triangles"])

    async def slab(self, measuring: Measuring, slab: Slab, watch: Watch) -> str:
        """Measure a part of a prepared model; return the object that holds what came of it."""
        async with self._folders() as (given, written), self._prepared(measuring, given) as prepared:
            task = self._task(TaskKind.SLAB, written, measuring, prepared=prepared)
            chunks = {"first_chunk": slab.first, "last_chunk": slab.last}
            result = await self._run(task.model_copy(update=chunks), watch)
            return await self._put(written / result["files"][0], Area.WORK)

    async def reduce(self, measuring: Measuring, outputs: Sequence[str], watch: Watch, marks: Marks) -> Drawn:
        """Put slabs together, and draw the model."""
        async with (
            self._folders() as (given, written),
            self._prepared(measuring, given) as prepared,
            contextlib.AsyncExitStack() as stack,
        ):
            slabs = [await stack.enter_async_context(self._work(name)) for name in outputs]
            task = self._task(TaskKind.REDUCE, written, measuring, prepared=prepared)
            return await self._drawn(task.model_copy(update={"slabs": tuple(slabs)}), watch, marks)

    async def picture(self, measuring: Measuring, marks: tuple[Point, ...], watch: Watch) -> str | None:
        """Draw a model with places marked (in mm); return the picture's SHA-256."""
        async with self._folders() as (given, written), self._model(measuring.model, given) as model:
            task = self._task(TaskKind.PICTURE, written, measuring, model=model)
            result = await self._run(task.model_copy(update={"marks": marks}), watch)
            return await self._kept(written, result["picture"])

    def _task(self, kind: TaskKind, folder: Path, measuring: Measuring, **files: Path) -> Task:
        return Task(
            kind=kind,
            folder=folder,
            unit=measuring.unit,
            triangles=measuring.triangles,
            options=self.materials.options,
            plausible=self.materials.plausible,
            **files,
        )

    async def _drawn(self, task: Task, watch: Watch, marks: Marks) -> Drawn:
        shown: list[Point] = []

        def marked(measured: Measured) -> tuple[Point, ...]:
            shown.extend(marks(measured))
            return tuple(shown)

        result = await self._run(task, watch, marked)
        try:
            picture = await self._kept(task.folder, result["picture"])
        except OSError as error:  # what took long to measure is not measured again for that
            LOG.warning("the picture cannot be stored now: %s: %s", type(error).__name__, error)
            return Drawn(result["measured"], None, None)
        return Drawn(result["measured"], picture, tuple(shown))

    async def _run(self, task: Task, watch: Watch, marks: Marks | None = None) -> dict[str, Any]:
        try:
            return await (self.child.run(task, watch, marks=marks) if marks else self.child.run(task, watch))
        except Refusal as refusal:
            drawn = PICTURE if await asyncio.to_thread((task.folder / PICTURE).is_file) else None
            raise RefusedAtBench(refusal, await self._kept(task.folder, drawn)) from refusal

    async def _kept(self, folder: Path, name: str | None) -> str | None:
        return None if name is None else await self._put(folder / name, Area.HOT)

    async def _put(self, path: Path, area: Area) -> str:
        return (await self.models.put(_parts(path), area=area)).name

    @contextlib.asynccontextmanager
    async def _folders(self) -> AsyncIterator[tuple[Path, Path]]:
        """Give a folder for what a task is given, and an empty one for what it writes."""
        make = partial(tempfile.TemporaryDirectory[str], prefix=PREFIX, dir=self._home)
        home = await opened(make, tempfile.TemporaryDirectory.cleanup)
        try:
            given, written = Path(home.name) / "given", Path(home.name) / "written"
            given.mkdir()
            written.mkdir()
            yield given, written
        finally:
            await finished(asyncio.to_thread(home.cleanup))

    @contextlib.asynccontextmanager
    async def _model(self, name: str, given: Path) -> AsyncIterator[Path]:
        """Give a model under a name of its own: another worker may move the store's file out of quarantine."""
        try:
            async with self.models.local(name) as path:
                yield await asyncio.to_thread(_named, path, given / name)
        except KeyError as error:
            raise ModelMissing(name) from error

    @contextlib.asynccontextmanager
    async def _work(self, name: str) -> AsyncIterator[Path]:
        try:
            async with self.models.local(name) as path:
                yield path
        except KeyError as error:
            raise WorkMissing(name) from error

    @contextlib.asynccontextmanager
    async def _prepared(self, measuring: Measuring, given: Path) -> AsyncIterator[Path]:
        async with contextlib.AsyncExitStack() as stack:
            for name, stored in (measuring.prepared or {}).items():
                path = await stack.enter_async_context(self._work(stored))
                await asyncio.to_thread((given / name).symlink_to, path)
            yield given


def _swept(home: Path, before: float) -> None:
    for left in home.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another worker sweeps too, or it is another user's
            if left.stat(follow_symlinks=False).st_mtime < before:
                shutil.rmtree(left)


def _named(path: Path, name: Path) -> Path:
    """Give a file a name that it keeps. Raises FileNotFoundError where it has just been moved."""
    try:
        name.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without such links
        shutil.copyfile(path, name)
    return name


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with await opened(lambda: path.open("rb"), IO.close) as file:
        while part := await asyncio.to_thread(file.read, PART_BYTES):
            yield part
