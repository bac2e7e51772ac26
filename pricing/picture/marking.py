"""What is laid over a picture: rings with numbers where problems are, and a scale in millimetres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pricing.picture.strokes import Sheet, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Spot = tuple[float, float, bool]

# Vermilion of Okabe and Ito's palette, told from grey and gold by colour-blind readers too; paler where hidden.
RED: Final = (213, 40, 0)
PALE: Final = (226, 128, 104)
WHITE: Final = (255, 255, 255)
INK: Final = (64, 64, 68)
RADIUS: Final = 11.0
DIGITS: Final = 10.0
# A number's plate is tried all around its ring and farther and farther out; from then on plates may overlap.
AROUND: Final = ((0.8, -0.8), (-0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
OUTWARDS: Final = (20.0, 30.0, 42.0, 56.0, 72.0)


def mark(sheet: Sheet, spots: Sequence[Spot]) -> None:
    """Ring the spots (x, y, whether hidden behind the model), and number them from 1."""
    height, width, _ = sheet.pixels.shape
    inside = [
        (min(max(x, RADIUS + 3), width - RADIUS - 4), min(max(y, RADIUS + 3), height - RADIUS - 4), hidden)
        for x, y, hidden in spots
    ]
    plates: list[tuple[float, float]] = []
    for number, (x, y, _) in enumerate(inside, start=1):
        plates.append(_free(sheet, (x, y), [spot[:2] for spot in inside], plates, str(number)))
    # Every ring before every number: a number may cover a ring, never the other way round.
    for (x, y, hidden), plate in zip(inside, plates, strict=True):
        away = math.hypot(plate[0] - x, plate[1] - y)
        edge = (x + (plate[0] - x) * RADIUS / away, y + (plate[1] - y) * RADIUS / away) if away > RADIUS else plate
        sheet.line(edge, plate, 5.0, WHITE)
        sheet.line(edge, plate, 2.0, PALE if hidden else RED)
    for x, y, hidden in inside:
        _ring(sheet, (x, y), hidden=hidden)
    for number, ((_, _, hidden), plate) in enumerate(zip(inside, plates, strict=True), start=1):
        _plate(sheet, plate, str(number), hidden=hidden)


def scale(sheet: Sheet, pixel_mm: float) -> None:
    """Draw a bar of a round length in the lower left, and say how long it is; ``pixel_mm``: a pixel's length."""
    height, width, _ = sheet.pixels.shape
    most = pixel_mm * width * 0.2
    if not (math.isfinite(most) and most > 1e-12):
        return
    length = _round_length(most)
    left, bottom, right = 18.0, height - 20.0, 18.0 + length / pixel_mm
    for start, end in (((left, bottom), (right, bottom)), *(((x, bottom - 5), (x, bottom + 5)) for x in (left, right))):
        sheet.line(start, end, 4.5, WHITE)
    for start, end in (((left, bottom), (right, bottom)), *(((x, bottom - 4), (x, bottom + 4)) for x in (left, right))):
        sheet.line(start, end, 1.8, INK)
    words = f"{length:.10g} mm"
    sheet.text((right + 12, bottom - 5), words, DIGITS, WHITE, 4.0)
    sheet.text((right + 12, bottom - 5), words, DIGITS, INK, 1.5)


def _round_length(most: float) -> float:
    """Return the greatest of 1, 2, 5, 10, 20, 50 and so on that is not greater."""
    exponent = math.floor(math.log10(most))
    return max(
        float(f"{digit}e{power}")
        for power in (exponent - 1, exponent)
        for digit in (1, 2, 5)
        if float(f"{digit}e{power}") <= most
    )


def _ring(sheet: Sheet, at: tuple[float, float], *, hidden: bool) -> None:
    sheet.ring(at, RADIUS, 6.0, WHITE)
    sheet.ring(at, RADIUS, 2.8, PALE if hidden else RED, dashes=10 if hidden else 0)


def _plate(sheet: Sheet, at: tuple[float, float], words: str, *, hidden: bool) -> None:
    wide = width_of(words, DIGITS)
    left, right = (at[0] - wide / 2, at[1]), (at[0] + wide / 2, at[1])
    sheet.line(left, right, 2 * DIGITS + 2, WHITE)
    sheet.line(left, right, 2 * DIGITS - 1, PALE if hidden else RED)
    if hidden:
        sheet.line(left, right, 2 * DIGITS - 4, WHITE)
    sheet.text((left[0], at[1] - DIGITS / 2), words, DIGITS, INK if hidden else WHITE, 1.9)


def _free(
    sheet: Sheet,
    at: tuple[float, float],
    rings: Sequence[tuple[float, float]],
    plates: Sequence[tuple[float, float]],
    words: str,
) -> tuple[float, float]:
    """Find a place for a number near its ring where it covers no other ring and no other number."""
    height, width, _ = sheet.pixels.shape
    half = width_of(words, DIGITS) / 2 + DIGITS
    for out in OUTWARDS:
        for right, down in AROUND:
            x, y = at[0] + right * (out + half - DIGITS), at[1] + down * out
            clear = all(
                abs(x - ring[0]) > RADIUS + half or abs(y - ring[1]) > RADIUS + DIGITS for ring in rings if ring != at
            )
            clear = clear and all(
                abs(x - plate[0]) > 2 * half or abs(y - plate[1]) > 2 * DIGITS + 2 for plate in plates
            )
            if clear and half < x < width - half and DIGITS + 1 < y < height - DIGITS - 1:
                return x, y
    return min(max(at[0], half), width - half), min(max(at[1] - OUTWARDS[0], DIGITS + 1), height - DIGITS - 1)
