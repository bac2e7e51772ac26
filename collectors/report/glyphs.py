"""What a terminal report is drawn with: block characters, or ASCII where the terminal has no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Glyphs:
    """Characters of a drawing; ``ramp`` goes from least to most."""

    wait: str
    work: str
    ramp: str
    rule: str
    mark: str
    none: str

    def bar(self, share: float, width: int, *, work: bool) -> str:
        """Draw a share of ``width`` cells."""
        return (self.work if work else self.wait) * min(round(share * width), width)

    def spark(self, values: Sequence[float | None], highest: float) -> str:
        """Draw a value between 0 and ``highest`` a cell; None is a gap."""
        top = len(self.ramp) - 1
        return "".join(
            self.none if value is None else self.ramp[min(int(value / highest * (top + 1)), top) if highest else 0]
            for value in values
        )


BLOCKS = Glyphs(wait="░", work="█", ramp="▁▂▃▄▅▆▇█", rule="─", mark="●", none=" ")
ASCII = Glyphs(wait=":", work="#", ramp="0123456789", rule="-", mark="*", none=" ")


def fit(values: Sequence[float | None], width: int) -> list[float | None]:
    """Return the last ``width`` values."""
    return list(values[-width:])
