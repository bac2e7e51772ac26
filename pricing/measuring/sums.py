"""Volume, area, centre and box as sums over triangles, the same digits however the work is cut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.refusals import Refusal, RefusalCode
from pricing.surface import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from pricing.surface import Surface

Point = tuple[float, float, float]

# Triangles at a time inside a chunk: their sixteen rows of scratch stay in the second-level cache.
BLOCK: Final = 4096


@dataclass(frozen=True)
class Partial:
    """Sums over one chunk in the model's unit.

    ``moment``: integral of position from the anchor over volume; ``spans``: the sides of all triangles' boxes.
    """

    triangles: int
    volume: float
    area: float
    moment: Point
    spans: Point
    low: Point
    high: Point


@dataclass(frozen=True)
class Sums:
    """Sums over a whole surface, in the model's unit; ``centre`` is None where the volume is 0.

    ``spans``, the summed sides of all triangles' boxes, tells how much work it is to cut them.
    """

    triangles: int
    volume: float
    area: float
    centre: Point | None
    spans: Point
    low: Point
    high: Point


def pieces(surface: Surface) -> Iterator[NDArray[np.floating]]:
    """Yield a surface's chunks as they lie in memory or file, so that a kernel converts a block at a time.

    The borders are those of ``Surface.chunks``, and so are the digits: widening a float32 is exact.
    """
    for begin in range(0, surface.count, CHUNK):
        yield surface.corners[begin : begin + CHUNK]


def anchor(surface: Surface) -> Point:
    """Return the centre of the first chunk's box: sums taken from there do not cancel far from the origin.

    Raises Refusal where there are no triangles.
    """
    if not surface.count:
        raise Refusal(RefusalCode.EMPTY, "The model has no surface: save it with its solid body, and send it again.")
    # Coordinate by coordinate: numpy's least over two axes of three takes as long as all sums together.
    rows = surface.corners[:CHUNK].transpose(1, 2, 0).copy()
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = rows.min(axis=2).min(axis=0), rows.max(axis=2).max(axis=0)
        middle = low.astype(np.float64) / 2 + high.astype(np.float64) / 2
    return float(middle[0]), float(middle[1]), float(middle[2])


def summed(surface: Surface) -> Sums:
    """Sum over a whole surface. Raises Refusal where it is empty, not finite or too large."""
    origin = anchor(surface)
    return combine([partial(chunk, origin) for chunk in pieces(surface)], origin)


def partial(corners: NDArray[np.floating], origin: Point) -> Partial:
    """Sum over at most one chunk of corners, shape (k, 3, 3), from ``origin`` (``anchor`` of the whole surface).

    Volume and centre by the divergence theorem (Zhang and Chen, "Efficient feature extraction for 2D/3D objects in
    mesh representation", ICIP 2001): six times a tetrahedron's volume is a . ((b - a) x (c - a)).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = [_block(corners[begin : begin + BLOCK], origin) for begin in range(0, len(corners), BLOCK)]
        sums = [_exact(column) for column in zip(*(block[0] for block in blocks), strict=True)]
        low = np.min([block[1] for block in blocks], axis=0)
        high = np.max([block[2] for block in blocks], axis=0)
    volume, area, x, y, z, *spans = sums
    return Partial(
        len(corners), volume / 6, area / 2, (x / 24, y / 24, z / 24), _point(spans), _point(low), _point(high)
    )


def combine(partials: Iterable[Partial], origin: Point) -> Sums:
    """Add chunks up, in their order, rounding once: any division of the chunks among workers gives the same digits.

    Raises Refusal where coordinates are not finite, or so large that the volume is not.
    """
    parts = list(partials)
    low = tuple(min(part.low[axis] for part in parts) for axis in range(3))
    high = tuple(max(part.high[axis] for part in parts) for axis in range(3))
    volume = _exact(part.volume for part in parts)
    area = _exact(part.area for part in parts)
    if not all(math.isfinite(value) for part in parts for value in (*part.low, *part.high)):
        raise Refusal(RefusalCode.NOT_FINITE, "Some corners of the model have no finite position: export it anew.")
    if not (math.isfinite(volume) and math.isfinite(area)):
        raise Refusal(RefusalCode.SIZE, "The model is too large to be measured: check the unit it was made in.")
    centre = tuple(
        origin[axis] + _exact(part.moment[axis] for part in parts) / volume if volume else 0.0 for axis in range(3)
    )
    count = sum(part.triangles for part in parts)
    spans = _point(_exact(part.spans[axis] for part in parts) for axis in range(3))
    return Sums(count, volume, area, _point(centre) if volume else None, spans, _point(low), _point(high))


def _block(
    corners: NDArray[np.floating], origin: Point
) -> tuple[list[float], NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of 6 volume, 2 area, 24 moment and spans, and the box."""
    rows = np.empty((3, 3, len(corners)))
    rows[...] = corners.transpose(1, 2, 0)
    lowest, highest = rows.min(axis=0), rows.max(axis=0)
    spans = (highest - lowest).sum(axis=1)
    rows -= np.asarray(origin)[:, None]
    a, b, c = rows
    total = a + b + c
    b -= a
    c -= a
    x = b[1] * c[2] - b[2] * c[1]
    y = b[2] * c[0] - b[0] * c[2]
    z = b[0] * c[1] - b[1] * c[0]
    volume = a[0] * x + a[1] * y + a[2] * z
    area = np.sqrt(x * x + y * y + z * z)
    total *= volume
    moments = total.sum(axis=1)
    sums = [float(volume.sum()), float(area.sum()), *map(float, moments), *map(float, spans)]
    return sums, lowest.min(axis=1), highest.max(axis=1)


def _exact(values: Iterable[float]) -> float:
    """Add without intermediate rounding; what is beyond floats is infinite, not an error."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return math.inf


def _point(values: Iterable[float]) -> Point:
    x, y, z = values
    return float(x), float(y), float(z)
