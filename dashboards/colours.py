"""Colours that colour-blind people tell apart: the palette of Okabe and Ito.

M. Okabe, K. Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color; B. Wong, Nature Methods 8, 441
(2011).
Black is left out, because half of all dashboards are dark; grey stands for what has no colour of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
VERMILLION: Final = "#D55E00"
YELLOW: Final = "#F0E442"
GREY: Final = "#777777"
# Neighbours differ most: see the test that simulates three kinds of colour blindness.
PALETTE: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW)
# More lines than colours are told apart by their strokes: lengths of dashes and gaps, none for a solid line.
STROKES: Final[tuple[tuple[float, ...], ...]] = ((), (10, 10), (2, 8), (20, 5, 2, 5))

GOOD: Final = BLUE
WARN: Final = ORANGE
BAD: Final = VERMILLION


def strokes(names: Sequence[str]) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Return a colour and a stroke for each name, no two alike for 28 names."""
    count = len(PALETTE)
    return {name: (PALETTE[n % count], STROKES[n // count % len(STROKES)]) for n, name in enumerate(names)}
