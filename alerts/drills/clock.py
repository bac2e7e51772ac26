"""The clock of a drilled house: eight bytes of a file, which the drill moves and every process of the house reads."""

from __future__ import annotations

import mmap
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MICROSECOND: Final = timedelta(microseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BYTES: Final = 8


class Clock:
    """A clock that moves only when told. Calling it gives microseconds since 1970 UTC, as the collector wants them."""

    def __init__(self, path: Path, now: datetime) -> None:
        self.path = path
        path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _BYTES)
        self.now = now

    @property
    def now(self) -> datetime:
        """The present moment."""
        return EPOCH + self() * MICROSECOND

    @now.setter
    def now(self, moment: datetime) -> None:
        self._shared[:] = ((moment - EPOCH) // MICROSECOND).to_bytes(_BYTES, "little")

    def __call__(self) -> int:
        """Return the present moment in microseconds since 1970 UTC."""
        return int.from_bytes(self._shared[:], "little")

    def close(self) -> None:
        """Let go of the file."""
        self._shared.close()
