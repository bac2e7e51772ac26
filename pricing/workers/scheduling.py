"""Which class is served next: weighted fair queueing in virtual time.

A class's virtual time runs by the seconds that it used over its weight, and the one that is furthest behind is next
(Waldspurger, Stride Scheduling, MIT 1995), so that shares of time converge to the weights and none starves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.workers.model import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pricing.messages import PriceClass


class Fair:
    """The choice of one worker."""

    def __init__(self, weights: Mapping[PriceClass, int] = WEIGHTS) -> None:
        self.weights = dict(weights)
        self._times = dict.fromkeys(weights, 0.0)
        self._present = 0.0
        self._waiting: frozenset[PriceClass] = frozenset()

    def next(self, waiting: Collection[PriceClass]) -> PriceClass:
        """Return the class whose turn it is, of those that have work (one at least).

        One that had none starts at the present virtual time: what it did not use it has not saved.
        """
        for one in set(waiting) - self._waiting:
            self._times[one] = max(self._times[one], self._present)
        self._waiting = frozenset(waiting)
        chosen = min(waiting, key=lambda one: (self._times[one], -self.weights[one]))
        self._present = max(self._present, self._times[chosen])
        return chosen

    def used(self, price_class: PriceClass, seconds: float) -> None:
        """Charge a class for time that it had."""
        self._times[price_class] += seconds / self.weights[price_class]
