"""Which positions of a counter were passed over: rows are committed in another order than they are numbered."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable


class Gap(NamedTuple):
    """Positions that were not there, both ends included, and when that was noticed (microseconds)."""

    first: int
    last: int
    noticed_at: int


@dataclass(frozen=True)
class Progress:
    """How far a history was read: everything up to ``position`` save for the gaps."""

    position: int = 0
    gaps: list[Gap] = field(default_factory=list)

    @classmethod
    def read(cls, state: str) -> Progress:
        """Read what ``written`` wrote; "" is the beginning."""
        if not state:
            return cls()
        document = orjson.loads(state)
        return cls(document["position"], [Gap(*gap) for gap in document["gaps"]])

    def written(self) -> str:
        """Write it as JSON."""
        return orjson.dumps({"position": self.position, "gaps": [[*gap] for gap in self.gaps]}).decode()

    def after(self, positions: Iterable[int], now: int, longest_us: int) -> Progress:
        """Return the progress once these positions were read.

        A gap that is older than the longest transaction will not be filled any more: its numbers were rolled back.
        """
        found = sorted(set(positions))
        gaps = [gap for gap in self.gaps if now - gap.noticed_at < longest_us]
        gaps = [part for gap in gaps for part in _without(gap, found)]
        position = self.position
        for place in found:
            if place > position + 1:
                gaps.append(Gap(position + 1, place - 1, now))
            position = max(position, place)
        return Progress(position, gaps)


def _without(gap: Gap, found: list[int]) -> Iterable[Gap]:
    """Yield what is left of a gap once some of its positions have come."""
    first = gap.first
    for place in found[bisect_left(found, gap.first) : bisect_right(found, gap.last)]:
        if place > first:
            yield Gap(first, place - 1, gap.noticed_at)
        first = place + 1
    if first <= gap.last:
        yield Gap(first, gap.last, gap.noticed_at)
