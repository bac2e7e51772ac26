"""Pixels as a PNG file: ISO/IEC 15948, eight bits of red, green and blue, no interlacing."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
TRUE_COLOUR: Final = 2
# Filter 1 of the standard: each byte less the one a pixel to its left; shaded surfaces shrink best by it.
SUB: Final = 1
LEVEL: Final = 6


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Write pixels of shape (height, width, 3) as PNG. The same pixels give the same bytes with the same zlib."""
    height, width, _ = pixels.shape
    lines = np.empty((height, 1 + width * 3), np.uint8)
    lines[:, 0] = SUB
    lines[:, 1:4] = pixels[:, 0]
    lines[:, 4:] = (pixels[:, 1:] - pixels[:, :-1]).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, TRUE_COLOUR, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), LEVEL)
    return SIGNATURE + _part(b"IHDR", header) + _part(b"IDAT", body) + _part(b"IEND", b"")


def _part(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
