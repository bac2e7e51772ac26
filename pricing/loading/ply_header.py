"""The header of a PLY file (Turk, The PLY Polygon File Format, 1994): elements, each with a count and properties."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Final

import numpy as np

from pricing.loading.found import unreadable

MOST_LINES: Final = 1_000
_TYPES: Final = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS: Final = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class Property:
    """One value a row, or a list of them with a count before (``length``: the type of that count)."""

    name: str
    value: np.dtype[np.generic]
    length: np.dtype[np.generic] | None = None

    @property
    def least_bytes(self) -> int:
        """The least that it takes in a row: a list may be empty."""
        return (self.length or self.value).itemsize


@dataclass(frozen=True)
class Element:
    """A table of the file: its name, its rows by the header's word, its columns."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)

    @property
    def least_bytes(self) -> int:
        """The least bytes that its rows take."""
        return self.count * sum(each.least_bytes for each in self.properties)


@dataclass(frozen=True)
class Header:
    """What the header says; ``text``: values are written as text."""

    text: bool
    elements: list[Element]
    bytes: int


def read_header(file: IO[bytes]) -> Header:
    """Read up to `end_header`. Raises a refusal for what is no PLY header."""
    order: str | None = None
    elements: list[Element] = []
    for _ in range(MOST_LINES):
        words = file.readline(4096).decode("latin-1").split()
        match words:
            case ["format", word, *_] if word in _ORDERS:
                order = _ORDERS[word]
            case ["element", name, count] if count.isdecimal() and len(count) < 16:
                elements.append(Element(name, int(count)))
            case ["property", "list", length, value, name] if elements and order:
                elements[-1].properties.append(Property(name, _type(value, order), _count_type(length, order)))
            case ["property", value, name] if elements and order:
                elements[-1].properties.append(Property(name, _type(value, order)))
            case ["end_header"] if order:
                return Header(order == "=", elements, file.tell())
            case ["ply"] | ["comment", *_] | ["obj_info", *_] | []:
                pass
            case _:
                raise unreadable(f"The PLY header has a line that cannot be read: `{' '.join(words)[:60]}`")
    raise unreadable("The PLY header has no end")


def _count_type(name: str, order: str) -> np.dtype[np.generic]:
    found = _type(name, order)
    if found.kind not in "iu":
        raise unreadable(f"The PLY header counts a list in numbers that are not whole: `{name[:20]}`")
    return found


def _type(name: str, order: str) -> np.dtype[np.generic]:
    if name not in _TYPES:
        raise unreadable(f"The PLY header names a type of number that there is not: `{name[:20]}`")
    return np.dtype(order + _TYPES[name])
