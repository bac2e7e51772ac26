"""What is watched: hours of the week by the calendar's clock, working time, closed days, maintenance, budgets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from collectors.promise.document import parse_document
from collectors.promise.model import Calendar
from collectors.promise.reading import promise_from
from collectors.signals.ledger import HOUR_US
from collectors.signals.scope import ALL, Scope, queues_of
from collectors.timelines.codebook import Codebook
from tests.live import PROMISE

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAIN = Scope(("one", "two"), (ALL,), np.array([-1, 3 * HOUR_US]), np.array([False, True]))


def hour(*moment: int) -> int:
    """Return the hour from 1970 to a moment of UTC: year, month, day, hour."""
    return (datetime(*moment, tzinfo=UTC) - EPOCH) // timedelta(hours=1)  # type: ignore[arg-type, misc]


def local(zone: str, at: int) -> datetime:
    return (EPOCH + timedelta(hours=at)).astimezone(ZoneInfo(zone))


def scope(**calendar: object) -> Scope:
    return replace(PLAIN, calendar=Calendar.model_validate(calendar))


def test_without_a_calendar_the_week_begins_on_monday_at_midnight_utc() -> None:
    monday = hour(2026, 3, 2, 0)
    assert PLAIN.slots(monday, monday + 3).tolist() == [0, 1, 2]
    assert PLAIN.slots(monday - 2, monday + 1).tolist() == [166, 167, 0]
    assert PLAIN.slots(monday + 6 * 24 + 5, monday + 6 * 24 + 6).tolist() == [149]
    assert PLAIN.slots(0, 2).tolist() == [72, 73]  # 1970 began on a Thursday


# Clocks of Los Angeles change two hours before noon of UTC, and those of Auckland two hours after.
ZONES = ("Europe/Berlin", "America/New_York", "America/Los_Angeles", "Pacific/Auckland", "Australia/Brisbane", "UTC")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("month", [1, 3, 7, 10])
def test_the_hour_of_the_week_is_that_of_the_calendar_s_clock(zone: str, month: int) -> None:
    """Five weeks, from any hour on, in which clocks may change; on the day itself it is that of noon."""
    first = hour(2026, month, 3, 7)
    found = scope(timezone=zone).slots(first, first + 35 * 24)
    for at, slot in enumerate(found.tolist(), first):
        noon = local(zone, at // 24 * 24 + 12).utcoffset()
        moment = local(zone, at)
        if moment.utcoffset() == noon:
            assert slot == moment.weekday() * 24 + moment.hour, moment


def test_a_zone_of_half_hours_is_rounded_to_a_whole_one() -> None:
    at = hour(2026, 3, 2, 0)
    assert scope(timezone="Asia/Kathmandu").slots(at, at + 1).tolist() == [6]  # 5:45


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_no_hours_are_none(zone: str) -> None:
    for first, last in ((48, 48), (50, 50), (50, 40)):
        assert scope(timezone=zone).slots(first, last).tolist() == []


def test_an_hour_is_worked_by_the_share_of_it_that_is_working_time() -> None:
    """From half past nine to five on Mondays: half of the first hour; nothing on Tuesday."""
    monday = hour(2026, 3, 2, 0)
    watched = scope(weekdays=["mon"], hours="09:30-17:00")
    worked = [0.0] * 9 + [0.5] + [1.0] * 7 + [0.0] * 31
    assert watched.worked(monday, monday + 48).tolist() == worked
    assert watched.budgeted(monday, monday + 48).tolist() == [[1.0] * 48, worked]
    assert PLAIN.worked(monday, monday + 2).tolist() == [1.0, 1.0]
    assert PLAIN.budgeted(monday, monday + 2).tolist() == [[1.0, 1.0]] * 2


def test_closed_days_count_for_nothing_by_the_calendar_s_clock() -> None:
    """In Berlin a day of March begins at 23 hours of the day before, in London's winter."""
    first = hour(2026, 3, 2, 0)
    watched = scope(timezone="Europe/Berlin", closed=[date(2026, 3, 3), date(2026, 3, 9)])
    found = watched.counted(first, first + 72)
    assert np.flatnonzero(~found).tolist() == list(range(23, 47))
    assert PLAIN.counted(first, first + 72).all()
    assert scope(timezone="Europe/Berlin").counted(first, first + 72).all()


def uncounted(*windows: tuple[float, float]) -> list[int]:
    """Return the hours after 100 that do not count, with maintenance between these hours after 100."""
    muted = tuple((round((100 + begin) * HOUR_US), round((100 + end) * HOUR_US)) for begin, end in windows)
    return np.flatnonzero(~PLAIN.counted(100, 112, muted)).tolist()


def test_hours_that_maintenance_touches_count_for_nothing() -> None:
    assert uncounted() == []
    assert uncounted((2, 4)) == [2, 3]
    assert uncounted((2.5, 3.25)) == [2, 3]
    assert uncounted((2.5, 2.75)) == [2]
    assert uncounted((2, 3), (6, 7.5)) == [2, 6, 7]
    assert uncounted((-5, 1), (11.5, 30)) == [0, 11]


def test_maintenance_that_was_called_off_before_it_began_touches_nothing() -> None:
    """And what comes after it in the list counts."""
    assert uncounted((2.5, 2.5)) == []
    assert uncounted((2.5, 2.5), (6, 7)) == [6]


def test_budgets_are_in_hours_and_none_is_none() -> None:
    """A budget of nothing is none as well."""
    found = replace(PLAIN, budget_us=np.array([-1, 90 * HOUR_US // 60, 0, HOUR_US // 2])).budget_h()
    assert found[[1, 3]].tolist() == [1.5, 0.5]
    assert np.isnan(found[[0, 2]]).all()


def test_a_queue_is_a_stage_of_waiting_right_before_one_of_work() -> None:
    assert queues_of(("wait", "work", "wait", "wait", "work", "work", "wait")) == ((0, 1), (3, 4))
    assert queues_of(("work", "wait")) == ()
    assert queues_of(("wait", "work")) == ((0, 1),)
    assert queues_of(("wait",)) == queues_of(()) == ()


def test_a_promise_file_says_what_is_watched() -> None:
    """Its stages and what is elsewhere, all orders and the segments asked for."""
    book = Codebook(promise_from(parse_document(PROMISE), "promise"))
    found = Scope.of(book, ("channel=b2b",))
    assert found.stages == ("payment", "making", "customer", "packing", "elsewhere")
    assert found.segments == ("all", "channel=b2b")
    assert found.budget_h()[[0, 1, 3]].tolist() == [1, 3, 2]
    assert found.queues == ((0, 1), (2, 3))
    assert found.calendar is None
    assert not found.working.any()
