"""Samples into colours: a polished metal under two lights, darker in its hollows, on a soft shadow."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.picture.raster import DEPTHS, FACING, FACING_BITS, FACINGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.picture.raster import Canvas
    from pricing.picture.view import View

    Numbers = NDArray[np.float64]

PAPER: Final = (255.0, 255.0, 255.0)
# Colours of the metal from dark to bright, red, green and blue: a light grey gold that stands off white paper.
DARK: Final = (44.0, 40.0, 44.0)
MIDDLE: Final = (188.0, 176.0, 155.0)
BRIGHT: Final = (255.0, 251.0, 242.0)
# The main light stands on the left, above and before the model, the other low on the right.
MAIN: Final = (-0.45, 0.65, 0.61)
FILL: Final = (0.80, -0.10, 0.59)
AMBIENT: Final = 0.12
# How dark a hollow gets, as a share, and over how many pixels a hollow is looked for.
HOLLOW: Final = 0.55
REACHES: Final = (3, 10, 28)
# Hollows need few digits of a depth: these many, in what remains after so many bits of a sample.
COARSE_DEPTHS: Final = float(1 << 16)
COARSE_DEPTH: Final = 2 * FACING_BITS + 28
SHADOW: Final = 0.42
SOFTNESS: Final = 7
# Pixels over which a shadow fades out towards the lower end of the picture, in place of being cut off.
FADING: Final = 48


@functools.cache
def metal() -> NDArray[np.uint8]:
    """Return the colour of every facing, shape (3, FACINGS squared), as `raster` numbers facings; nothing is black.

    Diffuse and specular light of the two lamps (Blinn 1977) and what a polished piece mirrors: a bright room above, a
    dark line at the horizon, a grey table below. Only products and sums, which every machine rounds alike.
    """
    steps = (np.arange(FACINGS) - FACINGS / 2) / (FACINGS / 2 - 1)
    y, x = np.meshgrid(steps, steps, indexing="ij")
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0.0))
    light = AMBIENT + 0.58 * _lit(MAIN, x, y, z) + 0.16 * _lit(FILL, x, y, z)
    # Looked at from straight ahead, a facing mirrors what lies at twice its angle.
    up = 2 * y * z
    room = np.interp(up, (-1.0, -0.45, -0.06, 0.10, 0.5, 1.0), (0.30, 0.40, 0.06, 0.30, 0.78, 0.55))
    shine = _glint(MAIN, x, y, z, 5) * 0.65 + _glint(FILL, x, y, z, 4) * 0.22
    tone = np.clip(0.78 * light + 0.34 * room + shine, 0.0, 1.0)
    colours = [np.interp(tone, (0.0, 0.55, 1.0), shades) for shades in zip(DARK, MIDDLE, BRIGHT, strict=True)]
    table: NDArray[np.uint8] = np.rint(np.stack(colours)).astype(np.uint8).reshape(3, -1)
    # No surface faces the very corner of the table; a sample on which there is no surface has this number.
    table[:, 0] = 0
    return table


def shaded(canvas: Canvas, view: View, over: int) -> NDArray[np.uint8]:
    """Return pixels (height, width, 3) of ``over`` times ``over`` samples each."""
    height, width = canvas.height // over, canvas.width // over
    count = _pooled(canvas.samples > 0, over)
    facing = (canvas.samples & np.uint64(FACING)).astype(np.intp)
    paper = (1 - SHADOW * _shadow(canvas, view, over)) * (1 - count / (over * over))
    light = (1 - _hollows(canvas, over, count)) / (over * over)
    pixels = np.empty((height, width, 3))
    for channel, colours in enumerate(metal()):
        pixels[..., channel] = _pooled(np.take(colours, facing), over) * light + PAPER[channel] * paper
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def _lit(lamp: tuple[float, float, float], x: Numbers, y: Numbers, z: Numbers) -> Numbers:
    return np.maximum(lamp[0] * x + lamp[1] * y + lamp[2] * z, 0.0)


def _glint(lamp: tuple[float, float, float], x: Numbers, y: Numbers, z: Numbers, squarings: int) -> Numbers:
    """Return the highlight of a lamp: the cosine to the direction midway to the viewer, squared so many times."""
    length = math.sqrt(lamp[0] ** 2 + lamp[1] ** 2 + (lamp[2] + 1) ** 2)
    glint = _lit((lamp[0] / length, lamp[1] / length, (lamp[2] + 1) / length), x, y, z)
    for _ in range(squarings):
        glint = glint * glint
    return glint


def _hollows(canvas: Canvas, over: int, count: NDArray[np.int32]) -> Numbers:
    """Return how much darker each pixel is for what stands before it nearby; ``count``: its samples on the model.

    By the difference between a depth and the mean of the depths around (Luft, Colditz and Deussen, "Image enhancement
    by unsharp masking the depth buffer", 2006).
    """
    far, near = canvas.depths
    unit = (near - far) / COARSE_DEPTHS / over
    total = _pooled((canvas.samples >> np.uint64(COARSE_DEPTH)).astype(np.int32), over)
    mean = total / np.maximum(count, 1)
    dark = np.zeros(mean.shape)
    for reach in REACHES:
        around = _summed(total, reach) / np.maximum(_summed(count, reach), 1)
        dark += np.clip((around - mean) * (unit / reach) - 0.06, 0.0, 0.5)
    return np.where(count > 0, np.minimum(dark * HOLLOW, 0.6), 0.0)


def _shadow(canvas: Canvas, view: View, over: int) -> Numbers:
    """Return how dark the paper is under the model: what is seen of it, let down to the ground and blurred."""
    samples = canvas.samples[::over, ::over]
    row, column = np.divmod(np.flatnonzero(samples), samples.shape[1])
    far, near = canvas.depths
    depth = (samples[row, column] >> np.uint64(2 * FACING_BITS)) * ((near - far) / DEPTHS) + far
    rise, towards = view.rise
    y = row * over
    up = (view.shift[1] - y) * rise + depth * towards
    fallen = np.rint((y + (up - view.ground) * rise) / over).astype(np.int64)
    height, width = canvas.height // over, canvas.width // over
    ground = np.zeros((height, width), np.int32)
    inside = (fallen >= 0) & (fallen < height)
    ground[fallen[inside], column[inside]] = 1 << 10
    for reach in (2 * SOFTNESS, SOFTNESS, SOFTNESS):
        ground = _summed(ground, reach) // (2 * reach + 1) ** 2
    fading = np.minimum((height - np.arange(height)) / float(FADING), 1.0)
    return ground / float(1 << 10) * fading[:, None]


def _pooled(values: NDArray[np.generic], over: int) -> NDArray[np.int32]:
    """Add up blocks of ``over`` times ``over`` samples."""
    total = np.zeros((values.shape[0] // over, values.shape[1] // over), np.int32)
    for row in range(over):
        for column in range(over):
            total += values[row::over, column::over]
    return total


def _summed(values: NDArray[np.int32], reach: int) -> NDArray[np.int32]:
    """Add up the square around each pixel that goes so far; beyond the picture there is nothing.

    The running sums may overflow, and wrap round: their differences are right all the same.
    """
    running = np.cumsum(np.pad(values, ((reach + 1, reach), (reach + 1, reach))), axis=0, dtype=np.int32)
    running = running[2 * reach + 1 :] - running[: -2 * reach - 1]
    np.cumsum(running, axis=1, out=running)
    return running[:, 2 * reach + 1 :] - running[:, : -2 * reach - 1]
