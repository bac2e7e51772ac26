"""How much of a volume is unsure: by what was mended, and because a body cuts through itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.refusals import Refusal, RefusalCode
from pricing.repairing.words import length

if TYPE_CHECKING:
    from pricing.repairing.mending import MendingLimits
    from pricing.units import Unit


def unsure(
    stake: float, miscounted: float, volume: float, unit: Unit | None, limits: MendingLimits
) -> tuple[float, list[str]]:
    """Return how far a volume may be off, and what there is to be said about it.

    ``stake``: what mending may be off by; ``miscounted``: what the surface encloses more than once or less than not at
    all. All in the cube of ``unit``. Raises Refusal where it is too much for a price: OVERLAPPING, OPEN.
    """
    folded, notes = _folded(miscounted, volume, unit, limits)
    stake += folded
    if stake > limits.uncertainty * volume:
        detail = f"What had to be mended leaves {length(stake, unit, 3)} of {length(volume, unit, 3)} unsure"
        raise Refusal(RefusalCode.OPEN, f"{detail}, too much for a price: close the surface in your program.")
    if stake:
        notes.append(f"The volume may be off by up to {length(stake, unit, 3)} ({_percent(stake / volume)}).")
    return stake, notes


def _folded(miscounted: float, volume: float, unit: Unit | None, limits: MendingLimits) -> tuple[float, list[str]]:
    if miscounted <= limits.folds * volume:
        return 0.0, []
    share = f"about {length(miscounted, unit, 3)} ({_percent(miscounted / volume)})"
    if miscounted > limits.uncertainty * volume:
        detail = f"The surface cuts through itself, so that {share} of its volume would be counted wrongly"
        raise Refusal(RefusalCode.OVERLAPPING, f"{detail}: unite its parts in your program.")
    return miscounted, [f"The surface cuts through itself, which leaves {share} of its volume unsure."]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 1e-5 else "less than 0.001 %"
