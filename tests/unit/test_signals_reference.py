"""What a reference period teaches, by hand: who might have left, how old who was inside is, means, most, and weeks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from collectors.promise.model import Calendar
from collectors.signals import reference as module
from collectors.signals.ledger import AGE_EDGES_H, AGES, HOUR_US, WEEK_H, Ledger
from collectors.signals.reference import Reference, age_quantile, fit, flow_of
from collectors.signals.scope import Scope
from collectors.timelines.measuring import NEVER
from tests.unit.test_signals_ledger import START, Row, ledger, visits

SCOPE = Scope(("queue", "work"), ("all", "b2b"), np.array([-1, -1]), np.zeros(2, dtype=np.bool_), queues=((0, 1),))
DAY = START // 24  # since 1970; a Thursday
UNDER_AN_HOUR = AGE_EDGES_H.index(1)


def bin_of(age_h: float) -> int:
    return int(np.searchsorted(AGE_EDGES_H, age_h, side="right")) - 1


def exposed(*rows: Row, hour: int = 30) -> list[float]:
    """Return the order hours by age in an hour of those who might have left the queue."""
    found = ledger(*([visits(*rows)] if rows else []))
    return [float(hours) for hours in flow_of(found, SCOPE, START + hour, START + hour + 1).exposed[0, 0, :, 0]]


def ages(**hours: float) -> list[float]:
    """Return hours by the bin of an age, written like ``of_16=1.0``; the other bins hold none."""
    found = [0.0] * AGES
    for age, spent in hours.items():
        found[bin_of(float(age.removeprefix("of_").replace("_", ".")))] = spent
    return found


def test_who_is_inside_for_an_hour_might_leave_for_an_hour() -> None:
    assert exposed((0, -1, 10, None)) == pytest.approx(ages(of_16=1.0))


def test_who_leaves_as_soon_as_the_shop_opens_counts_for_the_hour() -> None:
    """Who had been there for an hour or more; by the ages of that hour and the one before."""
    assert exposed((0, -1, 10, 30.001)) == pytest.approx(ages(of_16=1.0))
    assert exposed((0, -1, 6, 30.001)) == pytest.approx(ages(of_16=1 / 1.001, of_24=0.001 / 1.001))


def test_who_came_within_the_hour_counts_for_the_time_spent() -> None:
    assert exposed((0, -1, 29.5, 30.2)) == pytest.approx(ages(of_0_25=0.2))
    assert exposed((0, -1, 30.5, None)) == pytest.approx(ages(of_0=0.25, of_0_25=0.25))


def test_who_became_an_hour_old_and_left_counts_for_the_time_spent_since() -> None:
    assert exposed((0, -1, 29.1, 30.4)) == pytest.approx(ages(of_0_25=0.1, of_1=0.3))


def test_who_left_before_the_hour_counts_for_nothing() -> None:
    assert exposed((0, -1, 10, 29.4)) == ages()


def test_more_than_were_inside_cannot_have_left() -> None:
    """Two were there for 1.4 hours of the hour before, and one was left; he leaves at once."""
    assert sum(exposed((0, -1, 10, 29.4), (0, -1, 10, 30.001))) == pytest.approx(1.0)
    assert sum(exposed((0, -1, 10, 30.1), (0, -1, 10, 30.2), (0, -1, 10, None))) == pytest.approx(3.0)


def test_where_the_ledger_begins_an_hour_is_its_own_hour_before() -> None:
    """Hours of a ledger's first week: as many as were asked for, and the first of them as if nobody had been before."""
    found = ledger(visits((0, 1, -50, None), (0, -1, -30, 0.3)))
    found.advance((START + 4 * WEEK_H - 1) * HOUR_US)
    assert found.first == START
    flow = flow_of(found, SCOPE, START, START + 3)
    assert flow.exposed.shape == (2, 2, AGES, 3)
    assert flow.exposed[0, 0].sum(axis=0) == pytest.approx([1.3, 1.0, 1.0])
    assert flow.exposed[0, 1].sum(axis=0) == pytest.approx([1.0, 1.0, 1.0])


def test_the_flow_tells_of_each_hour_who_left_who_was_there_and_who_was_at_work_ahead() -> None:
    """Ahead of the queue are all that are at work when the hour begins, not those of a segment."""
    found = ledger(visits((0, 1, 29.5, 31.25), (1, 1, 20, 31.5), (1, -1, 21, None), (1, -1, 31.2, None)))
    flow = flow_of(found, SCOPE, START + 30, START + 33)
    assert flow.ahead.tolist() == [[2, 2, 2], [0, 0, 0]]
    assert flow.began[0].sum(axis=0).tolist() == [1, 1, 0]
    assert flow.began[1].sum(axis=0) == pytest.approx([2, 2, 2])
    # As the hour before was spent: one and a half of 2.3 hours by those of eight hours or more.
    assert flow.began[1, bin_of(8)] == pytest.approx([2, 2, 2 * 1.5 / 2.3])
    assert flow.spent[0].tolist() == [[1, 0.25, 0]] * 2
    assert flow.departures.sum(axis=2).tolist() == [[[0, 1, 0]] * 2, [[0, 1, 0]] * 2]
    assert flow.slot.tolist() == [3 * 24 + 30, 3 * 24 + 31, 3 * 24 + 32]  # from Monday on
    assert flow.queues == ((0, 1),)
    alone = replace(SCOPE, segments=("all",))
    bare = Ledger(2, 1, history_h=4 * WEEK_H)
    bare.add(visits((1, -1, 20, None)))
    assert flow_of(bare, alone, START + 30, START + 31).ahead.tolist() == [[1], [0]]


def spent(**hours: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(ages(**hours))


@pytest.mark.parametrize(
    ("hours", "quantile", "age"),
    [
        ({"of_4": 2.0}, 0.5, 6.0),
        ({"of_4": 0.2}, 0.9, 7.6),
        ({"of_0": 1.0, "of_48": 3.0}, 0.5, 48 + 24 / 3),
        ({"of_0": 5.0, "of_48": 5.0}, 0.5, 0.25),  # up to the edge, however far the next one is
        ({"of_1536": 3.0}, 0.5, 1_536.0),
        ({"of_768": 1.0, "of_1536": 9.0}, 0.9, 1_536.0),
        ({"of_768": 1.0}, 0.75, 768 * 1.75),
    ],
)
def test_a_quantile_of_ages_goes_straight_within_a_bin(hours: dict[str, float], quantile: float, age: float) -> None:
    """In the last bin, which has no end, it is where the bin begins."""
    assert age_quantile(spent(**hours), quantile) == pytest.approx(age)


def test_of_nobody_there_is_no_age() -> None:
    found = age_quantile(np.stack([spent(), spent(of_1=0.5)]), 0.5)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(2.5)


def test_the_oldest_is_in_a_bin_whatever_the_rounding() -> None:
    """The whole of a sum may be a little more than the sum of its parts, one by one."""
    drawn = np.random.default_rng(1).uniform(0, 1, (500, AGES)) * 10.0 ** np.arange(AGES)
    assert (age_quantile(drawn, 1.0) <= AGE_EDGES_H[-1]).all()


def steady(weeks: float, *, every_h: int = 2, segment: int = 1) -> Ledger:
    """Return the ledger of an order every other hour from START on, which waits for 5 hours and is worked on for 3."""
    begun = range(0, round(weeks * WEEK_H), every_h)
    rows: list[Row] = [(0, segment, at, at + 5) for at in begun]
    found = Ledger(2, 2)
    found.add(visits(*rows, *[(1, segment, at + 5, at + 8) for at in begun]))
    return found


def fitted(found: Ledger, weeks: float = 4, scope: Scope = SCOPE, muted: tuple[tuple[int, int], ...] = ()) -> Reference:
    return fit(found, START * HOUR_US, round((START + weeks * WEEK_H) * HOUR_US), scope, muted)


def test_four_weeks_are_a_reference_and_an_hour_less_is_none() -> None:
    found = steady(5)
    assert fitted(found).end == (START + 4 * WEEK_H) * HOUR_US
    with pytest.raises(ValueError, match=r"at least 4 weeks, not 4\.0"):
        fitted(found, 4 - 1 / WEEK_H)


def test_what_it_teaches_is_departures_and_the_mean_and_ages_of_stays() -> None:
    """In four weeks 336 came, of whom the last two wait still: 5 hours each in the mean, and any age up to five."""
    found = fitted(steady(4))
    assert found.departures.tolist() == [[334, 334], [332, 332]]
    waited = 334 * 5 + 3 + 1
    assert found.mean_h[0] == pytest.approx([waited / 334] * 2, rel=0.01)
    assert found.mean_h[1] == pytest.approx([3.0] * 2, rel=0.01)
    assert found.age_h[0, 0] == pytest.approx([2.5] * 2, abs=0.05)
    assert found.age_h[1, 0, 0] == pytest.approx(4.5, abs=1.6)  # within its bin of 4 to 8 hours
    assert (found.stages, found.segments, found.begin) == (SCOPE.stages, SCOPE.segments, START * HOUR_US)


def test_its_stored_form_says_that_it_is_of_version_3() -> None:
    """What was stored by this version must be read by the next, or refused by its number."""
    assert fitted(steady(4)).document()["version"] == 3


def test_where_nobody_left_the_mean_is_the_time_spent_so_far() -> None:
    rows: list[Row] = [(1, -1, at, at + 1) for at in range(0, 4 * WEEK_H, 2)]
    found = fitted(ledger(visits(*rows, (0, -1, 100, None)), weeks=5))
    assert found.mean_h[0].tolist() == [4 * WEEK_H - 100, 0]


def test_the_busiest_week_is_any_seven_days_on_end() -> None:
    """A hundred more on the third Wednesday and as many on the Tuesday after are of one week."""
    usual: list[Row] = [(1, -1, at + 0.5, at + 1.5) for at in range(0, 4 * WEEK_H, 4)]
    busy: list[Row] = [(1, 1, day * 24 + 10, day * 24 + 11) for day in (13, 19) for _ in range(100)]
    far: list[Row] = [(1, 1, day * 24 + 10, day * 24 + 11) for day in (4, 26) for _ in range(60)]
    found = fitted(ledger(visits(*usual, *busy, *far), weeks=5))
    assert found.busiest[1].tolist() == [42 + 200, 200]
    assert found.busiest[0].tolist() == [0, 0]
    first: list[Row] = [(1, -1, 0.1, 0.2)] * 300
    assert fitted(ledger(visits(*usual, *first), weeks=5)).busiest[1, 0] == 42 + 300


def test_a_period_of_which_only_one_week_counts_is_no_reference() -> None:
    """Closed days and maintenance: what one week teaches must be held against another, be it of some hours."""
    found = steady(4)
    end = (START + 4 * WEEK_H) * HOUR_US
    assert fitted(found, muted=(((START + WEEK_H + 6) * HOUR_US, end),)).departures[0, 0] == (WEEK_H + 6) / 2 - 2
    with pytest.raises(ValueError, match="less than two weeks"):
        fitted(found, muted=(((START + WEEK_H) * HOUR_US, end),))
    closed = [date(1970, 1, 1) + timedelta(days=DAY + day) for day in range(28) if day not in {8, 9, 10}]
    with pytest.raises(ValueError, match="less than two weeks"):
        fitted(found, scope=replace(SCOPE, calendar=Calendar(closed=closed)))


def test_a_period_of_which_nothing_counts_is_no_reference() -> None:
    with pytest.raises(ValueError, match="less than two weeks"):
        fitted(steady(4), muted=((0, NEVER),))


def test_a_period_in_which_nobody_left_is_no_reference() -> None:
    with pytest.raises(ValueError, match="nothing left any stage"):
        fitted(ledger(visits((0, 1, 1, None)), weeks=5))


def test_one_that_is_fitted_again_has_the_same_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn for them begins with the seed that was asked for, and with 0 where none was."""
    drawn: list[int] = []

    def calibrated(_flow: object, _week: object, _share: object, rng: np.random.Generator, **_: object) -> object:
        drawn.append(int(rng.integers(1_000_000)))
        return np.ones((2, 2, 2))

    monkeypatch.setattr(module, "calibrate", calibrated)
    found = steady(5)
    fitted(found)
    fit(found, START * HOUR_US, (START + 4 * WEEK_H) * HOUR_US, SCOPE, seed=5)
    assert drawn == [np.random.default_rng(seed).integers(1_000_000) for seed in (0, 5)]


@pytest.mark.parametrize("begin", [0, 5])
@pytest.mark.parametrize(("hours", "first"), [(4 * WEEK_H, WEEK_H), (4 * WEEK_H + 72, WEEK_H + 72)])
def test_its_blocks_are_the_last_whole_weeks_and_what_is_left_over_goes_to_the_first(
    hours: int, first: int, begin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever hour of the week it begins in; also where hours in between do not count."""
    told: list[list[int]] = []

    def calibrated(_flow: object, week: np.ndarray[tuple[int], np.dtype[np.int64]], *_: object, **__: object) -> object:
        told.append(week.tolist())
        return np.ones((2, 2, 2))

    monkeypatch.setattr(module, "calibrate", calibrated)
    found, since, until = steady(5), (START + begin) * HOUR_US, (START + begin + hours) * HOUR_US
    fit(found, since, until, SCOPE)
    fit(found, since, until, SCOPE, muted=(((START + 10) * HOUR_US, (START + 30) * HOUR_US),))
    weeks = [0] * first + [week for week in (1, 2, 3) for _ in range(WEEK_H)]
    assert told == [weeks, weeks[20:]]
