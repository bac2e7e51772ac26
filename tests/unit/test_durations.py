"""Durations are read and written as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.promise.durations import LONGEST, describe_duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("21d", timedelta(days=21)),
        ("3w", timedelta(weeks=3)),
        ("1d12h", timedelta(hours=36)),
        ("2.5d", timedelta(hours=60)),
        ("1d 12h", timedelta(hours=36)),
        ("0.000001s", timedelta(microseconds=1)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_read_as_written(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", " ", "3", "d", "3q", "-3d", "3d-", "1 2d", "3D", "٣d", "1e3d", ".5d", "P3D"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write it as 30s, 15m, 2h, 21d, 3w") as caught:
        parse_duration(text)
    assert f"`{text}`" in str(caught.value)


@pytest.mark.parametrize("text", ["36501d", "9" * 400 + "d", "36500d1s"])
def test_a_duration_longer_than_a_hundred_years_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse_duration(text)


def test_a_working_day_may_have_its_own_length() -> None:
    assert parse_duration("1d4h", units={"w": 40 * 3600, "d": 8 * 3600, "h": 3600, "m": 60, "s": 1}) == timedelta(
        hours=12
    )


@given(st.timedeltas(min_value=timedelta(), max_value=LONGEST))
def test_a_written_duration_reads_back_exactly(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=36), "1d12h"),
        (timedelta(weeks=3), "21d"),
        (timedelta(), "0s"),
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(microseconds=1), "0.000001s"),
        (timedelta(minutes=1, microseconds=10), "1m0.00001s"),
    ],
)
def test_a_duration_is_written_in_days_hours_minutes_and_seconds(value: timedelta, text: str) -> None:
    assert format_duration(value) == text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (0.25, "0.2 seconds"),
        (1, "1 second"),
        (-30, "-30 seconds"),
        (40 * 60, "40 minutes"),
        (5 * 3600, "5 hours"),
        (3.2 * 86400, "3.2 days"),
        (9.96 * 86400, "10 days"),
        (21 * 86400, "21 days"),
        (86400, "1 day"),
    ],
)
def test_people_are_told_a_duration_in_words(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words
