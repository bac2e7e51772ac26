"""What keeps models, and what is said of them: objects named by the SHA-256 of what they hold."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from pathlib import Path

    from pricing.storage.direct import DirectUploads

PART_BYTES: Final = 1024 * 1024
_NAME: Final = re.compile("[0-9a-f]{64}")


class Area(StrEnum):
    """Where an object lies. It only moves down this list, so that a look in this order never misses one that moves."""

    QUARANTINE = "quarantine"
    """From outside, and not measured yet: nothing that only a sound model may be is taken for granted."""
    HOT = "hot"
    """Measured, or made by ourselves."""
    COLD = "cold"
    """Of orders closed long ago: kept where keeping is cheap, and opens as any other."""
    WORK = "work"
    """Of a calculation under way, for a day. The one area that nothing moves out of, or into."""


MODELS: Final = (Area.QUARANTINE, Area.HOT, Area.COLD)


class Stored(NamedTuple):
    """An object that is safely kept."""

    name: str
    size: int


class Kept(NamedTuple):
    """An object as a list of its area tells of it; ``at``: when it came to lie there."""

    name: str
    size: int
    at: datetime


class Mismatch(BadInput):
    """What arrived is not what was declared."""


class StoreUnavailable(TouchstoneError, ConnectionError):
    """The store of models does not answer."""


class ModelStore(Protocol):
    """Keeps objects by content: the same bytes are the same object, kept once, whatever area it lies in.

    Every method raises StoreUnavailable where the store does not answer or will not have us.
    """

    async def put(
        self,
        stream: AsyncIterator[bytes],
        *,
        sha256: str | None = None,
        size: int | None = None,
        area: Area = Area.QUARANTINE,
    ) -> Stored:
        """Keep what the stream holds; it is durable when this returns. What the stream raises leaves nothing behind.

        Bytes that are kept already are not kept twice: they stay where they are, but for those that are put into
        HOT and lie in quarantine, which move. A working object is as new as its last put. ``sha256`` (hexadecimal) and
        ``size`` (bytes): what was declared; raises Mismatch, and leaves nothing behind, where that is not so.
        """

    def open(self, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes. Raises KeyError where there is none of this name."""

    def local(self, name: str) -> AbstractAsyncContextManager[Path]:
        """Give an object as a file of this machine, to be mapped and not to be changed, while the context lasts.

        Raises KeyError where there is none of this name.
        """

    async def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""

    async def size(self, name: str) -> int:
        """Return an object's size in bytes. Raises KeyError where there is none of this name."""

    async def area(self, name: str) -> Area:
        """Return where an object lies. Raises KeyError where there is none of this name."""

    async def admit(self, name: str) -> None:
        """Move an object out of quarantine, after it was measured. One that lies elsewhere stays there.

        Raises KeyError where there is none of this name.
        """

    async def cool(self, name: str) -> None:
        """Move an object to where keeping is cheap. Raises KeyError where there is none of this name."""

    async def delete(self, name: str) -> None:
        """Forget an object, if there is one of this name. Raises KeyError for what can be no name."""

    def kept(self, area: Area) -> AsyncIterator[Kept]:
        """Yield what lies in an area, in no particular order."""

    async def tidy(self, before: datetime) -> None:
        """Remove working objects, and what was left half written or half uploaded, from before a moment."""

    @property
    def direct(self) -> DirectUploads | None:
        """Uploads past us, straight to the store; None where it has no such thing."""

    async def close(self) -> None:
        """Let go of connections."""


class Tally:
    """Counts and digests what passes by, and holds it against what was declared."""

    def __init__(self, sha256: str | None = None, size: int | None = None) -> None:
        self._declared, self._declared_size = sha256, size
        self._digest = hashlib.sha256()
        self.size = 0

    def add(self, part: bytes) -> None:
        """Take note of a part. Raises Mismatch as soon as there is more than was declared."""
        self._digest.update(part)
        self.size += len(part)
        if self._declared_size is not None and self.size > self._declared_size:
            raise Mismatch(f"{self._declared_size:,} bytes were declared, but more arrived; send the file again")

    def end(self) -> Stored:
        """Return what has passed by. Raises Mismatch where it is not what was declared."""
        name = self._digest.hexdigest()
        if self._declared_size not in (None, self.size):
            raise Mismatch(
                f"{self._declared_size:,} bytes were declared, but {self.size:,} arrived; send the file again"
            )
        if self._declared not in (None, name):
            raise Mismatch(
                f"the SHA-256 of what arrived is {name}, not {self._declared} as declared; send the file again"
            )
        return Stored(name, self.size)


def is_name(name: str) -> bool:
    """Whether this can be an object's name: servers and people leave other things where objects lie."""
    return _NAME.fullmatch(name) is not None


def checked(name: str) -> str:
    """Return an object's name. Raises KeyError for anything else: a name comes from outside, and becomes a path."""
    if not is_name(name):
        raise KeyError(name)
    return name
