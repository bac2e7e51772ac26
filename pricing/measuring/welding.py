"""Corners at exactly the same place become one vertex, whatever the file said of its vertices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pricing.measuring.mesh import Mesh
from pricing.surface import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pricing.surface import Surface

    Columns = tuple[NDArray[Any], ...]

# The odd multipliers of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
MIX: Final = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
# Each round leaves a twentieth of the vertices of an ordinary model; more rounds are for one made to defeat the hash.
ROUNDS: Final = 8


def weld(surface: Surface) -> Mesh:
    """Merge corners whose coordinates are equal as numbers (so -0.0 is 0.0); nothing is merged by nearness.

    Vertices are numbered in the order in which they appear first. Corners meet in a table, by a hash of their bits; a
    corner is merged with the first one in its slot if their bits are equal, and goes on to a further round, with
    another hash, if not; so the result is exact. Needs about 80 bytes a triangle while it runs and keeps 24.
    """
    columns = _columns(surface)
    count = len(columns[0])
    first = np.empty(count, dtype=np.int32)
    left = _met(columns, None, 0, first)
    for salt in range(1, ROUNDS):
        if not len(left):
            break
        left = _met(columns, left, salt, first)
    _sorted(columns, left, first)
    fresh = first == np.arange(count, dtype=np.int32)
    number = np.cumsum(fresh, dtype=np.int32)
    number -= 1
    points = np.stack([_coordinate(column[fresh]) for column in columns], axis=1)
    return Mesh(points, number[first].reshape(-1, 3))


def _columns(surface: Surface) -> Columns:
    """Return the bits of all corners' x, y and z, none of them those of -0.0, in the width of the surface's numbers."""
    narrow = surface.corners.dtype.itemsize <= np.dtype(np.float32).itemsize
    number, bits = (np.float32, np.uint32) if narrow else (np.float64, np.uint64)
    columns = np.empty((3, surface.count, 3), dtype=number)
    for begin in range(0, surface.count, CHUNK):
        columns[:, begin : begin + CHUNK] = surface.corners[begin : begin + CHUNK].transpose(2, 0, 1)
    columns += number(0.0)  # -0.0 becomes 0.0
    x, y, z = columns.reshape(3, -1).view(bits)
    return x, y, z


def _coordinate(bits: NDArray[Any]) -> NDArray[np.float64]:
    return bits.view(np.float32 if bits.itemsize == np.dtype(np.float32).itemsize else np.float64).astype(np.float64)


def _met(columns: Columns, left: NDArray[np.int32] | None, salt: int, first: NDArray[np.int32]) -> NDArray[np.int32]:
    """Name the ``first`` corner at the place of each of those ``left`` (None: all); return those that missed."""
    count = len(columns[0]) if left is None else len(left)
    bits = max(int(count - 1).bit_length(), 1)
    slots = np.empty(count, dtype=np.int32)
    for here in _blocks(count):
        slots[here] = _hash([column[here if left is None else left[here]] for column in columns], salt) >> np.uint64(
            64 - bits
        )
    table = np.empty(1 << bits, dtype=np.int32)
    names = np.arange(count, dtype=np.int32) if left is None else left
    table[slots[::-1]] = names[::-1]  # the last one written stays: the first corner
    winner = table[slots]
    del table, slots
    same = np.empty(count, dtype=np.bool_)
    for here in _blocks(count):
        one, other = winner[here], names[here]
        same[here] = (columns[0][one] == columns[0][other]) & (columns[1][one] == columns[1][other])
        same[here] &= columns[2][one] == columns[2][other]
    first[slice(None) if left is None else left] = winner  # those that missed are named by a later round
    return names[~same]


def _sorted(columns: Columns, left: NDArray[np.int32], first: NDArray[np.int32]) -> None:
    """Name the first corners of those ``left``, if any, by sorting their bits."""
    order = left[np.lexsort([left, *(column[left] for column in columns)])]
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = np.any([column[order[1:]] != column[order[:-1]] for column in columns], axis=0)
    first[order] = order[fresh][np.cumsum(fresh) - 1]


def _hash(columns: list[NDArray[Any]], salt: int) -> NDArray[np.uint64]:
    """Hash places by their bits; the upper bits of the result are the well mixed ones."""
    key = np.full(len(columns[0]), salt, dtype=np.uint64)
    for column, factor in zip(columns, MIX, strict=True):
        key ^= column
        key *= factor
        key ^= key >> np.uint64(32)
    key *= MIX[0]
    return key


def _blocks(count: int) -> Iterator[slice]:
    return (slice(begin, begin + CHUNK) for begin in range(0, count, CHUNK))
