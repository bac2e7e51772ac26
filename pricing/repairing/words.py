"""Lengths, places and counts as a customer reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pricing.units import Unit


def length(value: float, unit: Unit | None, power: int = 1) -> str:
    """Write a length, area or volume with its unit, or in units of the model where none is known."""
    raised = {1: "", 2: "²", 3: "³"}[power]
    return f"{value:.3g} {unit.value}{raised}" if unit else f"{value:.3g} units{raised}"


def place(point: NDArray[np.float64]) -> str:
    """Write where a point lies."""
    x, y, z = point
    return f"({x:.4g}, {y:.4g}, {z:.4g})"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write a count and its noun: 1 hole, 2 holes."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
