"""Local copies of objects that lie elsewhere: checked, shared by all processes of a user, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from instrumentation.cancelling import opened
from instrumentation.errors import BadInput, TouchstoneError
from pricing.storage.store import Mismatch, Tally
from pricing.storage.writing import Begun, begun, discard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

_PRIVATE: Final = 0o700


class LocalCopies:
    """Copies in a folder of at most ``most_bytes``. Who uses one holds a lock on it, which ends with their process."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Use a folder, made where it is missing. Raises BadInput where it cannot be used, or belongs to another."""
        self._folder, self._most = folder, most_bytes
        try:
            folder.mkdir(_PRIVATE, parents=True, exist_ok=True)
            owner = folder.stat().st_uid
        except OSError as error:
            raise BadInput(f"{folder}: cannot keep copies here ({error.strerror}); name another `cache`") from error
        if owner != os.geteuid():
            raise BadInput(f"{folder}: belongs to another user, who could change copies; name another `cache`")

    @contextlib.asynccontextmanager
    async def hold(self, name: str, size: int, fetch: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[Path]:
        """Give a copy of an object, fetched where there is none yet, that stays while the context lasts.

        Raises TouchstoneError where what was fetched is not what its name says, or there is no room for it.
        """
        holding = partial(self._held, name, size)
        while (held := await opened(holding, _let_go)) is None:
            await self._fetch(name, size, fetch())
        with held:
            yield self._folder / name

    def _held(self, name: str, size: int) -> IO[bytes] | None:
        """Return the copy, locked; None where there is none, or a power cut left less of it than there was."""
        path = self._folder / name
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            about = os.fstat(file.fileno())
            same = about.st_ino == path.stat().st_ino and about.st_size == size
            os.utime(path)
        except FileNotFoundError:
            same = False
        if not same:  # it was removed before the lock was ours, or is no whole one: the next takes its place
            file.close()
            return None
        return file

    async def _fetch(self, name: str, size: int, stream: AsyncIterator[bytes]) -> None:
        await asyncio.to_thread(self._make_room, size)
        tally = Tally(sha256=name, size=size)
        new = await opened(self._begun, discard)
        path, file = new
        with file:
            try:
                async for part in stream:
                    tally.add(part)
                    await asyncio.to_thread(file.write, part)
                tally.end()
                file.flush()
                path.replace(self._folder / name)
            except Mismatch as error:
                path.unlink()
                raise TouchstoneError(f"the object {name} was damaged in the store of models: {error}") from error
            except BaseException:
                path.unlink()
                raise

    def _begun(self) -> Begun:
        new = begun(self._folder, prefix="coming-")
        fcntl.flock(new.file, fcntl.LOCK_EX)  # nobody takes it for an old one
        return new

    def _make_room(self, size: int) -> None:
        """Remove the copies that were not used for longest, until so many bytes more have room."""
        files = sorted(self._files())
        total = sum(found for _, found, _ in files)
        for _, found, path in files:
            if total + size <= self._most:
                return
            if _removed(path):
                total -= found
        if total + size > self._most:
            raise TouchstoneError(
                f"{self._folder}: no room for a copy of {size:,} bytes, {total:,} of {self._most:,} are in use; "
                "raise `cache_bytes` in the address of the store"
            )

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process makes room too
                about = path.stat()
                yield about.st_mtime, about.st_size, path


def _let_go(held: IO[bytes] | None) -> None:
    if held is not None:
        held.close()


def _removed(path: Path) -> bool:
    """Remove a copy that nobody holds; return whether it is gone."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True
