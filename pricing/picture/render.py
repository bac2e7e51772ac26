"""A surface drawn: measured for the view, drawn chunk by chunk, shaded, marked, written as PNG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.picture.marking import mark, scale
from pricing.picture.png import encode
from pricing.picture.raster import DEPTHS, FACING_BITS, Canvas
from pricing.picture.shading import shaded
from pricing.picture.smoothing import corner_normals
from pricing.picture.strokes import Sheet
from pricing.picture.view import look, turned
from pricing.surface import CHUNK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pricing.picture.view import View
    from pricing.surface import Surface
    from pricing.units import Unit

    Point = tuple[float, float, float]

# Samples to a pixel's side: edges come in five shades.
OVER: Final = 2
# A place in the middle of a wall is not hidden by that wall: a part of half the model's longest side.
COVERED: Final = 0.16
# Rows and samples (a row costs as much as four) beyond which fewer are taken: a file of huge triangles, one before the
# other, would take hours. Ten million triangles of a real piece need half of it.
MOST_ROWS: Final = 20_000_000
# More numbers than this would hide the model.
MOST_MARKS: Final = 99
SMALLEST: Final = 64
LARGEST: Final = 4096


def render(surface: Surface, unit: Unit, marks: Sequence[Point] = (), size: tuple[int, int] = (640, 480)) -> bytes:
    """Return a PNG of a surface, seen from above at an angle, with a scale and a numbered ring at each of ``marks``.

    ``marks``: points in mm, in the model's own axes; one that lies hidden is ringed with dashes; those after the first
    99 are left out. ``size``: width and height in pixels. The order of the triangles does not matter. Raises ValueError
    for a surface without triangles, for coordinates or marks that are not finite, and for a size that no picture has.
    """
    width, height = size
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ValueError(
            f"a picture of {width} x {height} was asked for; ask for {SMALLEST} to {LARGEST} pixels a side"
        )
    if not all(math.isfinite(at) for point in marks for at in point):
        raise ValueError("a problem's place is not a finite number, so it cannot be marked")
    frame = (width * OVER, height * OVER)
    view = look(surface, frame, (frame[0] // 16, frame[1] // 9))
    canvas = _drawn(surface, view, frame)
    sheet = Sheet(shaded(canvas, view, OVER))
    scale(sheet, OVER * view.half * unit.mm / view.scale)
    mark(sheet, [_spot(canvas, view, point, unit) for point in marks[:MOST_MARKS]])
    return encode(sheet.pixels)


def _drawn(surface: Surface, view: View, frame: tuple[int, int]) -> Canvas:
    """Draw all triangles, coarser where they would be too much work; as it depends on the model alone, so do pixels."""
    by = 1
    while view.rows / by + view.area / by**2 / 4 > MOST_ROWS and by < max(frame):
        by *= 2
    seen = view.coarser(by)
    canvas = Canvas(-(-frame[0] // by), -(-frame[1] // by), seen.depths)
    smooth = surface.count <= CHUNK
    for chunk in surface.chunks():
        canvas.draw(seen, chunk, _normals(seen, chunk) if smooth else None)
    return canvas if by == 1 else canvas.finer(by, *frame)


def _normals(view: View, chunk: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners' normals in the picture's axes, shape (k, 3 corners, 3 axes)."""
    normals = corner_normals(view.small(chunk))
    return turned(view.turn, normals.transpose(1, 2, 0)).transpose(2, 0, 1)


def _spot(canvas: Canvas, view: View, point: Point, unit: Unit) -> tuple[float, float, bool]:
    """Return the pixel where a point in mm falls, and whether the model lies before it."""
    x, y, z = view.spot((point[0] / unit.mm, point[1] / unit.mm, point[2] / unit.mm))
    column, row = (round(min(max(at, 0), most - 1)) for at, most in ((x, canvas.width), (y, canvas.height)))
    far, near = canvas.depths
    before = int(canvas.samples[row, column] >> np.uint64(2 * FACING_BITS)) / DEPTHS * (near - far) + far
    hidden = bool(canvas.samples[row, column]) and before - z > COVERED * view.scale
    return (x - (OVER - 1) / 2) / OVER, (y - (OVER - 1) / 2) / OVER, hidden
