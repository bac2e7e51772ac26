"""Limits of the tests, by block bootstrap of the reference's own weeks, for a joint rate of false pages.

Half-years are put together of the reference's weeks, drawn with all their stages and segments (so what is slow
together stays together). The expectation of each week comes from a model that was fitted to other weeks, and its level
from another draw of weeks: so a short reference, which knows its own level badly, gets wider limits. The largest value
of each sum over a half-year is described by Gumbel's law, whose tail goes on beyond what was drawn; TARGET, the share
of half-years that may have a page of any kind, is parted among the sums (Bonferroni). Weeks that were calmer than pure
chance (Poisson) prove no calm: pure chance is drawn beside them, and the wider limit holds.
"""

from __future__ import annotations

from math import log, log1p
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.signals.cusum import EFFECT, SLOWER, highest
from collectors.signals.ledger import WEEK_H
from collectors.signals.rates import Flow, fit_rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HALF_YEAR_WEEKS: Final = 26
DRAWS: Final = 100
# Departures that a segment must have had in the reference for a test of its own: fewer prove nothing for months.
FEWEST: Final = 100
# The share of healthy half-years that may see a page of any stage, segment or test.
TARGET: Final = 0.25
# A sum below this proves nothing, however calm the reference was: likelihoods 20 times apart.
LEAST: Final = 3.0
# The steps of a drawn week: six hours, as fine as it needs to be.
_STEPS: Final = 28
_FOLDS: Final = 4
_TESTS: Final = 2


def crossed(flow: Flow, week: NDArray[np.int64]) -> Floats:
    """Return the departures expected [S, G, n], each hour's by a model fitted to other weeks."""
    found = np.zeros((*flow.time.shape[:2], len(week)))
    for fold in range(_FOLDS):
        out = week % _FOLDS == fold
        found[..., out] = fit_rates(flow.take(~out)).expected(flow.take(out))
    return found


def calibrate(flow: Flow, week: NDArray[np.int64], share: Floats, rng: np.random.Generator) -> Floats:
    """Return the limits [2, S, G] of the two tests, from a reference's hours; infinite where nothing ever left.

    ``week`` [n]: the number of each hour's week; ``share`` [S, n]: how much of each hour counts for the budgets.
    """
    seen = flow.departures.sum(axis=2).astype(np.float64)
    expected = crossed(flow, week)
    numbers, place = np.unique(week, return_inverse=True)
    blocks = [_blocks(values, place, len(numbers)) for values in (expected, seen)]
    inside = _blocks(flow.time.sum(axis=2) * share[:, np.newaxis], place, len(numbers))
    tops, least = np.empty((2, DRAWS, _TESTS, *seen.shape[:2]))
    for draw in range(DRAWS):
        known = rng.integers(0, len(numbers), len(numbers))
        lived = rng.integers(0, len(numbers), HALF_YEAR_WEEKS)
        pure = rng.poisson(blocks[0]).astype(np.float64)
        for into, came in ((tops, blocks[1]), (least, pure)):
            into[draw, 0] = _top(blocks[0], came, known, lived)
            into[draw, 1] = _top(inside, came, known, lived)
    enough = seen.sum(axis=-1) >= FEWEST
    # All orders of a stage are watched however few they are: nothing else would tell.
    enough[:, 0] = seen[:, 0].sum(axis=-1) > 0
    limits = np.full(tops.shape[1:], np.inf)
    if not enough.any():
        return limits
    limits[:, enough] = np.maximum(_limits(tops[..., enough]), _limits(least[..., enough]))
    # One stage's weeks may have been calm by luck, hardly all stages': none is held calmer than the middle one.
    known = limits[0, :, 0]
    return np.maximum(limits, np.median(known[np.isfinite(known)]))


def _blocks(values: Floats, place: NDArray[np.int64], weeks: int) -> Floats:
    """Return hours [..., n] as weeks [weeks, ..., STEPS]; hours that do not count are missing at a week's end."""
    found = np.zeros((weeks, *values.shape[:-1], WEEK_H))
    for number in range(weeks):
        own = values[..., place == number]
        found[number, ..., : min(own.shape[-1], WEEK_H)] = own[..., :WEEK_H]
    return np.asarray(found.reshape(*found.shape[:-1], _STEPS, -1).sum(axis=-1))


def _top(expected: Floats, seen: Floats, known: NDArray[np.int64], lived: NDArray[np.int64]) -> Floats:
    """Return the sums' largest values [S, G] over the weeks lived, with the level of the weeks known."""
    level = (seen[known].sum(axis=(0, -1)) + 0.5) / (expected[known].sum(axis=(0, -1)) + 0.5)
    line = [np.concatenate(list(values[lived]), axis=-1) for values in (expected, seen)]
    return highest(line[0] * level[..., np.newaxis], line[1], SLOWER, EFFECT)


def _limits(tops: Floats) -> Floats:
    """Return the limits [2, sums] of sums whose largest values were these [draws, 2, sums].

    Gumbel's law through the median and the 90th percentile of each; each sum has an equal share of TARGET.
    """
    middle, high = np.quantile(tops, (0.5, 0.9), axis=0)
    scale = np.maximum(high - middle, 1e-3) / (_reduced(0.1) - _reduced(0.5))
    limits: Floats = middle + scale * (_reduced(TARGET / tops[0].size) - _reduced(0.5))
    return np.maximum(limits, LEAST)


def _reduced(chance: float) -> float:
    """Return the value that Gumbel's standard law exceeds with this chance."""
    return -log(-log1p(-chance))
