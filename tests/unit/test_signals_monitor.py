"""The signals end to end: a slowed stage is named with its time, bursts and maintenance are not, and JSON keeps all."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from collectors.promise.model import Calendar
from collectors.signals.flow import flows
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger, Visits
from collectors.signals.monitor import EFFECT, StageSignal, history, signals
from collectors.signals.reference import Reference, fit, from_document
from collectors.signals.scope import Scope
from collectors.timelines.measuring import NEVER

# A Monday at midnight (UTC), in hours since 1970; eight weeks of reference, then what is watched.
MONDAY = 490_992
FROZEN = MONDAY + 8 * WEEK_H
SLOW = FROZEN + 2 * WEEK_H
END = FROZEN + 8 * WEEK_H
STAGES = ("checking", "making")
SCOPE = Scope(STAGES, ("all", "channel=b2b"), np.array([30, 60]) * HOUR_US, np.zeros(2, dtype=np.bool_))
MEAN_H = (20.0, 40.0)


def lived(*, slow: tuple[float, float] = (1, 1), burst: int = 0, since: int = SLOW, seed: int = 1) -> Ledger:
    """Return the ledger of two stages in turn, exponential stays, 30 orders a day from four weeks before on.

    ``slow``: the factors of those who enter from ``since`` on; ``burst``: so many orders more at that moment.
    """
    rng = np.random.default_rng(seed)
    begin = MONDAY - 4 * WEEK_H
    at = np.sort(rng.uniform(begin, END, rng.poisson(30 / 24 * (END - begin))))
    at = np.sort(np.concatenate([at, np.full(burst, float(since))]))
    b2b = (rng.random(len(at)) < 0.3).astype(np.int64)
    found = Ledger(2, 2)
    for stage, mean in enumerate(MEAN_H):
        stay = rng.exponential(mean, len(at)) * np.where(at >= since, slow[stage], 1.0)
        entered, left = at, at + stay
        known = entered < END
        moments = np.where(left < END, np.rint(left * HOUR_US).astype(np.int64), NEVER)
        rows = np.full(len(at), stage), np.where(b2b, 1, -1)[:, np.newaxis], np.rint(entered * HOUR_US).astype(np.int64)
        found.add(Visits(*rows, moments).take(known))
        at = left
    found.advance(END * HOUR_US)
    return found


def frozen(ledger: Ledger, scope: Scope = SCOPE) -> Reference:
    """Return the reference of the eight weeks before FROZEN."""
    return fit(ledger, MONDAY * HOUR_US, FROZEN * HOUR_US, scope)


@pytest.fixture(scope="module")
def calm() -> Ledger:
    """Return a healthy quarter."""
    return lived()


@pytest.fixture(scope="module")
def reference(calm: Ledger) -> Reference:
    """Return what it teaches."""
    return frozen(calm)


def at(found: list[StageSignal], stage: str, segment: str = "all") -> StageSignal:
    """Return one stage's signal."""
    return next(one for one in found if (one.stage, one.segment) == (stage, segment))


def test_a_healthy_house_is_silent(calm: Ledger, reference: Reference) -> None:
    """In every hour of eight weeks; and its slow-down is about 1, inside the bounds."""
    found = history(calm, reference, SCOPE, END * HOUR_US)
    assert found.evidence.shape == (2, 2, END - FROZEN)
    assert not found.slow.any()
    assert not found.over_budget.any()
    one = at(signals(calm, reference, SCOPE, END * HOUR_US), "making")
    assert 0.7 < one.lower < one.slowdown < one.upper < 1.5


@pytest.mark.parametrize("slowed", [0, 1])
def test_the_slowed_stage_is_named_with_its_time_and_no_other(reference: Reference, slowed: int) -> None:
    """1.6 times slower from a moment on: found within a week, by about as much, since about then."""
    factors = (1.6, 1.0) if slowed == 0 else (1.0, 1.6)
    ledger = lived(slow=factors)
    found = history(ledger, reference, SCOPE, END * HOUR_US)
    alarms = np.asarray(found.slow.any(axis=1))
    assert not alarms[:, : SLOW - FROZEN].any()
    assert not alarms[1 - slowed].any()
    begun = int(np.flatnonzero(alarms[slowed])[0]) - (SLOW - FROZEN)
    assert 0 < begun < 7 * 24
    one = at(signals(ledger, reference, SCOPE, END * HOUR_US), STAGES[slowed])
    assert one.slow
    assert one.since is not None
    assert one.lower < 1.6 < one.upper
    assert one.slowdown > EFFECT
    assert abs(one.since / HOUR_US - SLOW) < 5 * 24


def test_a_burst_is_no_slow_down(reference: Reference) -> None:
    """A day's orders at once, which go through both stages."""
    found = history(lived(burst=30), reference, SCOPE, END * HOUR_US)
    assert not found.slow.any()


def test_a_standstill_is_told_after_a_day_of_a_segment_after_a_week(reference: Reference) -> None:
    """Nobody leaves the first stage any more: the evidence stays below its limit for a day, that of b2b for a week."""
    ledger = lived(slow=(1000, 1))
    found = history(ledger, reference, SCOPE, END * HOUR_US)
    for segment, hours in ((0, 24), (1, 168)):
        told = int(np.flatnonzero(found.slow[0, segment])[0])
        assert told - (found.since[0, segment, told] - FROZEN) >= hours
        assert (found.evidence[0, segment, :told] < 1).all()
    assert np.flatnonzero(found.slow[0, 1])[0] > np.flatnonzero(found.slow[0, 0])[0]


def test_what_is_slow_since_day_one_is_over_its_budget_and_not_slower_than_its_reference() -> None:
    """Making takes 1.6 times as long in the reference and after it: only the budget can tell."""
    ledger = lived(slow=(1, 1.6), since=MONDAY - 4 * WEEK_H)
    scope = replace(SCOPE, budget_us=np.array([30, 45]) * HOUR_US)
    found = history(ledger, frozen(ledger, scope), scope, END * HOUR_US)
    assert not found.slow.any()
    assert found.over_budget[1, 0, -1]
    assert not found.over_budget[0].any()
    assert found.budget_ratio[1, 0, -1] == pytest.approx(64 / 45, rel=0.15)


def test_a_stage_without_a_budget_is_never_over_it(reference: Reference) -> None:
    """NaN and no evidence."""
    scope = replace(SCOPE, budget_us=np.array([-1, -1]))
    one = at(signals(lived(slow=(1, 3)), reference, scope, END * HOUR_US), "making")
    assert np.isnan(one.budget_ratio)
    assert (one.budget_evidence, one.over_budget) == (0, False)


def test_the_reference_comes_back_from_json_with_identical_signals(reference: Reference) -> None:
    """Through text and back, to the last bit."""
    ledger = lived(slow=(1, 1.6))
    again = from_document(json.loads(json.dumps(reference.document())))
    assert signals(ledger, again, SCOPE, END * HOUR_US) == signals(ledger, reference, SCOPE, END * HOUR_US)
    assert again.document() == reference.document()


def test_a_reference_of_another_version_is_refused(reference: Reference) -> None:
    """It says to set it anew."""
    with pytest.raises(ValueError, match="set it anew"):
        from_document(reference.document() | {"version": 0})


def test_too_short_a_reference_is_refused(calm: Ledger) -> None:
    """Three weeks."""
    with pytest.raises(ValueError, match=r"at least 4 weeks, not 3\.0"):
        fit(calm, MONDAY * HOUR_US, (MONDAY + 3 * WEEK_H) * HOUR_US, SCOPE)


def test_a_maintenance_window_counts_for_nothing(reference: Reference) -> None:
    """A standstill of three days inside it leaves the evidence where it was."""
    ledger = lived()
    window = ((SLOW * HOUR_US, (SLOW + 72) * HOUR_US),)
    found = history(ledger, reference, SCOPE, END * HOUR_US, window)
    place = SLOW - FROZEN
    assert (found.evidence[..., place : place + 72] == found.evidence[..., place - 1 : place]).all()


def test_closed_days_of_the_calendar_count_for_nothing(calm: Ledger, reference: Reference) -> None:
    """New Year's Day, told by the promise file, in the calendar's own zone."""
    closed = Calendar.model_validate({"closed": ["2026-03-10"], "timezone": "Europe/Berlin"})
    scope = replace(SCOPE, calendar=closed)
    counted = scope.counted(FROZEN, END)
    # The tenth of March begins at 23:00 UTC of the ninth.
    begin = int(np.datetime64("2026-03-09T23", "h").astype(int)) - FROZEN
    assert np.flatnonzero(~counted).tolist() == list(range(begin, begin + 24))
    found = history(calm, reference, scope, END * HOUR_US)
    assert (found.evidence[..., begin : begin + 24] == found.evidence[..., begin - 1 : begin]).all()


def test_a_stage_that_nobody_left_in_the_reference_is_blind() -> None:
    """Its evidence is 0 whatever happens, and the reference says that it has none."""
    three = Scope((*STAGES, "elsewhere"), SCOPE.segments, np.array([1, 1, 1]) * HOUR_US, np.zeros(3, dtype=np.bool_))
    ledger = Ledger(3, 2)
    entered, left = np.array([FROZEN, MONDAY]) * HOUR_US, np.array([NEVER, (MONDAY + 1) * HOUR_US])
    ledger.add(Visits(np.array([2, 0]), np.array([[-1], [-1]]), entered, left))
    ledger.advance(END * HOUR_US)
    blind = fit(ledger, MONDAY * HOUR_US, FROZEN * HOUR_US, three)
    one = at(signals(ledger, blind, three, END * HOUR_US), "elsewhere")
    assert (one.evidence, one.budget_evidence, one.slow) == (0, 0, False)
    assert blind.departures[1:].sum() == 0
    assert json.loads(json.dumps(blind.document(), allow_nan=False))["limits"][0][2] == [None, None]


def test_evidence_against_a_queue_is_put_down_to_slow_work_after_it(reference: Reference) -> None:
    """Both stages are slow: where the second works on what waits in the first, the second alone is named."""
    ledger = lived(slow=(1.6, 1.6))
    apart = signals(ledger, reference, SCOPE, END * HOUR_US)
    assert at(apart, "checking").slow
    assert at(apart, "making").slow
    queue = replace(SCOPE, queues=((0, 1),))
    found = signals(ledger, reference, queue, END * HOUR_US)
    assert not at(found, "checking").slow
    assert at(found, "making").evidence >= max(at(apart, "making").evidence, at(apart, "checking").evidence)


def test_the_flow_is_counted_over_seven_days(calm: Ledger, reference: Reference) -> None:
    """Arrivals, departures, WIP and ages of exponential stays, against what theory says."""
    found = {(one.stage, one.segment): one for one in flows(calm, reference, SCOPE, END * HOUR_US)}
    one = found["making", "all"]
    assert one.arrivals_per_s * 86_400 == pytest.approx(30, rel=0.2)
    assert one.departures_per_s * 86_400 == pytest.approx(30, rel=0.2)
    assert one.wip == calm.inside(END, END + 1)[1, 0, 0]
    assert one.reference_age_s[0] / 3600 == pytest.approx(40 * np.log(2), rel=0.15)
    assert one.reference_age_s[1] / 3600 == pytest.approx(40 * np.log(10), rel=0.15)
    assert one.age_s[0] < one.age_s[1]
    assert 0.5 < one.utilisation <= 1.2
    assert found["making", "channel=b2b"].wip < one.wip
    assert one.reference_departures == reference.departures[1, 0]


def test_the_flow_is_known_without_a_reference() -> None:
    """What needs one is NaN."""
    one = flows(lived(), None, SCOPE, END * HOUR_US)[0]
    assert one.wip > 0
    assert np.isnan(one.utilisation)
    assert np.isnan(one.reference_age_s).all()


def test_signals_begin_an_hour_after_the_reference(calm: Ledger, reference: Reference) -> None:
    """Before that there is nothing to tell."""
    assert signals(calm, reference, SCOPE, FROZEN * HOUR_US) == []
    assert len(signals(calm, reference, SCOPE, (FROZEN + 1) * HOUR_US)) == 4
