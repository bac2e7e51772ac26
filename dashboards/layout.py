"""Grafana's grid: 24 columns, filled row by row and checked, because the builder library lets rows overflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from grafana_foundation_sdk.models.dashboard import GridPos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.models.dashboard import Panel

COLUMNS: Final = 24


class Row(NamedTuple):
    """Panels beside each other, all of one height (in units of 30 pixels), each as wide as so many columns."""

    height: int
    panels: Sequence[tuple[int, Panel]]


def row(height: int, *panels: tuple[int, Panel]) -> Row:
    """Return a row of (width, panel)."""
    return Row(height, panels)


def even(height: int, *panels: Panel) -> Row:
    """Return a row of equally wide panels."""
    return Row(height, [(COLUMNS // len(panels), panel) for panel in panels])


def laid_out(rows: Sequence[Row]) -> list[Panel]:
    """Return the panels with their places. Raises ValueError where a row does not fill the grid's width."""
    placed, y = [], 0
    for height, panels in rows:
        x = 0
        for width, panel in panels:
            panel.grid_pos = GridPos(h=height, w=width, x=x, y=y)
            placed.append(panel)
            x += width
        if x != COLUMNS:
            titles = ", ".join(panel.title or "" for _, panel in panels)
            raise ValueError(f"the row of {titles} is {x} columns wide; the grid has {COLUMNS}")
        y += height
    return placed
