"""Lines, circles and digits with smooth edges, laid over pixels by their distance from each pixel's middle."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Pixels = NDArray[np.uint8]
    Colour = tuple[int, int, int]

# Each sign is drawn by lines through points of a grid 4 wide and 6 high, x then y, y down; a blank lifts the pen.
SIGNS: Final = {
    "0": "10 30 41 45 36 16 05 01 10",
    "1": "02 20 26",
    "2": "01 10 30 41 42 06 46",
    "3": "01 10 30 41 42 33 44 45 36 16 05|13 33",
    "4": "36 30 04 44",
    "5": "40 00 03 13 33 44 45 36 16 05",
    "6": "41 30 10 01 05 16 36 45 44 33 13 04",
    "7": "00 40 16",
    "8": "10 30 41 42 33 13 02 01 10|13 04 05 16 36 45 44 33",
    "9": "05 16 36 45 41 30 10 01 02 13 33 42",
    "m": "06 02|03 12 23 26|23 32 43 46",
    "e": "04 44 43 32 12 03 05 16 36",
    "+": "03 43|21 25",
    "-": "03 43",
    ".": "06 06",
}
WIDE: Final = 4
HIGH: Final = 6
NARROW: Final = {"1": 2, ".": 0, " ": 0}
# Between two signs, in steps of the grid.
APART: Final = 2.2


class Sheet:
    """Pixels (height, width, 3) to draw on; whatever lies beyond them is left out."""

    def __init__(self, pixels: Pixels) -> None:
        """Draw on ``pixels`` themselves."""
        self.pixels = pixels

    def line(self, start: tuple[float, float], end: tuple[float, float], wide: float, colour: Colour) -> None:
        """Draw a line with round ends from point to point (x, y)."""
        reach = wide / 2 + 1
        low = (min(start[0], end[0]) - reach, min(start[1], end[1]) - reach)
        high = (max(start[0], end[0]) + reach, max(start[1], end[1]) + reach)
        x, y, window = self._window(low, high)
        across, down = end[0] - start[0], end[1] - start[1]
        square = across * across + down * down
        share = np.clip(((x - start[0]) * across + (y - start[1]) * down) / square, 0.0, 1.0) if square else 0.0 * x
        away = _length(x - start[0] - share * across, y - start[1] - share * down)
        self._lay(window, wide / 2 - away, colour)

    def ring(self, at: tuple[float, float], radius: float, wide: float, colour: Colour, dashes: int = 0) -> None:
        """Draw a circle around (x, y); ``dashes``: into how many it is broken, 0 for none."""
        reach = radius + wide / 2 + 1
        x, y, window = self._window((at[0] - reach, at[1] - reach), (at[0] + reach, at[1] + reach))
        right, down = x - at[0], y - at[1]
        cover = wide / 2 - np.abs(_length(right, down) - radius)
        if dashes:
            cover = np.where(_turns(right, down) * dashes % 1.0 < 0.55, cover, -1.0)
        self._lay(window, cover, colour)

    def disc(self, at: tuple[float, float], radius: float, colour: Colour) -> None:
        """Fill a circle around (x, y)."""
        self.line(at, at, 2 * radius, colour)

    def text(self, at: tuple[float, float], words: str, high: float, colour: Colour, wide: float = 1.6) -> None:
        """Write digits so high with (x, y) at the left and top."""
        step = high / HIGH
        left = at[0]
        for sign in words:
            for stroke in SIGNS.get(sign, "").split("|"):
                points = [(left + int(point[0]) * step, at[1] + int(point[1]) * step) for point in stroke.split()]
                for start, end in itertools.pairwise(points):
                    self.line(start, end, wide, colour)
            left += (NARROW.get(sign, WIDE) + APART) * step

    def _window(
        self, low: tuple[float, float], high: tuple[float, float]
    ) -> tuple[Numbers, Numbers, tuple[slice, slice]]:
        height, width, _ = self.pixels.shape
        columns = slice(max(0, int(low[0])), max(0, min(width, int(high[0]) + 2)))
        rows = slice(max(0, int(low[1])), max(0, min(height, int(high[1]) + 2)))
        y, x = np.mgrid[rows, columns].astype(np.float64)
        return x, y, (rows, columns)

    def _lay(self, window: tuple[slice, slice], inside: Numbers, colour: Colour) -> None:
        """Blend a colour in; ``inside``: by how many pixels each pixel's middle lies within the shape."""
        cover = np.clip(inside + 0.5, 0.0, 1.0)[..., None]
        under = self.pixels[window]
        self.pixels[window] = np.rint(under + (np.array(colour) - under) * cover).astype(np.uint8)


def width_of(words: str, high: float) -> float:
    """Return how wide a text so high is, in pixels."""
    return (sum(NARROW.get(sign, WIDE) + APART for sign in words) - APART) * high / HIGH


def _length(x: Numbers, y: Numbers) -> Numbers:
    length: Numbers = np.sqrt(x * x + y * y)
    return length


def _turns(x: Numbers, y: Numbers) -> Numbers:
    """Return the direction of a point as a share of a turn, roughly: by its place on a square, without a cosine."""
    size = np.abs(x) + np.abs(y)
    share = np.divide(x, size, out=np.zeros_like(size), where=size > 0)
    turns: Numbers = np.where(y < 0, 3.0 + share, 1.0 - share) / 4
    return turns
