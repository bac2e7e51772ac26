"""Where models lie: objects named by the SHA-256 of what they hold."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Protocol

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PART: Final = 1024 * 1024
_LEFT_S: Final = 24 * 3_600
_NAME: Final = re.compile("[0-9a-f]{64}")


class Stored(NamedTuple):
    """An object that is safely kept."""

    name: str
    size: int


class ObjectStore(Protocol):
    """Keeps objects by content: the same bytes are the same object, kept once."""

    async def put(self, stream: AsyncIterator[bytes]) -> Stored:
        """Keep what the stream holds; it is durable when this returns. What the stream raises leaves nothing behind."""

    def open(self, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes. Raises KeyError where there is none of this name."""

    async def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""

    async def size(self, name: str) -> int:
        """Return an object's size in bytes. Raises KeyError where there is none of this name."""

    async def delete(self, name: str) -> None:
        """Forget an object, if there is one of this name."""


class FolderStore:
    """Objects in a folder of this machine: `ab/cdef...`, written beside and renamed into place."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, made where it is missing. Raises BadInput where it cannot be written."""
        self._folder = folder
        self._incoming = folder / "incoming"
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{folder}: cannot keep models here ({error.strerror}); name another folder") from error
        self._sweep()

    def _sweep(self) -> None:
        """Remove what processes that were killed left half written: nobody writes for a day."""
        for left in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                if time.time() - left.stat().st_mtime > _LEFT_S:
                    left.unlink()

    async def put(self, stream: AsyncIterator[bytes]) -> Stored:
        """Keep what the stream holds: never whole in memory, never half in place."""
        file = await asyncio.to_thread(self._begun)
        try:
            with file:
                name, size = await self._write(file, stream)
                await asyncio.to_thread(_flush, file)
            await asyncio.to_thread(self._keep, Path(file.name), name)
        except BaseException:
            await asyncio.to_thread(Path(file.name).unlink, missing_ok=True)
            raise
        return Stored(name, size)

    def _begun(self) -> IO[bytes]:
        handle, path = tempfile.mkstemp(dir=self._incoming)
        os.close(handle)
        return Path(path).open("wb")

    async def _write(self, file: IO[bytes], stream: AsyncIterator[bytes]) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        waiting: list[bytes] = []
        held = 0
        async for part in stream:
            digest.update(part)
            size += len(part)
            waiting.append(part)
            held += len(part)
            if held >= _PART:
                await asyncio.to_thread(file.writelines, waiting)
                waiting, held = [], 0
        await asyncio.to_thread(file.writelines, waiting)
        return digest.hexdigest(), size

    def _keep(self, written: Path, name: str) -> None:
        place = self._place(name)
        if place.exists():
            written.unlink()
            return
        place.parent.mkdir(exist_ok=True)
        written.replace(place)
        # The names are data too: without this a power cut could forget the object.
        for folder in (place.parent, self._folder):
            _flush_folder(folder)

    async def open(self, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes, a megabyte at a time."""
        try:
            file = await asyncio.to_thread(self._place(name).open, "rb")
        except FileNotFoundError as error:
            raise KeyError(name) from error
        with file:
            while part := await asyncio.to_thread(file.read, _PART):
                yield part

    async def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        return bool(_NAME.fullmatch(name)) and await asyncio.to_thread(self._place(name).exists)

    async def size(self, name: str) -> int:
        """Return an object's size in bytes."""
        try:
            return (await asyncio.to_thread(self._place(name).stat)).st_size
        except FileNotFoundError as error:
            raise KeyError(name) from error

    async def delete(self, name: str) -> None:
        """Forget an object."""
        await asyncio.to_thread(self._place(name).unlink, missing_ok=True)

    def _place(self, name: str) -> Path:
        # A name comes from outside: nothing but a digest may become a path.
        if not _NAME.fullmatch(name):
            raise KeyError(name)
        return self._folder / name[:2] / name[2:]


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
