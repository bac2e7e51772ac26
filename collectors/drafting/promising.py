"""A promise that the house usually keeps: a round duration near the 87th percentile of its lead times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collectors.drafting.history import Ints

KEPT_LEAST: Final = 0.85
KEPT_MOST: Final = 0.90
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_LONGEST: Final = 36_500 * _DAY
_ROUND: Final = (
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 4, 6, 8, 12)),
    *(days * _DAY for days in (1, 2, 3, 5, 7, 10, 14, 21, 28, 30, 45, 60, 90, 120, 180, 270, 365, 730)),
)
_FINER: Final = (
    *(minutes * _MINUTE for minutes in range(1, 90)),
    *(minutes * _MINUTE for minutes in range(90, 360, 15)),
    *(hours * _HOUR for hours in range(6, 48)),
    *(hours * _HOUR for hours in range(48, 240, 6)),
    *(days * _DAY for days in range(10, 100)),
    *(days * _DAY for days in range(100, 400, 5)),
    *(days * _DAY for days in range(400, 36_500, 50)),
)


def kept_share(lead_us: Ints, within_s: int) -> float:
    """Return the share of lead times within a promise."""
    return float((lead_us <= within_s * 1_000_000).mean()) if len(lead_us) else 0.0


def propose_within(lead_us: Ints) -> int:
    """Return the promise in seconds: the roundest one that between 85 and 90 % of lead times keep, else the nearest."""
    if not len(lead_us) or int(lead_us.max()) == 0:
        return _DAY
    ordered = np.sort(lead_us)
    middle = (KEPT_LEAST + KEPT_MOST) / 2
    for choices in (_ROUND, _FINER):
        shares = _shares(ordered, choices)
        inside = [(abs(share - middle), seconds) for share, seconds in shares if KEPT_LEAST <= share <= KEPT_MOST]
        if inside:
            return min(inside)[1]
    broken = [
        (abs(share - middle), seconds) for share, seconds in _shares(ordered, (*_ROUND, *_FINER)) if 0 < share < 1
    ]
    if broken:
        return min(broken)[1]
    longest = int(ordered[-1]) // 1_000_000
    return min(next((seconds for seconds in _FINER if seconds >= longest), _LONGEST), _LONGEST)


def _shares(ordered: Ints, choices: tuple[int, ...]) -> list[tuple[float, int]]:
    kept = np.searchsorted(ordered, np.array(choices, dtype=np.int64) * 1_000_000, side="right") / len(ordered)
    return [(float(share), seconds) for share, seconds in zip(kept, choices, strict=True)]
