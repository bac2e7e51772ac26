"""Binary STL: 80 bytes of header, a count, then records of 50 bytes (3D Systems, StereoLithography Interface, 1989)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.loading.found import Found, too_large, truncated, unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from pricing.limits import Limits

HEADER: Final = 84
RECORD: Final = 50
LAYOUT: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def promised(head: bytes) -> int:
    """Return the count of triangles that the header claims; only the length of the file is evidence."""
    return int.from_bytes(head[80:HEADER], "little")


def read_binary(path: Path, limits: Limits) -> Found:
    """Map the triangles of a binary STL: they stay on disk. Raises a refusal where the file is cut off.

    Whoever shortens the file while it is mapped kills the process that reads it (SIGBUS): give it a file of its own.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        claim = promised(file.read(HEADER))
    present, rest = divmod(size - HEADER, RECORD)
    if claim > present:
        raise truncated(present, claim)
    notes = []
    if claim < present and rest == 0 and claim == 0:
        notes.append(f"The header counts no triangles and the file holds {present:,}; all were taken.")
        claim = present
    elif claim < present:
        raise unreadable(f"The header counts {claim:,} triangles and the file holds {present:,}")
    elif rest:
        notes.append(f"{rest} bytes after the last triangle were ignored.")
    if claim > limits.triangles:
        raise too_large(f"The model has {claim:,} triangles, and we take up to {limits.triangles:,}")
    if claim == 0:
        return Found(np.empty((0, 3, 3), np.float32), notes=notes)
    records = np.memmap(path, LAYOUT, mode="r", offset=HEADER, shape=(claim,))
    return Found(records["corners"], notes=notes)
