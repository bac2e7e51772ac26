"""A bounded sample that does not depend on how a log is cut into batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sample:
    """Keeps the ``size`` orders with the lowest rank, each with one value; ranks are a hash of the order unless given.

    Ranking by hash makes it a simple random sample that is the same for the same orders in any batches.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._rank: NDArray[np.float64] = np.zeros(0)
        self.order: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.value: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def add(self, order: NDArray[np.int64], value: NDArray[np.int64], rank: NDArray[np.float64] | None = None) -> None:
        """Offer a batch of orders."""
        ranks = np.concatenate([self._rank, hashed(order) if rank is None else rank])
        orders, values = np.concatenate([self.order, order]), np.concatenate([self.value, value])
        if len(ranks) > self.size:
            chosen = np.lexsort((orders, ranks))[: self.size]
            ranks, orders, values = ranks[chosen], orders[chosen], values[chosen]
        self._rank, self.order, self.value = ranks, orders, values

    def ranked(self) -> list[int]:
        """Return the order numbers, lowest rank first."""
        return [int(order) for order in self.order[np.lexsort((self.order, self._rank))]]


def hashed(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Spread whole numbers evenly and always alike (the finalizer of SplitMix64: Steele et al., OOPSLA 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))).astype(np.float64)


class Counts:
    """A histogram of whole-numbered bins; bins beyond ``farthest`` count on the farthest one."""

    def __init__(self, kinds: int, farthest: int = 1_000) -> None:
        self.farthest = farthest
        self.values: NDArray[np.int64] = np.zeros((kinds, 2 * farthest + 1), dtype=np.int64)

    def add(self, kind: NDArray[np.int64], number: NDArray[np.int64]) -> None:
        """Count one in each bin."""
        place = np.clip(number, -self.farthest, self.farthest) + self.farthest
        cells = self.values.size
        width = 2 * self.farthest + 1
        self.values += np.bincount(kind * width + place, minlength=cells).reshape(self.values.shape)

    def bins(self) -> NDArray[np.int64]:
        """Return the number of each bin."""
        return np.arange(-self.farthest, self.farthest + 1)
