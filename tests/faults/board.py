"""Numbers that the harness and all its processes share: how much may be said by now, and what was tampered with."""

from __future__ import annotations

import mmap
import struct
from typing import Final

ALLOWED: Final = 0
SENT, DOUBLED, SHUFFLED, FAILURES = range(4)
_CELLS: Final = 4
_SLOTS: Final = 16
_NUMBER: Final = struct.Struct("=q")


class Board:
    """Shared memory that forked processes inherit. Each slot is written by one process at a time, so nothing races."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _NUMBER.size * (1 + _CELLS * _SLOTS))

    @property
    def allowed(self) -> int:
        """How many events the writers may have said in all, so that the load lasts as long as the faults."""
        return self._get(ALLOWED)

    @allowed.setter
    def allowed(self, events: int) -> None:
        self._set(ALLOWED, events)

    def add(self, slot: int, cell: int, number: int = 1) -> None:
        """Count something that the process in a slot did."""
        place = 1 + slot * _CELLS + cell
        self._set(place, self._get(place) + number)

    def total(self, cell: int) -> int:
        """Return a count over all slots."""
        return sum(self._get(1 + slot * _CELLS + cell) for slot in range(_SLOTS))

    def clear(self) -> None:
        """Begin anew."""
        self._memory[:] = bytes(len(self._memory))

    def _get(self, place: int) -> int:
        value: int = _NUMBER.unpack_from(self._memory, place * _NUMBER.size)[0]
        return value

    def _set(self, place: int, value: int) -> None:
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, value)
