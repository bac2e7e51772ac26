"""The reference: a frozen period of the house's own past, what it teaches, and the limits calibrated on it.

It is a value with a JSON form, because it is stored, and only a recorded decision replaces it: a house that gets
slower a little every week must not get used to it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.signals.basis import Basis
from collectors.signals.calibration import calibrate
from collectors.signals.ledger import AGE_EDGES_H, HOUR_US, WEEK_H, Ledger
from collectors.signals.rates import HOUR_OLD, Flow, Rates, fit_rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.signals.scope import Muted, Scope

    Floats = NDArray[np.float64]

VERSION: Final = 3
QUANTILES: Final = (0.5, 0.9)
# Two weeks could not tell a bad one from a good one.
FEWEST_WEEKS: Final = 4


@dataclass(frozen=True)
class Reference:
    """A frozen reference period, [``begin``, ``end``) in microseconds, of these stages [S] and segments [G].

    ``departures`` [S, G]: the evidence behind it; 0 means that the test is blind. ``mean_h`` [S, G]: the mean time in
    the stage (order hours per departure). ``age_h`` [2, S, G]: P50 and P90 of the time inside so far of orders inside.
    ``busiest`` [S, G]: the most departures of any seven days on end.
    ``limits`` [2, S, G]: of the tests "slower than this reference" and "over its budget". ``basis``: what the fit
    depends on, None where an earlier version stored it and did not say.
    """

    stages: tuple[str, ...]
    segments: tuple[str, ...]
    begin: int
    end: int
    rates: Rates
    departures: NDArray[np.int64]
    mean_h: Floats
    age_h: Floats
    busiest: NDArray[np.int64]
    limits: Floats
    basis: Basis | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON, from which `from_document` makes the same reference again."""
        rates = {name: _plain(value) for name, value in asdict(self.rates).items()}
        said = asdict(self) | {"rates": rates, "version": VERSION, "ages_h": list(AGE_EDGES_H)}
        return {name: _plain(value) for name, value in said.items()}


def from_document(document: dict[str, Any]) -> Reference:
    """Return the reference that `document` was made of; ValueError if this version cannot read it."""
    if document.get("version") != VERSION or document.get("ages_h") != list(AGE_EDGES_H):
        raise ValueError(f"this reference is of version {document.get('version')}; {VERSION} is needed: set it anew")
    rates = Rates(**{field.name: _array(document["rates"][field.name]) for field in fields(Rates)})
    return Reference(
        stages=tuple(document["stages"]),
        segments=tuple(document["segments"]),
        begin=document["begin"],
        end=document["end"],
        rates=rates,
        departures=np.array(document["departures"], dtype=np.int64),
        mean_h=np.array(document["mean_h"], dtype=float),
        age_h=np.array(document["age_h"], dtype=float),
        busiest=np.array(document["busiest"], dtype=np.int64),
        limits=_array(document["limits"]),
        basis=Basis.from_document(document.get("basis")),
    )


def fit(ledger: Ledger, begin: int, end: int, scope: Scope, muted: Muted = (), seed: int = 0) -> Reference:
    """Fit a reference to the hours of [begin, end) (microseconds; whole weeks are best).

    ``muted`` windows and closed days are left out. ValueError if it is shorter than FEWEST_WEEKS, if all that counts of
    it lies in a single week, or if nothing left any stage.
    """
    first, last = -(-begin // HOUR_US), end // HOUR_US
    if last - first < FEWEST_WEEKS * WEEK_H:
        raise ValueError(f"a reference needs at least {FEWEST_WEEKS} weeks, not {(last - first) / WEEK_H:.1f}")
    counted = np.flatnonzero(scope.counted(first, last, muted))
    # The last whole weeks; what is left over at the begin goes to the first of them.
    week = np.maximum(counted - (last - first) % WEEK_H, 0) // WEEK_H
    # What one week teaches is held against another.
    if len(np.unique(week)) < 2:
        raise ValueError("maintenance and closed days leave hours of less than two weeks of this period")
    flow = flow_of(ledger, scope, first, last).take(counted)
    if not flow.departures[:, 0].any():
        raise ValueError("nothing left any stage in this period")
    left = flow.departures.sum(axis=(2, 3))
    rates, share = fit_rates(flow), scope.budgeted(first, last)[:, counted]
    rng = np.random.default_rng(seed)
    spent = ledger.time(first, last)[..., counted].sum(axis=-1)
    return Reference(
        stages=scope.stages,
        segments=scope.segments,
        begin=begin,
        end=end,
        rates=rates,
        departures=left,
        mean_h=spent.sum(axis=-1) / np.maximum(left, 1),
        age_h=np.stack([age_quantile(spent, quantile) for quantile in QUANTILES]),
        busiest=_busiest(ledger.departures(first, last).sum(axis=2)),
        limits=calibrate(flow, week, share, rng, queues=rates.crowded),
        basis=scope.basis.within(begin, end) if scope.basis else None,
    )


def flow_of(ledger: Ledger, scope: Scope, first: int, last: int) -> Flow:
    """Return what the ledger says of hours [first, last), as the rates are fitted to it."""
    inside, time = ledger.inside(first, last), ledger.time(first - 1, last)
    if time.shape[-1] == last - first:
        # The ledger begins with these hours.
        time = np.concatenate([time[..., :1], time], axis=-1)
    ahead = np.zeros_like(inside[:, 0])
    for queue, work in scope.queues:
        ahead[queue] = inside[work, 0]
    return Flow(
        _exposed(time, inside),
        _began(time[:, 0, :, :-1], inside[:, 0]),
        ledger.departures(first, last),
        time[..., 1:].sum(axis=2),
        ahead,
        scope.slots(first, last),
        inside + ledger.entries(first, last),
        scope.queues,
    )


def _exposed(time: Floats, inside: NDArray[np.int64]) -> Floats:
    """Return the order hours of those who might have left [S, G, AGES, n], from one hour before the first on.

    The time spent; but who has been there for an hour and leaves as soon as the shop opens counts for the hour.
    """
    found = time[..., 1:].copy()
    old, before = time[:, :, HOUR_OLD:, 1:], time[:, :, HOUR_OLD:, :-1]
    about, spent = old + before, old.sum(axis=2)
    every = about.sum(axis=2)
    there = np.maximum(spent, np.minimum(before.sum(axis=2), inside))
    share = np.divide(there, every, out=np.zeros_like(every), where=every > 0)
    found[:, :, HOUR_OLD:] = about * share[:, :, np.newaxis]
    return np.asarray(found)


def _began(before: Floats, inside: NDArray[np.int64]) -> Floats:
    """Return how many were inside when each hour began, by age [S, AGES, n]: as the hour before was spent."""
    every = before.sum(axis=1)
    share = np.divide(inside, every, out=np.zeros_like(every), where=every > 0)
    return np.asarray(before * share[:, np.newaxis])


def age_quantile(spent: Floats, quantile: float) -> Floats:
    """Return a quantile [...] in hours of ages that were counted by bin [..., AGES], linear within a bin.

    NaN where nobody was. In the last bin, which has no end, it is the bin's begin.
    """
    total = spent.sum(axis=-1)
    below = np.cumsum(spent, axis=-1)
    wanted = quantile * total
    place = np.minimum((below < wanted[..., np.newaxis]).sum(axis=-1), spent.shape[-1] - 1)
    at = np.take_along_axis
    inside = at(spent, place[..., np.newaxis], axis=-1)[..., 0]
    before = at(below, place[..., np.newaxis], axis=-1)[..., 0] - inside
    edges = np.array([*AGE_EDGES_H, AGE_EDGES_H[-1]], dtype=float)
    share = np.divide(wanted - before, inside, out=np.zeros_like(total), where=inside > 0)
    found: Floats = edges[place] + share * (edges[place + 1] - edges[place])
    return np.where(total > 0, found, np.nan)


def _busiest(left: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the most that left [S, G] in any seven days on end of these hours [S, G, n]."""
    total = np.cumsum(np.concatenate([np.zeros_like(left[..., :1]), left], axis=-1), axis=-1)
    most: NDArray[np.int64] = (total[..., WEEK_H:] - total[..., :-WEEK_H]).max(axis=-1)
    return most


def _array(values: Any) -> Floats:
    """Return nested lists as an array; where `document` wrote null for infinity, infinity."""
    return np.asarray(np.nan_to_num(np.array(values, dtype=float), nan=np.inf))


def _plain(value: Any) -> Any:
    """Return an array as nested lists. JSON knows neither infinity nor NaN: both are null."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
