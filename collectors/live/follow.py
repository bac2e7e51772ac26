"""Follow a growing log: read what is new, and note how far in the transaction that stores it: exactly once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from dataclasses import asdict, dataclass, replace
from typing import IO, TYPE_CHECKING, Final

from collectors.live import store
from collectors.live.lines import Lines
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from collectors.live.handlers import Collector

LOG: Final = logging.getLogger("touchstone.follow")
HEAD_BYTES: Final = 1024
RETRY_S: Final = 5.0


@dataclass(frozen=True)
class Progress:
    """How far a log was read. ``generation`` counts the files that stood at this path, one after another.

    ``head`` proves that a file is the one that was read: the length and the hash of its beginning, as read so far.
    """

    path: str
    inode: int
    position: int = 0
    generation: int = 1
    head: str = ""
    header: str | None = None

    def fits(self, file: IO[bytes]) -> bool:
        """Whether an open file is the one that was read so far."""
        found = os.fstat(file.fileno())
        same = found.st_ino == self.inode and found.st_size >= self.position
        return same and head_of(file, self.position) == self.head

    @property
    def identity(self) -> str:
        """What the file is called in the ids of its records."""
        return f"{self.path}\0{self.generation}"


def head_of(file: IO[bytes], position: int) -> str:
    """Return length and hash of a file's beginning, of at most what was read of it."""
    length = min(position, HEAD_BYTES)
    file.seek(0)
    return f"{length} {hashlib.sha256(file.read(length)).hexdigest()}"


class Follower:
    """Follows one log through growth, rotation and truncation. ``failure`` says why it cannot be read, if so."""

    def __init__(self, path: Path, collector: Collector, poll_s: float) -> None:
        self.path, self.collector, self.poll_s = path.absolute(), collector, poll_s
        self.lines = Lines(collector.reader, collector.promise.log)
        self.failure: str | None = None
        self._file: IO[bytes] | None = None
        self._progress: Progress | None = None
        self._alone = asyncio.Lock()

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:  # noqa: ASYNC110 - a file tells nobody that it grew
                await asyncio.sleep(await self.turn())
        finally:
            self._close()

    async def turn(self) -> float:
        """Read on; return how long to wait before the next turn."""
        try:
            more = await self.step()
        except Exception as error:
            # The state is as before the failed step: whatever the cause was, reading on from there is right.
            self._close()
            self.failure = f"{self.path} cannot be followed ({error})"
            LOG.exception("following failed; trying again")
            return RETRY_S
        self.failure = None
        return 0.0 if more else self.poll_s

    async def step(self) -> bool:
        """Take in the next part of the log; return whether there may be more at once."""
        async with self._alone:
            return await self._step()

    async def _step(self) -> bool:
        if self._progress is None:
            async with self.collector.database.reading() as connection:
                found = await store.progress_of(connection, str(self.path))
            self._progress = Progress(**found) if found else None
        file, progress, last = self._current()
        if file is None or progress is None:
            return False
        file.seek(progress.position)
        part = self.lines.part(file, progress.identity, progress.position, progress.header, last=last)
        if part.position == progress.position:
            return False
        moved = replace(progress, position=part.position, header=part.header, head=head_of(file, part.position))

        async def save(connection: AsyncConnection) -> None:
            await store.save_progress(connection, asdict(moved))

        await self.collector.take_in(part.intake, save)
        self._progress = moved
        return True

    def _current(self) -> tuple[IO[bytes] | None, Progress | None, bool]:
        """Return the file to read, how far it was read, and whether it will not grow any more."""
        progress = self._progress
        if self._file is not None and progress is not None:
            if not progress.fits(self._file):
                return self._anew()
            return self._after_rotation(self._file, progress) if self._rotated() else (self._file, progress, False)
        if progress is None:
            return self._anew()
        for path in [self.path, *_siblings(self.path)]:
            file = _opened(path)
            if file is not None and progress.fits(file):
                self._file = file
                return file, progress, path != self.path
            if file is not None:
                file.close()
        return self._anew()

    def _after_rotation(self, file: IO[bytes], progress: Progress) -> tuple[IO[bytes] | None, Progress | None, bool]:
        """Return the old file as long as there is something left in it, then the new one."""
        if os.fstat(file.fileno()).st_size > progress.position:
            return file, progress, True
        return self._anew()

    def _rotated(self) -> bool:
        """Whether another file stands at the path, and is in use."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        return self._progress is not None and found.st_ino != self._progress.inode and found.st_size > 0

    def _anew(self) -> tuple[IO[bytes] | None, Progress | None, bool]:
        """Begin at the start of the file that stands at the path now."""
        self._close()
        file = _opened(self.path)
        if file is None:
            return None, None, False
        generation = self._progress.generation + 1 if self._progress else 1
        self._file = file
        self._progress = Progress(str(self.path), os.fstat(file.fileno()).st_ino, generation=generation)
        self._progress = replace(self._progress, head=head_of(file, 0))
        return file, self._progress, False

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _opened(path: Path) -> IO[bytes] | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _siblings(path: Path) -> list[Path]:
    """Return files beside a log that may be what it was before rotation: ``log.1`` for ``log``."""
    return sorted(found for found in path.parent.glob(f"{path.stem}*") if found != path and found.is_file())
