"""Working time agrees with a plain loop over minutes, whatever the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.promise.model import WEEKDAYS, Calendar
from collectors.promise.working_time import WorkingTime

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia")


def calendar(**keys: Any) -> Calendar:
    return Calendar.model_validate(keys)


def us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def between(worked: WorkingTime, first: datetime, last: datetime) -> int:
    start, end = worked.elapsed(np.array([us(first), us(last)]))
    return int(end - start)


def is_open(of: Calendar, moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(of.timezone))
    since_midnight = timedelta(hours=local.hour, minutes=local.minute)
    opens, closes = of.hours
    return (
        WEEKDAYS[local.weekday()] in of.weekdays and local.date() not in of.closed and opens <= since_midnight < closes
    )


def counted(of: Calendar, first: datetime, minutes: int) -> int:
    return sum(MINUTE_US for minute in range(minutes) if is_open(of, first + timedelta(minutes=minute)))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    opens = draw(st.integers(0, 24 * 60 - 1))
    closes = draw(st.integers(opens + 1, 24 * 60))
    return calendar(
        weekdays=draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True)),
        hours=f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}",
        timezone=draw(st.sampled_from(ZONES)),
        closed=draw(st.lists(st.dates(date(2011, 1, 1), date(2026, 12, 31)), max_size=5)),
    )


# Days on which a zone above changes its clock, or drops a whole day (Apia, 2011-12-30).
moments = st.sampled_from([(2011, 12, 29), (2024, 3, 30), (2024, 4, 6), (2024, 10, 26), (2024, 12, 31), (1999, 12, 31)])


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, st.integers(0, 1440), st.integers(0, 4000))
@example(calendar(hours="02:15-02:45", timezone="Europe/Berlin", weekdays=list(WEEKDAYS)), (2024, 10, 26), 0, 2880)
@example(calendar(hours="00:00-24:00", timezone="Europe/Berlin", weekdays=list(WEEKDAYS)), (2024, 3, 30), 0, 2880)
def test_working_time_is_what_a_loop_over_minutes_counts(
    of: Calendar, day: tuple[int, int, int], offset: int, minutes: int
) -> None:
    first = datetime(*day, tzinfo=UTC) + timedelta(minutes=offset)
    last = first + timedelta(minutes=minutes)
    assert between(WorkingTime(of), first, last) == counted(of, first, minutes)


@settings(max_examples=100, deadline=None)
@given(
    calendars(),
    st.lists(st.integers(us(datetime(1990, 1, 1, tzinfo=UTC)), 2_000_000_000_000_000), min_size=1),
)
def test_the_moment_of_an_amount_is_the_first_at_which_it_had_passed(of: Calendar, at_us: list[int]) -> None:
    worked = WorkingTime(of)
    at = np.sort(np.array(at_us, dtype=np.int64))
    amounts = worked.elapsed(at)
    first = worked.moment(amounts)
    assert (np.diff(amounts) >= 0).all()
    assert (first <= at).all()
    assert (worked.elapsed(first) == amounts).all()
    assert (worked.elapsed(first - 1) == amounts - 1).all()


@given(st.lists(st.integers(1_000_000_000_000_000, 1_900_000_000_000_000), min_size=2, max_size=6))
@settings(max_examples=20, deadline=None)
def test_the_answer_does_not_depend_on_what_was_asked_before(at_us: list[int]) -> None:
    of = calendar(timezone="Europe/Berlin")
    together = WorkingTime(of).elapsed(np.array(at_us))
    one = WorkingTime(of)
    assert [int(one.elapsed(np.array([at]))[0]) for at in at_us] == together.tolist()


def test_a_working_week_has_forty_hours() -> None:
    monday = datetime(2024, 6, 3, tzinfo=UTC)
    assert between(WorkingTime(calendar()), monday, monday + timedelta(weeks=1)) == 40 * HOUR_US


def test_a_closed_day_has_no_working_time() -> None:
    worked = WorkingTime(calendar(closed=["2024-12-25"]))
    assert between(worked, datetime(2024, 12, 25, tzinfo=UTC), datetime(2024, 12, 26, tzinfo=UTC)) == 0


@pytest.mark.parametrize(("day", "hours"), [((2024, 3, 31), 23), ((2024, 10, 27), 25), ((2024, 6, 3), 24)])
def test_a_whole_day_has_as_many_hours_as_daylight_saving_leaves_it(day: tuple[int, int, int], hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(*day, tzinfo=zone)
    last = (first + timedelta(days=1)).astimezone(UTC)
    worked = WorkingTime(calendar(hours="00:00-24:00", weekdays=list(WEEKDAYS), timezone="Europe/Berlin"))
    assert between(worked, first.astimezone(UTC), last) == hours * HOUR_US


def test_a_budget_that_starts_on_friday_evening_runs_out_on_monday() -> None:
    worked = WorkingTime(calendar(timezone="Europe/Berlin"))
    friday = us(datetime(2024, 6, 7, 14, 30, tzinfo=UTC))  # 16:30 in Berlin, half an hour before closing
    ran_out = worked.moment(worked.elapsed(np.array([friday])) + HOUR_US)
    assert ran_out.tolist() == [us(datetime(2024, 6, 10, 7, 30, tzinfo=UTC))]


def test_single_microseconds_count() -> None:
    opens = us(datetime(2024, 6, 3, 9, tzinfo=UTC))
    amounts = WorkingTime(calendar()).elapsed(np.array([opens - 1, opens, opens + 1]))
    assert np.diff(amounts).tolist() == [0, 1]


def test_moments_far_outside_count_as_the_ends_of_the_range() -> None:
    worked = WorkingTime(calendar())
    limits = np.iinfo(np.int64)
    ends = np.array([us(datetime(1900, 1, 1, tzinfo=UTC)), us(datetime(2201, 1, 1, tzinfo=UTC))])
    assert (worked.elapsed(np.array([limits.min, limits.max])) == worked.elapsed(ends)).all()
    assert worked.moment(np.array([10**18])).tolist() == [us(datetime(2201, 1, 1, tzinfo=UTC))]


def test_nothing_asked_gives_nothing_and_shapes_are_kept() -> None:
    worked = WorkingTime(calendar())
    nothing = np.empty(0, dtype=np.int64)
    assert worked.elapsed(nothing).size == worked.moment(nothing).size == 0
    assert worked.elapsed(np.zeros((2, 3), dtype=np.int64)).shape == (2, 3)
    assert worked.moment(np.zeros((2, 3), dtype=np.int64)).shape == (2, 3)
