"""The two tests as running sums: how much more likely each hour's departures are if the stage has become slower.

With E departures expected and O seen, the log likelihood ratio of a rate that is r times smaller is
E (1 - 1/r) - O ln r (Poisson); its sum, never below zero, is Page's CUSUM (Page 1954; Biswas & Kalbfleisch 2008 for
censored times). Where the expectation is right given the state of the queue, it grows only if the stage is slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The slow-down that the tests are tuned to; the sum grows from about 1.25 on.
SLOWER: Final = 1.6
# An alert demands this much besides the evidence: a stage 5 % slower is proved in time, and nobody's night.
EFFECT: Final = 1.3
# And it must have lasted, in hours: what is over within a day is a hold-up; which segment's turn it is in a queue that
# all stand in is a matter of days.
ALL_LASTING_H: Final = 24
SEGMENT_LASTING_H: Final = 168
# The sum is held at so many limits, so that an alarm clears about as soon after the cause as it came.
HELD_AT: Final = 2.0


@dataclass(frozen=True)
class Sums:
    """Each hour's state of the sums [..., n]: ``score``, and what was expected and seen since it last was zero.

    ``since`` [..., n]: the place of the first hour of the run, n where the score is zero.
    """

    score: Floats
    expected: Floats
    seen: Floats
    since: NDArray[np.int64]


def ratios(expected: Floats, seen: NDArray[np.int64] | Floats, slower: float) -> Floats:
    """Return the log likelihood ratio of each hour, for a rate that is ``slower`` times smaller."""
    found: Floats = expected * (1 - 1 / slower) - seen * log(slower)
    return found


def run(expected: Floats, seen: NDArray[np.int64] | Floats, slower: float, limit: Floats) -> Sums:
    """Run the sums over hours [..., n], held at twice their ``limit`` [...]."""
    steps = np.moveaxis(ratios(expected, seen, slower), -1, 0)
    highest = HELD_AT * limit
    hours, shape = len(steps), limit.shape
    score = np.empty((hours, *shape))
    since = np.empty((hours, *shape), dtype=np.int64)
    now, begun = np.zeros(shape), np.full(shape, hours, dtype=np.int64)
    for hour in range(hours):
        begun = np.where(now > 0, begun, hour)
        now = np.minimum(np.maximum(now + steps[hour], 0.0), highest)
        score[hour], since[hour] = now, np.where(now > 0, begun, hours)
    scores, begins = np.moveaxis(score, 0, -1), np.moveaxis(since, 0, -1)
    return Sums(scores, _since(expected, begins), _since(seen, begins), begins)


def lasting(segments: int) -> NDArray[np.int64]:
    """Return how long [G] a slow-down must have lasted to count, in hours; segment 0 is "all"."""
    return np.where(np.arange(segments) > 0, SEGMENT_LASTING_H, ALL_LASTING_H)


def highest(
    expected: Floats,
    seen: NDArray[np.int64] | Floats,
    slower: float,
    effect: float = 0.0,
    hours: NDArray[np.int64] | int = 0,
) -> Floats:
    """Return the largest value that each sum [...] reaches over hours [..., n], were it never held.

    ``effect``: only hours count in which E/O since the sum left zero is at least this; ``hours`` [...]: and which it
    left at least so long ago.
    """
    total = np.cumsum(ratios(expected, seen, slower), axis=-1)
    before = np.concatenate([np.zeros((*total.shape[:-1], 1)), total[..., :-1]], axis=-1)
    lowest = np.minimum.accumulate(before, axis=-1)
    score = np.maximum(total - lowest, 0.0)
    places = np.arange(total.shape[-1])
    begins = np.maximum.accumulate(places * (before <= lowest), axis=-1)
    counts = _since(expected, begins) >= effect * _since(seen, begins)
    counts &= places - begins >= np.expand_dims(np.asarray(hours), -1)
    top: Floats = np.where(counts, score, 0.0).max(axis=-1)
    return top


def _since(values: NDArray[np.int64] | Floats, begins: NDArray[np.int64]) -> Floats:
    """Return the sum of the values from the begin of each hour's run to its end."""
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    until = total[..., 1:]
    found: Floats = until - np.take_along_axis(total, begins, axis=-1)
    return np.where(begins == values.shape[-1], 0.0, found)
