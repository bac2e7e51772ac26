"""The statuses in their usual order: the main line, what lies off it, what cancels an order, where a promise ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.drafting.names import is_cancelling
from collectors.promise.model import FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.drafting.history import History

_RARE: Final = 0.05
_LONGEST_LINE: Final = 60
_FINAL: Final = 0.9
_TERMINAL: Final = 0.98
_COVERED: Final = 0.95
_COMMON_END: Final = 0.5
_FEWEST: Final = 8


@dataclass(frozen=True)
class Line:
    """Statuses by their places in the history's list. ``start``, ``end``: of the promise, None for first or last."""

    main: list[int]
    off: list[int]
    cancelled: list[int]
    start: int | None = None
    end: int | None = None


def find_line(history: History, *, wide: bool, can_end: bool) -> Line:
    """Sort the statuses. ``can_end``: whether a status may be the promise's end (not in a log with start and end)."""
    everything = list(range(len(history.statuses)))
    suspect = [status for status in everything if is_cancelling(history.statuses[status])]
    usual = [s for s in everything if history.share[s] >= _RARE and s not in suspect]
    if not usual:
        frequent = sorted(everything, key=lambda s: (-history.share[s], s))
        usual = [s for s in frequent if s not in suspect][:_FEWEST] or frequent[:_FEWEST]
    usual = sorted(usual, key=lambda s: -history.share[s])[:_LONGEST_LINE]
    main = in_usual_order(history, sorted(usual))
    if wide:
        return _wide_line(history, main, [s for s in suspect if s not in main])
    ends = _end_and_cancelled(history, main, suspect) if can_end else None
    if ends is not None:
        end, cancelled = ends
        main = [*(s for s in main if s != end), end]
        return Line(main, _rest(history, main, cancelled), cancelled, None, end)
    return _named_ends(history, Line(main, _rest(history, main, []), []))


def _rest(history: History, main: Sequence[int], cancelled: Sequence[int]) -> list[int]:
    rest = set(range(len(history.statuses))) - set(main) - set(cancelled)
    return sorted(rest, key=lambda s: (-history.counts[s], history.statuses[s]))


def _wide_line(history: History, main: list[int], cancelled: list[int]) -> Line:
    """Let a wide log's promise go from its first milestone to its last one."""
    if len(main) == 1:
        main = in_usual_order(history, [s for s in range(len(history.statuses)) if s not in cancelled])
    if len(main) == 1:
        main, cancelled = in_usual_order(history, list(range(len(history.statuses)))), []
    return Line(main, _rest(history, main, cancelled), cancelled, main[0], main[-1])


def _named_ends(history: History, line: Line) -> Line:
    """Name the ends where the words ``first`` and ``last`` are statuses of this very log."""
    names = set(history.statuses)
    start = line.main[0] if FIRST in names else None
    end = line.main[-1] if LAST in names and line.main[-1] != start else None
    return Line(line.main, line.off, line.cancelled, start, end)


def in_usual_order(history: History, chosen: list[int]) -> list[int]:
    """Order statuses by their mean place in an order, then put neighbours the way most orders have them."""
    place = np.round(history.place, 9)
    line = sorted(chosen, key=lambda s: (place[s], s))
    before = history.precedence(chosen)
    column = {status: at for at, status in enumerate(chosen)}
    for _ in range(len(line)):
        swapped = False
        for at in range(len(line) - 1):
            one, two = column[line[at]], column[line[at + 1]]
            if before[two, one] > before[one, two]:
                line[at], line[at + 1] = line[at + 1], line[at]
                swapped = True
        if not swapped:
            break
    return line


def _end_and_cancelled(history: History, main: list[int], suspect: list[int]) -> tuple[int, list[int]] | None:
    """Find an end that nearly all orders reach unless they are cancelled; None where that is not so.

    An order's last event is its end by default; then nothing can cancel it, as nothing comes before the end. So
    statuses may cancel only where a status is known that ends the others.
    """
    cancelled = [
        s for s in suspect if history.ends[s] >= _FINAL * max(history.share[s], 1e-12) and history.share[s] > 0
    ]
    if not cancelled or not main:
        return None
    end = max(main, key=lambda s: history.ends[s])
    share = float(history.ends[end])
    terminal = share >= _TERMINAL * float(history.share[end])
    covered = share + float(history.ends[cancelled].sum())
    if len(main) < 2 or not terminal or share < _COMMON_END or covered < _COVERED:
        return None
    return end, cancelled
