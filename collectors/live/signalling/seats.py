"""Which values of the segment attributes have signals of their own: there are a few seats, and typos come first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from collectors.signals.flights import Visits
    from collectors.signals.reference import Reference

    Pair = tuple[str, str]

LOOKED_AT: Final = 50_000  # recent orders that say which segments there are
LONGEST: Final = 100  # characters of a segment's value, for it is a label
MOST_SEGMENTS: Final = 8  # a stage's share of the ledger is about 2 MB for each


def most_frequent(names: Sequence[str], texts: Sequence[str], held: Sequence[Pair] = ()) -> tuple[str, ...]:
    """Return the segments (`ATTRIBUTE=VALUE`) that are ``held``, and the commonest of orders beside them.

    ``texts``: the orders' attributes as JSON objects.
    """
    found: Counter[Pair] = Counter()
    for text, count in Counter(texts).items():
        values = orjson.loads(text)
        found.update({(name, values[name]): count for name in names if name in values})
    chosen = [*held, *shared_out({pair: found[pair] for pair in found if pair not in held}, names, held)]
    return tuple(f"{name}={value}" for name, value in sorted(chosen))


def tested(reference: Reference | None, names: Sequence[str]) -> list[Pair]:
    """Return the attributes and values of which a reference knows enough to test them in any stage."""
    if reference is None:
        return []
    known = np.flatnonzero(np.isfinite(reference.limits).any(axis=(0, 1)))
    pairs = [parted(reference.segments[place], names) for place in known]
    return [pair for pair in pairs if pair[0]]


def parted(segment: str, attributes: Sequence[str]) -> Pair:
    """Return the attribute and the value of a segment; either may hold an equals sign. ("", "") if there is none."""
    name = max((one for one in attributes if segment.startswith(f"{one}=")), key=len, default="")
    return (name, segment[len(name) + 1 :]) if name else ("", "")


def shared_out(
    orders: Mapping[Pair, int], names: Sequence[str], held: Iterable[Pair] = (), kept: int = 0
) -> list[Pair]:
    """Return the attributes and values that take the seats left beside those that are ``held``.

    ``orders``: how many have each value. The commonest value of each attribute comes first, then each one's next: so no
    attribute takes all. ``kept``: seats that each attribute is sure to find, should its values come later.
    """
    had = Counter(name for name, _ in held)
    rank, line = Counter(had), []
    for pair in sorted(orders, key=lambda pair: (-orders[pair], pair)):
        if len(pair[1]) <= LONGEST:
            line.append((rank[pair[0]], -orders[pair], pair))
            rank[pair[0]] += 1
    seated: list[Pair] = []
    for *_, (name, value) in sorted(line):
        others = sum(max(kept - had[other], 0) for other in names if other != name)
        if had.total() + others < MOST_SEGMENTS:
            had[name] += 1
            seated.append((name, value))
    return seated


def values_of(visits: Visits, known: Mapping[str, Mapping[str, int]]) -> Counter[Pair]:
    """Return how many orders have each value. ``known``: the number of each attribute's values, as in the visits."""
    first = np.unique(visits.order, return_index=True)[1]
    found: Counter[Pair] = Counter()
    for column, (name, numbers) in enumerate(known.items()):
        own = visits.values[first, column]
        # A copy: intakes add to them meanwhile, in another thread.
        texts = dict(numbers)
        times = np.bincount(own[own >= 0], minlength=len(texts))
        found.update({(name, text): int(times[number]) for text, number in texts.items()})
    return +found
