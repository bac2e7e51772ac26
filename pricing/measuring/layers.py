"""Cross-sections of all layers in one pass over the triangles, and what hangs over nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pricing.measuring.sections import MOST_CUTS, Planes, cut
from pricing.measuring.sums import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pricing.measuring.sums import Point, Sums


@dataclass(frozen=True)
class Slicing:
    """Layers upwards from the plate, in the model's unit.

    A face hangs over where its normal is nearer to straight down than ``overhang_deg``; faces within half a layer of
    the plate lie on it and need no support.
    """

    planes: Planes
    origin: Point
    plate: float
    overhang_deg: float


@dataclass(frozen=True)
class LayerPartial:
    """Of one chunk: signed area by layer, overhanging area, and volume between overhanging faces and the plate."""

    areas: NDArray[np.float64]
    overhang: float
    support: float


@dataclass(frozen=True)
class Layers:
    """Of the whole surface, in the model's unit."""

    areas: tuple[float, ...]
    overhang: float
    support: float


def slicing(total: Sums, layer: float, most: int, overhang_deg: float) -> Slicing:
    """Lay planes through the middle of each layer; fewer, evenly spaced, for more than ``most`` or ``MOST_CUTS``."""
    low, high = total.low, total.high
    height = high[2] - low[2]
    count = min(most, whole(height, max(layer, total.spans[2] / MOST_CUTS)))
    # The last layer is cut where the model ends: planes stay inside, and areas times step add up to the volume.
    step = height / count if height else layer
    origin = (low[0] / 2 + high[0] / 2, low[1] / 2 + high[1] / 2, low[2])
    return Slicing(Planes(2, low[2] + step / 2, step, count), origin, low[2], overhang_deg)


def whole(height: float, layer: float) -> int:
    """Return how many layers a height takes, at least 1; what is over by less than a rounding error takes none."""
    return max(1, math.ceil(height / layer * (1 - 1e-9)))


def partial(corners: NDArray[np.float64], how: Slicing, outward: int) -> LayerPartial:
    """Slice one chunk. ``outward``: -1 for a surface turned inside out, else 1.

    Green's theorem: a section's area is half the sum of x0 y1 - x1 y0 over its outline, and the order of segments does
    not matter, so no outline is ever put together.
    """
    areas = np.zeros(how.planes.count)
    centre = np.array(how.origin[:2])[:, None]
    for cuts in cut(corners, how.planes):
        start, end = cuts.start - centre, cuts.end - centre
        areas += np.bincount(cuts.plane, start[0] * end[1] - end[0] * start[1], minlength=how.planes.count)
    hanging = [_hanging(corners[begin : begin + BLOCK], how, outward) for begin in range(0, len(corners), BLOCK)]
    overhang, support = (math.fsum(column) for column in zip(*hanging, strict=True))
    return LayerPartial(outward * areas / 2, overhang, support)


def combine(partials: Iterable[LayerPartial]) -> Layers:
    """Add chunks up, in their order, rounding once a layer."""
    parts = list(partials)
    areas = tuple(math.fsum(column) for column in zip(*(part.areas.tolist() for part in parts), strict=True))
    return Layers(areas, math.fsum(part.overhang for part in parts), math.fsum(part.support for part in parts))


def _hanging(corners: NDArray[np.float64], how: Slicing, outward: int) -> tuple[float, float]:
    """Return overhanging area, and the volume of the prisms from those faces down to the plate."""
    rows = np.empty((3, 3, len(corners)))
    rows[...] = corners.transpose(1, 2, 0)
    a, b, c = rows
    heights = a[2] + b[2] + c[2] - 3 * how.plate
    off_plate = np.maximum(np.maximum(a[2], b[2]), c[2]) > how.plate + how.planes.step / 2
    b -= a
    c -= a
    x = b[1] * c[2] - b[2] * c[1]
    y = b[2] * c[0] - b[0] * c[2]
    down = (b[1] * c[0] - b[0] * c[1]) * outward
    twice = np.sqrt(x * x + y * y + down * down)
    hangs = off_plate & (down > math.cos(math.radians(how.overhang_deg)) * twice)
    return float(twice[hangs].sum()) / 2, float((down * heights)[hangs].sum()) / 6
