"""Units of length that models are made in."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """A unit of length, as `--unit` names it. Micrometres and feet occur in 3MF files only."""

    MICROMETRE = "um"
    MILLIMETRE = "mm"
    CENTIMETRE = "cm"
    METRE = "m"
    INCH = "inch"
    FOOT = "ft"

    @property
    def mm(self) -> float:
        """How many millimetres it is (international inch and foot)."""
        return _MM[self]


_MM = {
    Unit.MICROMETRE: 0.001,
    Unit.MILLIMETRE: 1.0,
    Unit.CENTIMETRE: 10.0,
    Unit.METRE: 1000.0,
    Unit.INCH: 25.4,
    Unit.FOOT: 304.8,
}
