"""The few SVG parts that the charts are made of. Colours and fonts are the page's own, by class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TIME_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
LETTER: Final = 6.4  # width of a letter on an axis
_ids = count()


@dataclass(frozen=True)
class Plot:
    """The area of a chart inside its margins, and how values map to it: x from 0 to ``across``, y from 0 to ``top``."""

    width: int
    height: int
    across: float
    top: float
    left: int = 36
    right: int = 8
    above: int = 10
    below: int = 34

    def x(self, value: float) -> float:
        """Return the place of a value from left to right."""
        return self.left + (self.width - self.left - self.right) * value / (self.across or 1)

    def y(self, value: float) -> float:
        """Return the place of a value from the bottom up."""
        return self.above + (self.height - self.above - self.below) * (1 - value / (self.top or 1))

    @property
    def floor(self) -> float:
        """The place of zero."""
        return self.y(0)


def chart(plot: Plot, title: str, description: str, parts: Iterable[Markup], classes: str = "") -> Markup:
    """Return a chart with its title and description, which screen readers say."""
    name = f"chart{next(_ids)}"
    return Markup(
        '<svg class="chart {classes}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}t {name}d">'
        '<title id="{name}t">{title}</title><desc id="{name}d">{description}</desc>{parts}</svg>'
    ).format(
        classes=classes,
        width=plot.width,
        height=plot.height,
        name=name,
        title=title,
        description=description,
        parts=Markup("").join(parts),
    )


def rectangle(left: float, top: float, width: float, height: float, kind: str, tip: str = "") -> Markup:
    """Return a bar, with what it says when pointed at."""
    if height <= 0 or width <= 0:
        return Markup("")
    said = Markup(' data-tip="{}"').format(tip) if tip else ""
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"{}/>').format(
        kind, left, top, width, height, said
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "middle") -> Markup:
    """Return words at a place."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, words)


def path(points: Sequence[tuple[float, float] | None], kind: str, floor: float | None = None) -> Markup:
    """Return a line through points, broken where one is None; with ``floor``, the area down to it."""
    commands = []
    for run in _runs(points):
        corners = run if floor is None else [(run[0][0], floor), *run, (run[-1][0], floor)]
        commands.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners))
    return Markup('<path class="{}" d="{}"/>').format(kind, "".join(commands)) if commands else Markup("")


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run if len(run) > 1 else [run[0], (run[0][0] + 0.1, run[0][1])] for run in runs if run]


def nice_top(highest: float, steps: int = 4) -> tuple[float, float]:
    """Return a round upper end of an axis and the step of its ticks, about ``steps`` of them."""
    if highest <= 0:
        return 1.0, 1.0
    rough = highest / steps
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    return step * math.ceil(highest / step - 1e-9), step


def count_top(highest: float, steps: int = 4) -> tuple[float, float]:
    """Return an axis for counts: its ticks are whole numbers."""
    _, step = nice_top(highest, steps)
    whole = max(math.ceil(step), 1)
    return whole * math.ceil(max(highest, 1) / whole), float(whole)


def time_unit(longest_s: float) -> tuple[float, str]:
    """Return the unit, in seconds, in which an axis up to ``longest_s`` reads best, and its name."""
    return next(((length, name) for length, name in _TIME_UNITS if longest_s >= 1.5 * length), _TIME_UNITS[-1])


def left_axis(plot: Plot, step: float, unit: str = "") -> list[Markup]:
    """Return the lines and figures of the axis on the left."""
    parts = []
    for tick in range(round(plot.top / step) + 1):
        value = tick * step
        parts.append(line(plot.left, plot.y(value), plot.width - plot.right, plot.y(value), "grid"))
        parts.append(text(plot.left - 5, plot.y(value) + 4, f"{value:,.6g}{unit}", "tick", "end"))
    return parts


def bottom_labels(plot: Plot, labels: Sequence[str], centres: Sequence[float]) -> list[Markup]:
    """Return as many labels below the chart as there is room for, evenly spaced."""
    widest = LETTER * max((len(label) for label in labels), default=1) + 16
    every = max(math.ceil(len(labels) * widest / (plot.width - plot.left - plot.right)), 1)
    room_left, room_right = plot.left - 12, plot.width - 2
    parts = []
    for place in range(0, len(labels), every):
        half = len(labels[place]) * LETTER / 2
        x = min(max(plot.x(centres[place]), room_left + half), room_right - half)
        parts.append(text(x, plot.floor + 15, labels[place], "tick"))
    return parts


def say(parts: Iterable[object]) -> str:
    """Join the words of a tip."""
    return " · ".join(str(part) for part in parts if part)
