"""How much one model may use of the machine: little until it has been read, then in proportion to its triangles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pricing.limits import DEFAULT, MIB

SECONDS: Final = 5.0
MEMORY_BYTES: Final = 512 * MIB
OUTPUT_BYTES: Final = 64 * MIB
# Loading, mending and measuring a sound million of triangles takes some 4 s of CPU and 400 MB on one core of 2023, one
# that has to be rewound 10 s, and a ring of 205,000 triangles in hundreds of overlapping bodies 10 s.
SECONDS_PER_TRIANGLE: Final = 60e-6
MEMORY_BYTES_PER_TRIANGLE: Final = 640
# A prepared surface is 72 bytes a triangle.
OUTPUT_BYTES_PER_TRIANGLE: Final = 96


@dataclass(frozen=True)
class Allowance:
    """What one task may use: seconds of CPU, bytes of memory beyond the warm process, bytes said and written."""

    seconds: float
    memory_bytes: int
    output_bytes: int


def allowance_for(triangles: int | None) -> Allowance:
    """Return what a model of so many triangles may use; None: nobody has read it yet.

    Whoever claims more triangles than any model may have gets no more for it.
    """
    count = min(triangles or 0, DEFAULT.triangles)
    return Allowance(
        seconds=max(SECONDS, count * SECONDS_PER_TRIANGLE),
        memory_bytes=max(MEMORY_BYTES, count * MEMORY_BYTES_PER_TRIANGLE),
        output_bytes=max(OUTPUT_BYTES, count * OUTPUT_BYTES_PER_TRIANGLE),
    )


MOST: Final = allowance_for(DEFAULT.triangles)
