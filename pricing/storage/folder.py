"""Models in a folder of this machine: `hot/ab/cdef...`, written beside and renamed into place."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from instrumentation.cancelling import finished, opened
from instrumentation.errors import BadInput
from pricing.storage.store import MODELS, PART_BYTES, Area, Kept, Stored, Tally, checked, is_name
from pricing.storage.writing import begun, discard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_LEFT_S: Final = 24 * 3_600
_OLD: Final = "[0-9a-f][0-9a-f]"  # folders of objects from before there were areas


class FolderStore:
    """Objects in a folder, which every process of this machine may share."""

    direct: Final = None

    def __init__(self, folder: Path) -> None:
        """Use a folder, made where it is missing. Raises BadInput where it cannot be written."""
        self._folder = folder
        self._incoming = folder / "incoming"
        try:
            for made in (self._incoming, *(folder / area for area in Area)):
                made.mkdir(parents=True, exist_ok=True)
            _flush_folder(folder)
            self._take_over()
        except OSError as error:
            raise BadInput(f"{folder}: cannot keep models here ({error.strerror}); name another folder") from error
        self._sweep(self._incoming, time.time() - _LEFT_S)

    def _take_over(self) -> None:
        """Take in what was kept before there were areas: all of it was being worked with."""
        for old in self._folder.glob(f"{_OLD}/*"):
            name = old.parent.name + old.name
            if is_name(name):
                with contextlib.suppress(FileNotFoundError):  # another process does the same
                    self._move(old, Area.HOT, name)
        for emptied in self._folder.glob(_OLD):
            with contextlib.suppress(OSError):  # gone already, or there lies what is none of ours
                emptied.rmdir()

    def _sweep(self, folder: Path, before: float) -> None:
        """Remove old files: in `incoming`, what killed processes left half written, since nobody writes for a day."""
        for left in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                if left.stat().st_mtime < before:
                    left.unlink()

    async def put(
        self,
        stream: AsyncIterator[bytes],
        *,
        sha256: str | None = None,
        size: int | None = None,
        area: Area = Area.QUARANTINE,
    ) -> Stored:
        """Keep what the stream holds: never whole in memory, never half in place."""
        tally = Tally(sha256, size)
        new = await opened(partial(begun, self._incoming), discard)
        try:
            with new.file:
                await _write(new.file, stream, tally)
                stored = tally.end()
                await asyncio.to_thread(_flush, new.file)
            await asyncio.to_thread(self._keep, new.path, stored.name, area)
        except BaseException:
            await finished(asyncio.to_thread(discard, new))
            raise
        return stored

    def _keep(self, written: Path, name: str, area: Area) -> None:
        found = self._found(name)
        if found is None or (found is Area.WORK and area is not Area.WORK):  # a working object is gone tomorrow
            self._move(written, area, name)
            self._only_one(name, area)
            return
        written.unlink()
        if found is Area.WORK:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self._place(found, name))
        elif area is Area.HOT:
            self._raise(name, area)

    def _move(self, path: Path, area: Area, name: str) -> None:
        place = self._place(area, name)
        place.parent.mkdir(exist_ok=True)
        path.replace(place)
        # The names are data too: without this a power cut could forget the object.
        for folder in (place.parent, place.parent.parent):
            _flush_folder(folder)

    def _only_one(self, name: str, area: Area) -> None:
        """Take back what was put where the same was moved out of the way meanwhile."""
        if area is Area.QUARANTINE and any(self._place(later, name).exists() for later in MODELS[1:]):
            self._place(area, name).unlink(missing_ok=True)

    def _raise(self, name: str, to: Area) -> None:
        """Move an object to an area, unless it lies further on already. Raises KeyError where there is none."""
        while (found := self._found(name)) in MODELS and MODELS.index(found) < MODELS.index(to):
            with contextlib.suppress(FileNotFoundError):  # another process moves it too: look again
                self._move(self._place(found, name), to, name)
        if found is None:
            raise KeyError(name)

    async def open(self, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes, a megabyte at a time."""
        with await opened(partial(self._opened, name), IO.close) as file:
            while part := await asyncio.to_thread(file.read, PART_BYTES):
                yield part

    def _opened(self, name: str) -> IO[bytes]:
        for area in Area:
            with contextlib.suppress(FileNotFoundError):
                return self._place(area, name).open("rb")
        raise KeyError(name)

    @contextlib.asynccontextmanager
    async def local(self, name: str) -> AsyncIterator[Path]:
        """Give an object's own file. Whoever has it open keeps it, wherever the object moves."""
        yield self._place(await self.area(name), name)

    async def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        try:
            return await asyncio.to_thread(self._found, name) is not None
        except KeyError:
            return False

    async def size(self, name: str) -> int:
        """Return an object's size in bytes."""
        return await asyncio.to_thread(self._size, name)

    def _size(self, name: str) -> int:
        for area in Area:
            with contextlib.suppress(FileNotFoundError):
                return self._place(area, name).stat().st_size
        raise KeyError(name)

    async def area(self, name: str) -> Area:
        """Return where an object lies."""
        found = await asyncio.to_thread(self._found, name)
        if found is None:
            raise KeyError(name)
        return found

    def _found(self, name: str) -> Area | None:
        return next((area for area in Area if self._place(area, name).exists()), None)

    async def admit(self, name: str) -> None:
        """Move an object out of quarantine."""
        await asyncio.to_thread(self._raise, name, Area.HOT)

    async def cool(self, name: str) -> None:
        """Move an object to the cold folder."""
        await asyncio.to_thread(self._raise, name, Area.COLD)

    async def delete(self, name: str) -> None:
        """Forget an object."""
        for area in Area:
            await asyncio.to_thread(self._place(area, name).unlink, missing_ok=True)

    async def kept(self, area: Area) -> AsyncIterator[Kept]:
        """Yield what lies in an area, folder by folder."""
        for folder in await asyncio.to_thread(_folders, self._folder / area):
            for one in await asyncio.to_thread(lambda: list(_told(folder))):  # noqa: B023 - called at once
                yield one

    async def tidy(self, before: datetime) -> None:
        """Remove working objects and half written files of long ago."""
        work = self._folder / Area.WORK
        for folder in (self._incoming, *await asyncio.to_thread(_folders, work)):
            await asyncio.to_thread(self._sweep, folder, before.timestamp())

    async def close(self) -> None:
        """Let go of nothing: a folder has no connections."""

    def _place(self, area: Area, name: str) -> Path:
        name = checked(name)
        return self._folder / area / name[:2] / name[2:]


async def _write(file: IO[bytes], stream: AsyncIterator[bytes], tally: Tally) -> None:
    waiting: list[bytes] = []
    held = 0
    async for part in stream:
        tally.add(part)
        waiting.append(part)
        held += len(part)
        if held >= PART_BYTES:
            await asyncio.to_thread(file.writelines, waiting)
            waiting, held = [], 0
    await asyncio.to_thread(file.writelines, waiting)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir())


def _told(folder: Path) -> Iterator[Kept]:
    for path in folder.iterdir():
        name = folder.name + path.name
        with contextlib.suppress(FileNotFoundError):
            about = path.stat()
            if is_name(name):
                yield Kept(name, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
