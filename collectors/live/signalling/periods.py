"""Which segments have signals, and which period of the past the stages are judged against first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

from collectors.live.signalling.account import LONGEST, MOST_SEGMENTS
from collectors.signals.ledger import HOUR_US, WEEK_H

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.signals.ledger import Ledger

LOOKED_AT: Final = 50_000  # recent orders that say which segments there are
FIRST_WEEKS: Final = 8
# The first orders that are known may be stray ones, and a house that fills is not yet one that flows.
_STRAY_SHARE: Final = 0.01
_STRAY_ENTRIES: Final = 20


def most_frequent(names: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """Return the commonest segments (`ATTRIBUTE=VALUE`) of orders, whose attributes are given as JSON objects.

    At the start of a collector that is: later ones have their segment by coming first.
    """
    found: Counter[tuple[str, str]] = Counter()
    for text, count in Counter(texts).items():
        values = orjson.loads(text)
        for name in names:
            if name in values:
                found[name, values[name]] += count if len(values[name]) <= LONGEST else 0
    commonest = sorted(+found, key=lambda pair: (-found[pair], pair))[:MOST_SEGMENTS]
    return tuple(f"{name}={value}" for name, value in sorted(commonest))


def first_period(ledger: Ledger, within_us: int, now: int) -> tuple[int, int] | None:
    """Return the first eight whole weeks [begin, end) after the house has filled; None while they are not over.

    ``within_us``: how long an order takes by the promise, which is how long a house takes to fill.
    """
    if ledger.first is None:
        return None
    entered = np.cumsum(ledger.entries(ledger.first, now // HOUR_US)[:, 0].sum(axis=0))
    if not len(entered) or not entered[-1]:
        return None
    # A past that is still being read in has got this far, whatever the clock says.
    last = ledger.first + int(np.searchsorted(entered, entered[-1])) + 1
    stray = min(_STRAY_SHARE * entered[-1], _STRAY_ENTRIES)
    hour = ledger.first + int(np.searchsorted(entered, stray, side="right"))
    begin = hour - (-within_us // HOUR_US)
    end = begin + FIRST_WEEKS * WEEK_H
    return (begin * HOUR_US, end * HOUR_US) if end <= last else None
