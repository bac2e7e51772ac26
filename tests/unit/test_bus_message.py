"""A message is a CloudEvent: what is written can be read, and what cannot be read says why."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus import Message, Unreadable, read

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=100)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
MESSAGES = st.builds(
    Message,
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    MOMENTS,
    st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS),
    st.none() | st.integers(1, 2**63 - 1),
    st.none() | TEXTS,
)


@given(MESSAGES)
def test_what_is_written_is_read_the_same(message: Message) -> None:
    assert read(message.to_json()) == message


def test_a_message_is_a_cloudevent_with_the_sequence_extension() -> None:
    """A sequence is a string that `sequencetype: Integer` explains, and times are UTC."""
    when = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    document = orjson.loads(Message("a", "/shop", "t.v1", "4711", when, {"k": 1}, 3, "00-trace").to_json())
    assert document == {
        "specversion": "1.0",
        "id": "a",
        "source": "/shop",
        "type": "t.v1",
        "subject": "4711",
        "time": "2026-03-01T10:00:00.000000+00:00",
        "datacontenttype": "application/json",
        "sequence": "3",
        "sequencetype": "Integer",
        "traceparent": "00-trace",
        "data": {"k": 1},
    }


def test_a_command_is_a_stream_of_its_own() -> None:
    event = Message("a", "/shop", "t.v1", "4711", datetime(2026, 3, 1, tzinfo=UTC), {}, 3)
    command = Message("a", "/shop", "t.v1", "4711", datetime(2026, 3, 1, tzinfo=UTC), {})
    assert (event.stream, event.place) == (("4711", "/shop"), 3)
    assert (command.stream, command.place) == (("a", "/shop"), 1)


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: str(value).encode())
)
def test_any_bytes_are_read_or_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"."):
        read(body)


@given(
    st.sampled_from(["id", "source", "type", "subject", "time", "sequence", "data", "traceparent"]),
    st.none()
    | st.integers()
    | st.text()
    | st.sampled_from(["9" * 5_000, "0", "-1", "1.0", "\u0664", "9999-12-31T23:59-23:59"]),
)
def test_any_value_of_a_field_is_read_or_refused(name: str, value: object) -> None:
    """Nothing else is raised: what is raised here would stop the whole queue."""
    sound = Message("a", "/shop", "t.v1", "4711", datetime(2026, 3, 1, tzinfo=UTC), {}, 3)
    document = orjson.loads(sound.to_json()) | {name: value}
    try:
        body = orjson.dumps(document)
    except TypeError:  # an integer or a surrogate that JSON cannot hold
        return
    with contextlib.suppress(Unreadable):
        message = read(body)
        assert read(message.to_json()) == message
