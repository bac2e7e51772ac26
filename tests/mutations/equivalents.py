"""Mutants of the signals' code that change nothing that anybody could notice, each with the reason.

Where code can be written so that there is no such mutant, that is better than a line here. A mutant that a test could
notice does not belong here, however hard that is: these are counted neither as killed nor as survivors.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Equivalent(NamedTuple):
    """A mutant, by its module, the line that it changes (without indentation), what it makes of it, and which one."""

    module: str
    statement: str
    what: str
    nth: int = 1


NUMBERING: Final = "any numbering that tells combinations apart will do, and so does a wider or a mirrored one"
NO_NUMBER: Final = "any number below 0 that is neither of the other two will do"
SPREADING: Final = "another large odd multiplier spreads neighbours as well"
MEASURE_ZERO: Final = "tells apart only at one value among thousands of millions, in floating point or of a hash"
NEARER: Final = "how many steps an iteration makes towards a limit that it has reached to the digits that count"
LESS_WORK: Final = "skips work whose result is the one at hand already, or does it again: the result is the same"
SPARE: Final = "there is room for an hour more than is ever needed"
AT_ONCE: Final = "how many are added at once changes what it costs, not what it adds up to"
KNOWN: Final = "the value is there for the type checker: the window has its begin before anything is added"
FIRST_ONE: Final = "there is one, so it is the first and the last of them"
LONG_AGO: Final = "nobody looks at the first hours of 1970"

# By module and line: the reason, and what the mutants make of the line.
_LISTED: Final[tuple[tuple[str, str, str, tuple[str | tuple[str, int], ...]], ...]] = (
    (
        "basis",
        "for status, stage in zip(codebook.statuses, codebook.stage_of.tolist(), strict=True):",
        "a codebook has a stage for each of its statuses",
        ("`True` becomes `False`",),
    ),
    (
        "by_budget",
        "suspected = (evidence >= SUSPECTED) & (ratio >= EFFECT)",
        MEASURE_ZERO,
        ("`evidence >= SUSPECTED` becomes `evidence > SUSPECTED`",),
    ),
    (
        "by_budget",
        "ratio[~np.isfinite(scope.budget_h())] = np.nan",
        "without a budget nothing is allowed, so that no sum leaves zero: there is no effect to tell of already",
        ("`ratio[~np.isfinite(scope.budget_h())] = np.nan` becomes `pass`",),
    ),
    (
        "by_budget",
        "allowed = np.where(known, inside / np.where(np.isfinite(budget), budget, 1.0), 0.0)",
        "where there is no budget it does not matter what is divided by",
        ("`1.0` becomes `2.0`",),
    ),
    (
        "calibration",
        "_CHANCES: Final = 10",
        "the mean of some more or fewer draws of chance is the same but for chance",
        ("`10` becomes `12`", "`10` becomes `7`"),
    ),
    ("calibration", "for fold in range(min(_FOLDS, len(numbers))):", LESS_WORK, ("`min` becomes `max`",)),
    (
        "calibration",
        "scale = np.maximum(high - middle, 1e-3) / (_reduced(0.1) - _reduced(0.5))",
        "a guard against a scale of nothing",
        ("`0.001` becomes `0.00125`", "`0.001` becomes `0.00075`"),
    ),
    (
        "chances",
        "self, flow: Flow, orders: InFlight, points: int = POINTS, capped: int | None = None, beyond_us: int = 0",
        "the tables reach a microsecond farther, of whole seconds a step",
        ("`0` becomes `1`",),
    ),
    (
        "chances",
        "_, code = np.unique(code * (int(column.max()) + 2) + column, return_inverse=True)",
        NUMBERING,
        (
            "`code * (int(column.max()) + 2) + column` becomes `code * (int(column.max()) + 2) - column`",
            "`2` becomes `3`",
        ),
    ),
    (
        "culprit_now",
        "rescued[stage] = max(actual - _expected(flow, sample, stage), 0.0) * scale",
        "a budget kept only moves deadlines on and shortens stays, so the difference is below 0 by a rounding at most",
        ("`max(actual - _expected(flow, sample, stage), 0.0)` becomes `actual - _expected(flow, sample, stage)`",),
    ),
    (
        "culprit_now",
        "if rescued[best] < LEAST_RESCUED:",
        MEASURE_ZERO,
        ("`rescued[best] < LEAST_RESCUED` becomes `rescued[best] <= LEAST_RESCUED`",),
    ),
    (
        "cusum",
        "effect: float = 0.0,",
        "a sum is above zero only where the effect is 1.25 and more, so an effect of 1 asks for nothing",
        ("`0.0` becomes `1.0`", "`0.0` becomes `-1.0`"),
    ),
    (
        "cusum",
        "hours: NDArray[np.int64] | int = 0,",
        "nothing has lasted less than no time",
        ("`0` becomes `-1`",),
    ),
    ("flights", "INSIDE: Final = -3  # nowhere yet", NO_NUMBER, ("`3` becomes `4`",)),
    (
        "flights",
        (
            "_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)"
            "  # Fibonacci hashing (Knuth, TAOCP 3, 6.4): neighbours fall far apart"
        ),
        SPREADING,
        (
            "`11400714819323198485` becomes `14250893524153999360`",
            "`11400714819323198485` becomes `8550536114492399616`",
        ),
    ),
    (
        "flights",
        "return np.asarray((mixed >> np.uint64(32)).astype(np.float64) < self.share * 2.0**32)",
        MEASURE_ZERO,
        (
            (
                "`(mixed >> np.uint64(32)).astype(np.float64) < self.share * 2.0 ** 32` becomes "
                "`(mixed >> np.uint64(32)).astype(np.float64) <= self.share * 2.0 ** 32`"
            ),
        ),
    ),
    ("learning", "ROUNDS: Final = 3", NEARER, ("`3` becomes `4`",)),
    ("learning", "PACE_STEPS: Final = 12", NEARER, ("`12` becomes `15`",)),
    ("ledger", "_AHEAD_H: Final = int(AGE_EDGES_H[-1]) + 2", SPARE, ("`2` becomes `3`", "`2` becomes `1`")),
    ("ledger", "_AT_ONCE: Final = 50_000", AT_ONCE, ("`50000` becomes `62500`", "`50000` becomes `37500`")),
    (
        "ledger",
        "self.first = ((hour - self.history_h) // WEEK_H + 1) * WEEK_H",
        "a window that begins too early moves on to where it belongs at once, as it does each week",
        (
            "`(hour - self.history_h) // WEEK_H + 1` becomes `(hour - self.history_h) // WEEK_H - 1`",
            "`1` becomes `0`",
        ),
    ),
    (
        "ledger",
        "if more <= 0:",
        "widening by nothing copies what is there",
        ("`more <= 0` becomes `more < 0`", "`0` becomes `-1`"),
    ),
    (
        "ledger",
        "for array, changes in zip(self._arrays(), (True, True, False, False), strict=True):",
        "there are four of both",
        (("`True` becomes `False`", 3),),
    ),
    (
        "ledger",
        "there = begin < finish",
        "a stretch of no time adds as much as it takes away",
        ("`begin < finish` becomes `begin <= finish`",),
    ),
    (
        "ledger",
        "place = at // HOUR_US - (self.first or 0)",
        KNOWN,
        ("`0` becomes `1`", "`0` becomes `-1`"),
    ),
    (
        "ledger",
        "place = np.maximum(hour - (self.first or 0), 0)",
        KNOWN,
        ("`0` becomes `1`", "`0` becomes `-1`"),
    ),
    (
        "ledger",
        "np.add.at(array.reshape(-1, array.shape[-1]), (cell[seen], place[seen]), np.int32(sign))",
        "numpy takes any length below 0 for the one that is left over",
        ("`1` becomes `2`",),
    ),
    (
        "ledger",
        "np.add.at(array.reshape(-1, array.shape[-1]), (cell, place), amount)",
        "numpy takes any length below 0 for the one that is left over",
        ("`1` becomes `2`",),
    ),
    (
        "monitor",
        "since=int(since[s, g]) * HOUR_US if since[s, g] >= 0 else None,",
        LONG_AGO,
        ("`since[s, g] >= 0` becomes `since[s, g] > 0`", "`0` becomes `1`"),
    ),
    (
        "monitor",
        "first = max(-(-reference.end // HOUR_US), ledger.first or 0)",
        LONG_AGO,
        ("`0` becomes `1`", "`0` becomes `-1`"),
    ),
    (
        "monitor",
        "over = run(observed.allowed, np.where(counting, seen, 0), SLOWER, reference.limits[1])",
        "where there is no budget nothing is allowed, and a departure raises no sum",
        ("`0` becomes `1`",),
    ),
    (
        "monitor",
        "return np.where(counting, inside * share / np.where(counting, budget, 1.0), 0.0), counting",
        "where there is no budget it does not matter what is divided by",
        ("`1.0` becomes `2.0`",),
    ),
    (
        "passages",
        "TOLERANCE: Final = 1e-3",
        NEARER,
        ("`0.001` becomes `0.00125`", "`0.001` becomes `0.00075`"),
    ),
    ("passages", "SWEEPS: Final = 8", NEARER, ("`8` becomes `9`", "`8` becomes `7`")),
    (
        "passages",
        "if moved[state] @ self.flow.leads[state, :states] < TOLERANCE and late[state] is not self._over:",
        LESS_WORK,
        (
            (
                "`if moved[state] @ self.flow.leads[state, :states] < TOLERANCE and late[state] is not self._over` "
                "becomes `if False`"
            ),
            (
                "`moved[state] @ self.flow.leads[state, :states] < TOLERANCE` becomes "
                "`moved[state] @ self.flow.leads[state, :states] <= TOLERANCE`"
            ),
        ),
    ),
    ("passages", "moved[state] = 0.0", LESS_WORK, ("`moved[state] = 0.0` becomes `pass`", "`0.0` becomes `1.0`")),
    (
        "passages",
        "moved[:, state] += float(np.abs(found - late[state]).max())",
        LESS_WORK,
        ("`found - late[state]` becomes `found + late[state]`",),
    ),
    (
        "passages",
        "return bool(self.flow.leads[:, state].max() > NEGLIGIBLE)",
        MEASURE_ZERO,
        ("`self.flow.leads[:, state].max() > NEGLIGIBLE` becomes `self.flow.leads[:, state].max() >= NEGLIGIBLE`",),
    ),
    (
        "passages",
        "for target in np.flatnonzero(leads[:states] > NEGLIGIBLE).tolist():",
        MEASURE_ZERO,
        ("`leads[:states] > NEGLIGIBLE` becomes `leads[:states] >= NEGLIGIBLE`",),
    ),
    (
        "passages",
        "chance[chance < _NEVER] = 0.0",
        "chances of 1e-20 are cut for speed alone",
        ("`chance[chance < _NEVER] = 0.0` becomes `pass`", "`chance < _NEVER` becomes `chance <= _NEVER`"),
    ),
    (
        "promise_risk",
        "moment = now - WEEK_US",
        "no order that is open now or later has its verdict yet, so two weeks more are looked at and left out",
        ("`now - WEEK_US` becomes `now + WEEK_US`",),
    ),
    ("rates", "_ROUNDS: Final = 12", NEARER, ("`12` becomes `15`", "`12` becomes `9`")),
    ("rates", "for _ in range(3):", NEARER, ("`3` becomes `4`", "`3` becomes `2`")),
    (
        "rates",
        "return Rates(*(np.stack(parts) for parts in zip(*fitted, strict=True)))",
        "each stage is fitted by one function, which returns as many parts of all",
        ("`True` becomes `False`",),
    ),
    (
        "rates",
        "for of, came in zip(exposed[1:], left[1:], strict=True):",
        "a flow is read from one ledger, which has as many segments in all that it tells",
        ("`True` becomes `False`",),
    ),
    (
        "rates",
        "weight = np.cumsum(left[line] + 1e-3)",
        "a thousandth of a departure parts hours in which nobody left, and so does another small share",
        ("`0.001` becomes `0.00075`",),
    ),
    (
        "rates",
        "while len(pools) > 1 and pools[-1][0] * pools[-2][1] > pools[-2][0] * pools[-1][1]:",
        "two strata of the same factor have it together as well",
        (
            (
                "`pools[-1][0] * pools[-2][1] > pools[-2][0] * pools[-1][1]` becomes "
                "`pools[-1][0] * pools[-2][1] >= pools[-2][0] * pools[-1][1]`"
            ),
        ),
    ),
    (
        "reference",
        "ahead = np.zeros_like(inside[:, 0])",
        "zeros of the same shape",
        ("`0` becomes `-1`",),
    ),
    (
        "reference",
        "inside = at(spent, place[..., np.newaxis], axis=-1)[..., 0]",
        FIRST_ONE,
        ("`0` becomes `-1`",),
    ),
    (
        "reference",
        "before = at(below, place[..., np.newaxis], axis=-1)[..., 0] - inside",
        FIRST_ONE,
        ("`0` becomes `-1`",),
    ),
    (
        "reference",
        "total = np.cumsum(np.concatenate([np.zeros_like(left[..., :1]), left], axis=-1), axis=-1)",
        "the first week without its last hour holds no more than the whole of it",
        ("`1` becomes `2`",),
    ),
    (
        "stays",
        'count = np.searchsorted(sorted_age, edges, side="right")',
        "an age at an edge counts as itself or as the edge, which is the same",
        ("`side='right'` becomes `side='left'`",),
    ),
)

EQUIVALENTS: Final[dict[Equivalent, str]] = {
    Equivalent(module, statement, *((what, 1) if isinstance(what, str) else what)): reason
    for module, statement, reason, changes in _LISTED
    for what in changes
}
