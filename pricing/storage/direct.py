"""Uploads past us: the sender gives parts straight to the store, by addresses that were signed for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import timedelta

    from pricing.storage.store import Stored


class Incomplete(BadInput):
    """Parts of the upload are missing."""


@dataclass(frozen=True)
class Begun:
    """An upload that has begun: ``part_bytes`` for each part but the last, and an address to PUT each of them to."""

    key: str
    remote: str
    part_bytes: int
    parts: tuple[str, ...]


class DirectUploads(Protocol):
    """Takes uploads in parts. ``key`` and ``remote`` say which: what ``begin`` returned, and only we know."""

    async def begin(self, size: int, lasting: timedelta) -> Begun:
        """Begin an upload of ``size`` bytes, whose addresses are good for so long."""

    async def complete(
        self,
        key: str,
        remote: str,
        etags: Sequence[str],
        *,
        sha256: str | None,
        size: int,
        watch: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]],
    ) -> Stored:
        """Read what arrived once, through ``watch``, and keep it in quarantine under its own name.

        Raises Incomplete where a part is missing, and the upload goes on; Mismatch where it is not what was declared,
        and whatever ``watch`` raises: then it is forgotten. Raises KeyError where there is no such upload.
        """

    async def abort(self, key: str, remote: str) -> None:
        """Forget an upload, and what arrived of it. Forgetting it twice changes nothing."""
