"""From where a model is looked at, and where its points fall in the picture: orthographic, upright, at an angle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.surface import Surface

    Triple = tuple[float, float, float]
    Matrix = tuple[Triple, Triple, Triple]

# A side this much shorter than the next makes a model flat: its broad face is then turned to the viewer.
FLAT: Final = 0.6
# Degrees that the viewer stands above the ground and to the side: over what lies flat, before what stands, else.
LYING: Final = (50, 24)
STANDING: Final = (20, 32)
COMPACT: Final = (28, 32)
# Below this a length is taken for none: its inverse must still be a number.
NOTHING: Final = 1e-300
# A span of less of the longest half side is rounding: a line that is looked at along itself.
EDGE: Final = 1e-9
# A place farther from the model is outside of any picture, and must not overflow on the way there.
FAR_OFF: Final = 1e6
# Directions are rounded, so that the last digit of a machine's cosine cannot move a pixel.
DIGITS: Final = 9


@dataclass(frozen=True)
class View:
    """The way from the model's coordinates to a picture's samples: x to the right, y down, z towards the viewer.

    ``middle`` and ``half``: the centre of the model's box and half of its longest side, in the model's unit; ``turn``:
    the picture's axes in the model; ``scale``: samples for one ``half``; ``shift``: added to x and y; ``depths``: the
    farthest and the nearest z; ``ground``: the lowest height, in samples; ``rows`` and ``area``: how many rows of
    samples all triangles cross together, and how many samples they cover.
    """

    middle: Triple
    half: float
    turn: Matrix
    scale: float
    shift: tuple[float, float]
    depths: tuple[float, float]
    ground: float
    rows: float
    area: float

    def coarser(self, by: int) -> View:
        """Return the same view with fewer samples: one in place of ``by`` times ``by``."""
        x, y = ((at + 0.5) / by - 0.5 for at in self.shift)
        far, near = self.depths
        return View(
            self.middle,
            self.half,
            self.turn,
            self.scale / by,
            (x, y),
            (far / by, near / by),
            self.ground / by,
            self.rows / by,
            self.area / by**2,
        )

    @property
    def rise(self) -> tuple[float, float]:
        """How far up the picture and towards the viewer one sample of height goes."""
        return self.turn[1][2], self.turn[2][2]

    def small(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring corners (k, 3, 3) into a cube from -1 to 1: nine rows of numbers, shape (3 corners, 3 axes, k)."""
        return _small(corners, self.middle, self.half)

    def place(self, small: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points of `small`, shape (..., 3 axes, k), fall: the same shape, in samples."""
        placed = turned(self.turn, small)
        placed *= np.array([[self.scale], [-self.scale], [self.scale]])
        placed += np.array([[self.shift[0]], [self.shift[1]], [0.0]])
        return placed

    def spot(self, point: Triple) -> Triple:
        """Return where one point of the model falls, in samples; one that is far off is drawn nearer."""
        away = (at / self.half - middle / self.half for at, middle in zip(point, self.middle, strict=True))
        small = [min(max(at, -FAR_OFF), FAR_OFF) for at in away]
        x, y, z = self.place(np.array(small)[:, None])[:, 0].tolist()
        return x, y, z


def turned(turn: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn points of shape (..., 3 axes, k). Sums are written out: a matrix product rounds as the machine likes."""
    x, y, z = points[..., 0, :], points[..., 1, :], points[..., 2, :]
    return np.stack([a * x + b * y + c * z for a, b, c in turn], axis=-2)


def look(surface: Surface, size: tuple[int, int], margins: tuple[int, int]) -> View:
    """Choose the view of a surface that fills a picture of ``size`` but for margins (at the sides, above and below).

    Raises ValueError for a surface without triangles and for coordinates that are not finite.
    """
    low, high = _box(surface)
    middle = [bottom / 2 + top / 2 for bottom, top in zip(low, high, strict=True)]
    sides = [top / 2 - bottom / 2 for bottom, top in zip(low, high, strict=True)]
    half = max(sides) if max(sides) > NOTHING else 1.0
    turn = _turn(sides)
    centre = (middle[0], middle[1], middle[2])
    seen = _seen(surface, centre, half, turn)
    spans = [top - bottom for bottom, top in zip(seen.low, seen.high, strict=True)]
    room = (size[0] - 2 * margins[0], size[1] - 2 * margins[1])
    scale = min((space / span for space, span in zip(room, spans, strict=False) if span > EDGE), default=1.0)
    # Whole samples lie at whole numbers, so the middle of the picture is half a sample before its size's half.
    x, y = ((bottom + top) / 2 * scale for bottom, top in zip(seen.low[:2], seen.high[:2], strict=True))
    shift = (size[0] / 2 - 0.5 - x, size[1] / 2 - 0.5 + y)
    depths = (seen.low[2] * scale, seen.high[2] * scale)
    ground = -sides[2] / half * scale
    return View(centre, half, turn, scale, shift, depths, ground, seen.heights * scale, seen.area * scale**2)


def _turn(sides: list[float]) -> Matrix:
    """Choose the picture's axes by the box: z stays up, the broader side is turned to the viewer."""
    x, y, z = sides
    around = 0 if x >= y else 90
    if z < FLAT * min(x, y):
        above, aside = LYING
    elif min(x, y) < FLAT * min(max(x, y), z):
        above, aside = STANDING
    else:
        above, aside = COMPACT
    across, up = math.radians(around + aside), math.radians(above)
    s, c = round(math.sin(across), DIGITS), round(math.cos(across), DIGITS)
    t, d = round(math.sin(up), DIGITS), round(math.cos(up), DIGITS)
    return (c, s, 0.0), (-t * s, t * c, d), (d * s, -d * c, t)


def _box(surface: Surface) -> tuple[list[float], list[float]]:
    if not surface.count:
        raise ValueError("the model has no triangles, so there is nothing to draw")
    low, high = np.full(3, math.inf), np.full(3, -math.inf)
    for chunk in surface.chunks():
        points = chunk.reshape(-1, 3)
        low = np.minimum(low, points.min(axis=0))
        high = np.maximum(high, points.max(axis=0))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("the model has coordinates that are not finite numbers, so it cannot be drawn")
    return low.tolist(), high.tolist()


@dataclass(frozen=True)
class _Seen:
    """The least and greatest right, up and towards the viewer; what all triangles' heights and areas add up to."""

    low: list[float]
    high: list[float]
    heights: float
    area: float


def _seen(surface: Surface, middle: Triple, half: float, turn: Matrix) -> _Seen:
    low, high = np.full(3, math.inf), np.full(3, -math.inf)
    heights = area = 0.0
    for chunk in surface.chunks():
        placed = turned(turn, _small(chunk, middle, half))
        low = np.minimum(low, placed.min(axis=(0, 2)))
        high = np.maximum(high, placed.max(axis=(0, 2)))
        (a, b, c), (d, e, f) = placed[:, 0], placed[:, 1]
        heights += float((np.maximum(np.maximum(d, e), f) - np.minimum(np.minimum(d, e), f)).sum())
        area += float(np.abs((b - a) * (f - d) - (c - a) * (e - d)).sum()) / 2
    return _Seen(low.tolist(), high.tolist(), heights, area)


def _small(corners: NDArray[np.float64], middle: Triple, half: float) -> NDArray[np.float64]:
    rows = np.ascontiguousarray(corners.transpose(1, 2, 0))
    rows -= np.array(middle)[:, None]
    rows /= half
    return rows
