"""Triangles into samples, nearest first: rows, then samples of each row, all in vectors of bounded length."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pricing.picture.view import View

    Numbers = NDArray[np.float64]
    Whole = NDArray[np.int64]

# A sample is one number: how near, and which way its surface faces. The greatest wins, whatever came first.
FACING_BITS: Final = 9
FACINGS: Final = 1 << FACING_BITS
FACING: Final = (1 << 2 * FACING_BITS) - 1
DEPTHS: Final = float(1 << 44)
# Rows and samples worked on at once: some 20 numbers of eight bytes each.
MOST: Final = 1 << 16


@dataclass
class Canvas:
    """The samples of a picture, each 0 where nothing is, else its depth above its facing; shape (height, width)."""

    width: int
    height: int
    depths: tuple[float, float]
    samples: NDArray[np.uint64] = field(init=False)

    def __post_init__(self) -> None:
        """Start with nothing on it."""
        self.samples = np.zeros((self.height, self.width), np.uint64)

    def finer(self, by: int, width: int, height: int) -> Canvas:
        """Return a canvas of ``by`` times ``by`` samples for each of these, cut to a size."""
        far, near = self.depths
        canvas = Canvas(width, height, (far * by, near * by))
        canvas.samples[:] = self.samples.repeat(by, axis=0).repeat(by, axis=1)[:height, :width]
        return canvas

    def draw(self, view: View, corners: Numbers, normals: Numbers | None = None) -> None:
        """Draw triangles (k, 3, 3) of a model; ``normals``: in the picture's axes, by corner, else facets are flat."""
        placed = view.place(view.small(corners))
        across, down = placed[:, 0], placed[:, 1]
        first, last = _within(down, self.height)
        seen = np.flatnonzero((first < last) & np.less(*_within(across, self.width)))
        if not len(seen):
            return
        placed, first, last = placed[..., seen], first[seen], last[seen]
        even = placed[:, 2:]
        if normals is not None:
            even = np.concatenate((even, _towards(placed, normals[seen].transpose(1, 2, 0))), axis=1)
        for begin, end in _batches(last - first):
            part = slice(begin, end)
            self._draw(placed[..., part], even[..., part], first[part], last[part])

    def _draw(self, placed: Numbers, even: Numbers, first: Whole, last: Whole) -> None:
        """Cut triangles into rows and rows into samples; ``even``: depths, and normals unless facets are flat."""
        slopes = _slopes(placed, even)
        flat = _facing(_flat(placed)) if even.shape[1] == 1 else None
        edges = _upwards(placed[:, :2])
        triangle, y = _expanded(first, last)
        begin, end = _rows(np.take(edges, triangle, axis=-1), y, self.width)
        some = np.flatnonzero(begin < end)
        triangle, y, begin, end = triangle[some], y[some], begin[some], end[some]
        values = np.take(slopes.at, triangle, axis=1) + np.take(slopes.down, triangle, axis=1) * y
        low, high = placed[:, 2].min(axis=0)[triangle], placed[:, 2].max(axis=0)[triangle]
        for start, stop in _batches(end - begin):
            part = slice(start, stop)
            row, x = _expanded(begin[part], end[part])
            steps = np.take(slopes.across, triangle[part][row], axis=1)
            found = np.take(values[:, part], row, axis=1) + steps * x
            depth = np.clip(found[0], low[part][row], high[part][row])
            facing = _facing(found[1:]) if flat is None else flat[triangle[part]][row]
            np.maximum.at(self.samples.reshape(-1), y[part][row] * self.width + x, self._packed(depth, facing))

    def _packed(self, depth: Numbers, facing: NDArray[np.uint64]) -> NDArray[np.uint64]:
        far, near = self.depths
        share = (depth - far) / (near - far) if near > far else np.zeros_like(depth)
        key = np.rint(np.clip(share, 0.0, 1.0) * (DEPTHS - 2)).astype(np.uint64) + np.uint64(1)
        return key << np.uint64(2 * FACING_BITS) | facing


@dataclass(frozen=True)
class Slopes:
    """What is even over a triangle, by row of numbers: its value at (0, 0), and its change to the right and down."""

    at: Numbers
    across: Numbers
    down: Numbers


def _slopes(placed: Numbers, even: Numbers) -> Slopes:
    """Find the planes through the numbers of the corners, (3 corners, numbers, k)."""
    (x0, x1, x2), (y0, y1, y2) = placed[:, 0], placed[:, 1]
    first, second, third = even
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    # A triangle seen from its edge has no slope that a number could hold; it is as deep as its first corner.
    inverse = np.divide(1.0, area, out=np.zeros_like(area), where=np.abs(area) > 1e-9)
    one, other = second - first, third - first
    across = (one * (y2 - y0) - other * (y1 - y0)) * inverse
    down = (other * (x1 - x0) - one * (x2 - x0)) * inverse
    return Slopes(first - across * x0 - down * y0, across, down)


def _flat(placed: Numbers) -> Numbers:
    """Return each triangle's normal in the picture's axes (right, up, towards), turned to the viewer, shape (3, k)."""
    a, b = placed[1] - placed[0], placed[2] - placed[0]
    normal = np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
    # Down the picture is against up: a mirror, which turns the product of two of its vectors round but for that axis.
    normal[1] *= -1
    normal *= np.where(normal[2] < 0, -1.0, 1.0)
    return normal


def _towards(placed: Numbers, normals: Numbers) -> Numbers:
    """Turn the corners' normals (3 corners, 3 axes, k) of triangles that show their back."""
    (x0, x1, x2), (y0, y1, y2) = placed[:, 0], placed[:, 1]
    back = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0) > 0
    return normals * np.where(back, -1.0, 1.0)


def _facing(normals: Numbers) -> NDArray[np.uint64]:
    """Write in one number how far right and how far up normals (3, k) of any length face."""
    x, y, z = normals[0], normals[1], np.maximum(normals[2], 0.0)
    length = np.sqrt(x * x + y * y + z * z)
    scale = np.divide(FACINGS / 2 - 1, length, out=np.zeros_like(length), where=length > 0)
    right = np.rint(x * scale + FACINGS / 2).astype(np.uint64)
    up = np.rint(y * scale + FACINGS / 2).astype(np.uint64)
    code: NDArray[np.uint64] = up << np.uint64(FACING_BITS) | right
    return code


def _within(at: Numbers, count: int) -> tuple[Whole, Whole]:
    """Return the first whole number in each triangle's span, and the first beyond it, within 0 to ``count``."""
    low, high = np.minimum(np.minimum(at[0], at[1]), at[2]), np.maximum(np.maximum(at[0], at[1]), at[2])
    return _whole(low, count), _whole(high, count)


def _whole(at: Numbers, count: int) -> Whole:
    return np.clip(np.ceil(at), 0, count).astype(np.int64)


def _upwards(corners: Numbers) -> Numbers:
    """Sort each triangle's corners (3, x and y, k) by y: neighbours then cut their common edge alike, without a gap."""
    a, b, c = corners
    a, b = _swapped(a, b)
    b, c = _swapped(b, c)
    a, b = _swapped(a, b)
    return np.stack([a, b, c])


def _swapped(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    later = a[1] > b[1]
    return np.where(later, b, a), np.where(later, a, b)


def _rows(edges: Numbers, y: Whole, width: int) -> tuple[Whole, Whole]:
    """Return the first sample of each row in its triangle, and the first beyond it."""
    a, b, c = edges
    upper = y < b[1]
    one = _crossing(a, c, y)
    other = _crossing(np.where(upper, a, b), np.where(upper, b, c), y)
    return _whole(np.minimum(one, other), width), _whole(np.maximum(one, other), width)


def _crossing(start: Numbers, end: Numbers, y: Whole) -> Numbers:
    height = end[1] - start[1]
    share = np.divide(y - start[1], height, out=np.zeros_like(height), where=height > 0)
    crossing: Numbers = start[0] + np.clip(share, 0.0, 1.0) * (end[0] - start[0])
    return crossing


def _expanded(begin: Whole, end: Whole) -> tuple[Whole, Whole]:
    """Return every whole number of each span, after the number of the span."""
    counts = end - begin
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) + np.repeat(begin - (np.cumsum(counts) - counts), counts)


def _batches(counts: Whole) -> Iterator[tuple[int, int]]:
    """Yield runs of spans that hold ``MOST`` numbers at most together, or one span that holds more."""
    ends = np.cumsum(counts)
    begin = done = 0
    while begin < len(counts):
        end = max(begin + 1, int(np.searchsorted(ends, done + MOST, side="right")))
        yield begin, end
        begin, done = end, int(ends[end - 1])
