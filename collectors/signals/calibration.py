"""Limits of the tests, by block bootstrap of the reference's own weeks, for a joint rate of false pages.

Half-years are put together of the reference's weeks, drawn with all their stages and segments (so what is slow
together stays together). The expectation of each week comes from a model that was fitted to other weeks, and its level
from another draw of weeks: so a short reference, which knows its own level badly, gets wider limits. The largest value
of each sum over a half-year is described by Gumbel's law, whose tail goes on beyond what was drawn. The share of
half-years that may have a page of any kind is parted among the sums (Bonferroni), most of it among those that tell
most: a stage's, of all orders, against the reference.

A few weeks do not hold what half a year will bring, and calm ones prove no calm. So pure chance (Poisson) is drawn
beside the weeks, widened by how much higher the sums really went, in a mean week, than chance would have them go (the
stage's dispersion, at the scale that matters, from numbers that are not extremes); the wider limit holds. And where
orders wait for each other, worse weeks will come than any few can tell of: the share is smaller there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.cusum import EFFECT, SLOWER, highest, lasting, ratios
from collectors.signals.ledger import WEEK_H
from collectors.signals.rates import Flow, fit_rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HALF_YEAR_WEEKS: Final = 26
DRAWS: Final = 60
# Departures that a segment must have had in the reference for a test of its own: fewer prove nothing for months.
FEWEST: Final = 100
# The share of healthy half-years that may see a page of any stage, segment or test: where no crowd holds anybody up,
# and chance is all there is; and where queues do (set by what was measured: several times as many come).
TARGET: Final = 0.15
TARGET_IN_QUEUES: Final = 0.1
# How that is parted: for each test (against the reference, against the budget), all orders' sum and each segment's.
_PARTS: Final = ((10.0, 1.0), (1.0, 0.3))
# A sum below this proves nothing, however calm the reference was: likelihoods 20 times apart.
LEAST: Final = 3.0
_FOLDS: Final = 4
_TESTS: Final = 2
_CHANCES: Final = 10


def crossed(flow: Flow, week: NDArray[np.int64]) -> Floats:
    """Return the departures expected [S, G, n], each hour's by a model fitted to other weeks."""
    found = np.zeros(flow.spent.shape)
    numbers, place = np.unique(week, return_inverse=True)
    for fold in range(min(_FOLDS, len(numbers))):
        out = place % _FOLDS == fold
        found[..., out] = fit_rates(flow.take(~out)).expected(flow.take(out))
    return found


def calibrate(flow: Flow, week: NDArray[np.int64], share: Floats, rng: np.random.Generator, *, queues: bool) -> Floats:
    """Return the limits [2, S, G] of the two tests, from a reference's hours; infinite where nothing ever left.

    ``week`` [n]: the number of each hour's week; ``share`` [S, n]: how much of each hour counts for the budgets;
    ``queues``: whether orders hold each other up anywhere.
    """
    seen = flow.departures.sum(axis=2).astype(np.float64)
    enough = seen.sum(axis=-1) >= FEWEST
    # All orders of a stage are watched however few they are: nothing else would tell.
    enough[:, 0] = seen[:, 0].sum(axis=1) > 0
    limits = np.full((_TESTS, *enough.shape), np.inf)
    if not enough.any():
        return limits
    hours = np.broadcast_to(lasting(enough.shape[1]), enough.shape)[enough]
    numbers, place = np.unique(week, return_inverse=True)
    inside = flow.spent * share[:, np.newaxis]
    expected, allowed, came = (
        _blocks(values[enough], place, len(numbers)) for values in (crossed(flow, week), inside, seen)
    )
    tops, least = _drawn(expected, allowed, came, hours, rng)
    chance = _chances(enough, TARGET_IN_QUEUES if queues else TARGET)
    wider = _dispersion(expected, came, rng)
    found = np.maximum(_limits(tops, chance), wider * _limits(least, chance))
    limits[:, enough] = np.maximum(found, _gathered(came, hours))
    # One stage's weeks may have been calm by luck, hardly all stages': none is held calmer than the middle one.
    known = limits[0, :, 0]
    return np.asarray(np.maximum(limits, np.median(known[np.isfinite(known)])))


def _drawn(
    expected: Floats, inside: Floats, seen: Floats, hours: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the largest values [DRAWS, 2, cells] of the sums over half-years of these weeks, and by pure chance.

    Weeks [weeks, cells, WEEK_H] of stages and segments, ``hours`` [cells] that what they tell of must have lasted.
    """
    tops, least = np.empty((2, DRAWS, _TESTS, len(hours)))
    weeks = len(expected)
    for draw in range(DRAWS):
        known, lived = rng.integers(0, weeks, weeks), rng.integers(0, weeks, HALF_YEAR_WEEKS)
        pure = rng.poisson(expected).astype(np.float64)
        for into, came in ((tops, seen), (least, pure)):
            for test, foreseen in enumerate((expected, inside)):
                into[draw, test] = _top(foreseen, came, known, lived, hours)
    return tops, least


def _chances(enough: NDArray[np.bool_], target: float) -> Floats:
    """Return each sum's part [2, cells] of the share of half-years with a page; cells are where ``enough`` [S, G]."""
    parts = np.array(_PARTS)[:, np.newaxis, np.minimum(np.arange(enough.shape[1]), 1)]
    chances = np.broadcast_to(parts, (_TESTS, *enough.shape))[:, enough]
    return np.asarray(target * chances / chances.sum())


def _gathered(seen: Floats, hours: NDArray[np.int64]) -> Floats:
    """Return what a sum gathers [cells] in mean ``hours`` of its stage gone slower: less waits in vain to have lasted.

    So, where many orders pass, a short hold-up is not taken for a lasting one.
    """
    hourly = seen.sum(axis=(0, -1)) / (len(seen) * WEEK_H)
    gathered: Floats = hours * ratios(hourly, hourly / SLOWER, SLOWER)
    return gathered


def _dispersion(expected: Floats, seen: Floats, rng: np.random.Generator) -> Floats:
    """Return how much higher [cells] the sums go in a mean week than by chance, at least 1."""
    came = highest(expected, seen, SLOWER, EFFECT).mean(axis=0)
    pure = np.mean([highest(expected, rng.poisson(expected), SLOWER, EFFECT) for _ in range(_CHANCES)], axis=(0, 1))
    # Sums that hardly ever leave zero say little: one pseudo-week at chance's own height.
    weeks = len(expected)
    wider: Floats = np.maximum((weeks * came + 1) / (weeks * pure + 1), 1.0)
    return wider


def _blocks(values: Floats, place: NDArray[np.int64], weeks: int) -> Floats:
    """Return hours [cells, n] as weeks [weeks, cells, WEEK_H]; hours that do not count are missing at a week's end."""
    found = np.zeros((weeks, len(values), WEEK_H))
    for number in range(weeks):
        own = values[:, place == number][:, :WEEK_H]
        found[number, :, : own.shape[1]] = own
    return found


def _top(
    expected: Floats, seen: Floats, known: NDArray[np.int64], lived: NDArray[np.int64], hours: NDArray[np.int64]
) -> Floats:
    """Return the sums' largest values [cells] over the weeks lived, with the level of the weeks known."""
    level = (seen[known].sum(axis=(0, -1)) + 0.5) / (expected[known].sum(axis=(0, -1)) + 0.5)
    line = [np.concatenate(list(values[lived]), axis=1) for values in (expected, seen)]
    return highest(line[0] * level[..., np.newaxis], line[1], SLOWER, EFFECT, hours)


def _limits(tops: Floats, chance: Floats) -> Floats:
    """Return the limits [2, cells] of sums whose largest values were these [draws, 2, cells], for each one's chance.

    Gumbel's law through the median and the 90th percentile of each.
    """
    middle, high = np.quantile(tops, (0.5, 0.9), axis=0)
    scale = np.maximum(high - middle, 1e-3) / (_reduced(0.1) - _reduced(0.5))
    limits: Floats = middle + scale * (_reduced(chance) - _reduced(0.5))
    return np.maximum(limits, LEAST)


def _reduced(chance: Floats | float) -> Floats:
    """Return the value that Gumbel's standard law exceeds with this chance."""
    return np.asarray(-np.log(-np.log1p(-np.asarray(chance))))
