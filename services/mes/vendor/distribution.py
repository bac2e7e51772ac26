"""Who makes which piece: by skill, by load, nearest promise first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ANY: Final = "*"  # the skill of somebody who makes everything
_NO_PROMISE: Final = float("inf")


@dataclass(frozen=True)
class Operator:
    """Somebody in the workshop. ``capacity``: how many unfinished pieces may lie on the bench."""

    id: str
    name: str
    skills: frozenset[str]
    at_work: bool = True
    capacity: int = 5
    lead: bool = False

    def makes(self, product: str) -> bool:
        """Whether this operator has learned to make a product."""
        return ANY in self.skills or product in self.skills


@dataclass(frozen=True)
class Piece:
    """A released order. ``due_ms``: its promise, milliseconds since 1970 UTC."""

    number: int
    product: str
    due_ms: int | None = None


def distribute(
    pieces: Iterable[Piece], operators: Iterable[Operator], loads: Mapping[str, int]
) -> list[tuple[Piece, Operator]]:
    """Return who gets which piece; a piece that nobody present can take is not among them.

    The piece with the nearest promise chooses first, and takes the operator with the smallest share of capacity in use
    (ties: who knows fewest other products, so that the versatile stay free; then by id).
    """
    present = [operator for operator in operators if operator.at_work]
    load = {operator.id: loads.get(operator.id, 0) for operator in present}
    given = []
    for piece in sorted(pieces, key=_urgency):
        able = [one for one in present if one.makes(piece.product) and load[one.id] < one.capacity]
        if not able:
            continue
        chosen = min(able, key=lambda one: (load[one.id] / one.capacity, ANY in one.skills, len(one.skills), one.id))
        load[chosen.id] += 1
        given.append((piece, chosen))
    return given


def _urgency(piece: Piece) -> tuple[float, int]:
    return (_NO_PROMISE if piece.due_ms is None else piece.due_ms, piece.number)
