"""Which period stages are judged against first, and what of the past is known at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.ledger import HOUR_US, WEEK_H

if TYPE_CHECKING:
    from collectors.signals.ledger import Ledger
    from collectors.signals.scope import Muted, Scope
    from collectors.timelines.codebook import Codebook

FIRST_WEEKS: Final = 8
USUAL_PROMISE_US: Final = 3 * WEEK_H * HOUR_US
# The first orders that are known may be stray ones, and a house that fills is not yet one that flows.
_STRAY_SHARE: Final = 0.01
_STRAY_ENTRIES: Final = 20
_DAY_H: Final = 24
# So many orders are due in a silence before it is none of the house: by chance (Poisson) one in 160,000 holds none.
_SURELY_HEARD: Final = 12


def filling_us(codebook: Codebook) -> int:
    """Return how long a house takes to fill, in microseconds: as long as an order takes by the promise."""
    within = codebook.promise.promise.within
    return round(within.total_seconds() * 1e6) if within else USUAL_PROMISE_US


def first_period(ledger: Ledger, within_us: int, now: int, scope: Scope, muted: Muted = ()) -> tuple[int, int] | None:
    """Return the first eight whole weeks [begin, end) after the house has filled; None while they are not over."""
    begin, heard = filled_from(ledger, within_us, now, scope, muted), _heard(ledger, now)
    if begin is None or heard is None:
        return None
    end = begin + FIRST_WEEKS * WEEK_H
    return (begin * HOUR_US, end * HOUR_US) if end <= heard[1] else None


def filled_from(ledger: Ledger, within_us: int, now: int, scope: Scope, muted: Muted = ()) -> int | None:
    """Return the hour from which on the house flows, None before its first orders. It may still lie ahead.

    ``within_us``: how long an order takes by the promise, which is how long a house takes to fill. One that is silent
    before eight weeks of flow are over, as after a pilot, has to fill anew.
    """
    heard = _heard(ledger, now)
    if heard is None:
        return None
    (begin, last), filling = heard, -(-within_us // HOUR_US)
    while True:
        end = min(begin + filling + FIRST_WEEKS * WEEK_H, last)
        silent = silences(ledger, begin * HOUR_US, end * HOUR_US, scope, muted)
        if not silent:
            return begin + filling
        again = silent[-1][1] // HOUR_US
        begin = again + int(np.argmax(ledger.entries(again, last)[:, 0].any(axis=0)))


def known_from(ledger: Ledger, now: int) -> int | None:
    """Return the moment from which on the collector knows what happened: the UTC day of the first orders.

    None where it has heard of none. What lies before it is no quiet house but an unknown one; stray orders, after which
    nothing came for more than a week, do not make it known.
    """
    heard = _heard(ledger, now)
    if heard is None or ledger.first is None:
        return None
    entered = np.flatnonzero(ledger.entries(ledger.first, heard[0] + 1)[:, 0].any(axis=0))
    # Back from the first hour that is beyond doubt, as far as one order followed the other.
    gaps = np.flatnonzero(np.diff(entered) > WEEK_H)
    hour = ledger.first + int(entered[gaps[-1] + 1 if len(gaps) else 0])
    return max(hour // _DAY_H * _DAY_H, ledger.first) * HOUR_US


def silences(ledger: Ledger, begin: int, end: int, scope: Scope, muted: Muted) -> Muted:
    """Return the stretches of [begin, end) in which the collector cannot have heard what happened.

    No order entered or left any stage for more than a week of hours that count, though a dozen orders at least would
    have come by the rest of the period: the house was closed and nobody had said so, or nothing reached the collector.
    Closed days and maintenance count for nothing anyway, and a house of few orders is quiet for weeks as a rule.
    """
    first, last = -(-begin // HOUR_US), end // HOUR_US
    if last - first <= WEEK_H:
        return ()
    entries, inside = ledger.entries(first, last)[:, 0], ledger.inside(first, last + 1)[:, 0]
    moved = np.flatnonzero(entries.any(axis=0) | np.diff(inside, axis=-1).any(axis=0))
    counted = scope.counted(first, last, muted)
    until = np.concatenate([[0], np.cumsum(counted)])
    starts, stops = np.concatenate([[0], moved + 1]), np.concatenate([moved, [last - first]])
    length = until[stops] - until[starts]
    rest = until[-1] - length
    orders = entries[:, counted].sum(axis=1).max()
    expected = np.divide(length * orders, rest, out=np.zeros(len(rest)), where=rest > 0)
    silent = (length > WEEK_H) & (expected >= _SURELY_HEARD)
    hours = zip((first + starts[silent]).tolist(), (first + stops[silent]).tolist(), strict=True)
    return tuple((start * HOUR_US, stop * HOUR_US) for start, stop in hours)


def _heard(ledger: Ledger, now: int) -> tuple[int, int] | None:
    """Return the hours [first, last) in which orders entered stages, the first stray ones left out; None for none."""
    if ledger.first is None:
        return None
    entered = np.cumsum(ledger.entries(ledger.first, now // HOUR_US)[:, 0].sum(axis=0))
    if not len(entered) or not entered[-1]:
        return None
    # A past that is still being read in has got this far, whatever the clock says.
    last = ledger.first + int(np.searchsorted(entered, entered[-1])) + 1
    stray = min(_STRAY_SHARE * entered[-1], _STRAY_ENTRIES)
    return ledger.first + int(np.searchsorted(entered, stray, side="right")), last
