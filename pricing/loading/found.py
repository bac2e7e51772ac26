"""What a reader finds in a file, and the refusals that several readers give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pricing.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pricing.units import Unit


@dataclass(frozen=True)
class Found:
    """Triangles as corners of shape (n, 3, 3), the unit where the file says it, and what was odd, in words."""

    corners: NDArray[np.floating]
    unit: Unit | None = None
    notes: list[str] = field(default_factory=list)


def unreadable(what: str) -> Refusal:
    """Return the refusal of a damaged file. ``what``: the damage, as the beginning of a sentence."""
    return Refusal(RefusalCode.UNREADABLE, f"{what}; export the model again.")


def unsupported(what: str) -> Refusal:
    """Return the refusal of a sound file that is not for us. ``what``: a sentence without its full stop."""
    return Refusal(RefusalCode.UNSUPPORTED, f"{what}.")


def too_large(what: str) -> Refusal:
    """Return the refusal of a file that asks for more than its share. ``what``: the beginning of a sentence."""
    return Refusal(RefusalCode.TOO_LARGE, f"{what}; simplify the model and export it again.")


def truncated(present: int, promised: int, things: str = "triangles") -> Refusal:
    """Return the refusal of a file that was cut off."""
    return unreadable(f"The file ends before the model does: {present:,} of {promised:,} {things} are there")


def hold(triangles: int, limit: int) -> None:
    """Refuse a model of more triangles than memory is set aside for, before they are made."""
    if triangles > limit:
        raise too_large(f"The model has {triangles:,} triangles or more, and we take up to {limit:,} in this format")
