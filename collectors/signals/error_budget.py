"""The error budget: how much of the broken promises that the objective allows has been used up, and where that leads.

The window rolls: it holds the promises whose moment came in the last four weeks (a multiple of the week, so that no
weekend enters or leaves it). The forecast is the same figure as it will read ``ahead_us`` from now. Up to the length
of the promise every order that will then be in the window is known today, so nothing about future demand is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOW_US: Final = 28 * 86_400_000_000
SHORT_PROMISE: Final = 10  # percentile


@dataclass(frozen=True)
class Spending:
    """Promises due in a window, those broken (expected ones where open), and their share of the budget.

    ``ratio``: 1 is all of the budget; None where nothing is due, or where the objective leaves no budget.
    """

    due: int
    broken: float
    ratio: float | None


@dataclass(frozen=True)
class ErrorBudget:
    """What is spent of the window that ends now, and what will be of the one that ends ``ahead_us`` later."""

    spent: Spending
    forecast: Spending
    ahead_us: int


def error_budget(
    promise_at: NDArray[np.int64], chance: Floats, now: int, objective: float, ahead_us: int, window_us: int = WINDOW_US
) -> ErrorBudget:
    """Return the error budget of a promise.

    ``promise_at`` [n]: promise moments of orders that were not cancelled, from ``now - window_us`` on. ``chance`` [n]:
    1 for broken and 0 for kept ones, for open ones the chance to break. ``objective``: the share to be kept.
    ``ahead_us``: how far the forecast looks, see ``horizon_us``; no farther than the window is long.
    """
    ahead = max(min(ahead_us, window_us), 0)
    return ErrorBudget(
        spent=_spending(promise_at, chance, now - window_us, now, objective),
        forecast=_spending(promise_at, chance, now + ahead - window_us, now + ahead, objective),
        ahead_us=ahead,
    )


def _spending(promise_at: NDArray[np.int64], chance: Floats, begin: int, end: int, objective: float) -> Spending:
    due = (promise_at > begin) & (promise_at <= end)
    count, broken = int(np.count_nonzero(due)), float(chance[due].sum())
    allowed = (1 - objective) * count
    return Spending(count, broken, broken / allowed if allowed > 1e-12 else None)


def horizon_us(promise_us: NDArray[np.int64], window_us: int = WINDOW_US) -> int:
    """Return how far ahead the window is filled by orders known today: the length of the shorter promises.

    ``promise_us`` [n]: lengths of recent promises. Nine in ten of the orders yet to come will be due later than that.
    """
    if not len(promise_us):
        return 0
    return int(np.clip(np.percentile(promise_us, SHORT_PROMISE), 0, window_us))
