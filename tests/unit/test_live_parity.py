"""The live collector and a replay of the same events give the same document, whatever order they arrive in."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from collectors.promise.reading import load_promise
from collectors.replay import replay
from tests import live

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hypothesis.strategies import DrawFn

STATUSES = ("NEW", "NEW", "PAID", "MADE", "PACKED", "SENT", "ASKED", "VOID", "ODD")
SOURCES = ("/crm", "/mes", "/shop")
OWNED = live.PROMISE + "reported_by: {NEW: /shop, MADE: /mes}\n"
WITHDRAWN = live.PROMISE.replace("{format: cloudevents}", "{format: cloudevents, cancelled_when: {state: [void]}}")
WORKING = live.PROMISE.replace("budget: 3h}", "budget: 3h, working: true}") + "calendar: {hours: 09:00-12:00}\n"
PROMISES = {"plain": live.PROMISE, "by": live.BY_PROMISE, "owned": OWNED, "withdrawn": WITHDRAWN, "working": WORKING}


@strategies.composite
def histories(draw: DrawFn) -> list[Any]:
    """Draw the events of a few orders: from several sources, with skewed clocks, rework and repeats.

    A source numbers the events of an order, or their times differ within that order: only then is there one answer.
    """
    messages: list[Any] = []
    for order in range(draw(strategies.integers(1, 4))):
        taken: set[int] = set()
        for source in draw(strategies.lists(strategies.sampled_from(SOURCES), min_size=1, unique=True)):
            numbered = draw(strategies.booleans())
            for place in range(draw(strategies.integers(1, 5))):
                minute = draw(strategies.integers(0, 40)) * 30
                while not numbered and minute in taken:
                    minute += 7
                if not numbered:
                    taken.add(minute)
                sequence = place + 1 if numbered else draw(strategies.sampled_from([None, 9]))
                if not numbered and place == 0:
                    sequence = None
                messages.append(_message(draw, f"o{order}", source, place, minute, sequence))
    return messages


def _message(draw: DrawFn, order: str, source: str, place: int, minute: int, sequence: int | None) -> Any:
    attributes: dict[str, str] = {}
    if draw(strategies.booleans()):
        attributes["channel"] = draw(strategies.sampled_from(["b2b", "web"]))
    if draw(strategies.booleans()):
        attributes["promised_at"] = draw(strategies.sampled_from(["2026-03-02T12:00:00Z", "2026-03-04", "soon"]))
    if draw(strategies.integers(0, 5)) == 0:
        attributes["state"] = "void"
    status = draw(strategies.sampled_from(STATUSES))
    message = live.event(order, status, minute / 60, source=source, key=f"{order}{source}{place}", **attributes)
    return message if sequence is None else {**message, "sequence": str(sequence)}


@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES.keys())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    history=histories(), repeats=strategies.integers(0, 3), hours=strategies.integers(-1, 30), mix=strategies.randoms()
)
def test_live_and_replayed_documents_are_the_same(
    promise: str, history: list[Any], repeats: int, hours: int, mix: Any
) -> None:
    # A replay of a log without any usable order says so instead of answering.
    usable = live.event("o9", "NEW", -2, sequence=1, promised_at="2026-03-03T12:00:00Z")
    messages = [usable, *history, *(mix.choice(history) for _ in range(repeats))]
    as_of = live.START + timedelta(hours=hours)
    with tempfile.TemporaryDirectory() as folder:
        same_answer(Path(folder), promise, messages, as_of, mix.shuffle)


def same_answer(
    folder: Path,
    promise: str,
    messages: list[Any],
    as_of: datetime,
    shuffle: Callable[[list[Any]], None],
    database: str | None = None,
) -> None:
    """Send messages in shuffled chunks, replay them in another order, and compare the documents."""
    shuffle(messages)
    configured = live.settings(folder, database, promise)
    found = asyncio.run(_sent(configured, messages, as_of))
    shuffle(messages)
    log = folder / "log.jsonl"
    log.write_bytes(b"".join(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE) for message in messages))
    expected = replay(log, load_promise(configured.promise), as_of=as_of).document()
    assert found == {**expected, "log": "live"}


async def _sent(configured: Any, messages: list[Any], as_of: datetime) -> dict[str, Any]:
    async with live.running(configured) as collector:
        size = max(len(messages) // 3, 1)
        for first in range(0, len(messages), size):
            await collector.send(*messages[first : first + size])
        document = await collector.stages(as_of)
        await _agrees_with_itself(collector)
        return document


async def _agrees_with_itself(collector: live.Live) -> None:
    """Check that gauges, which are kept by deltas, say what the document says of a moment after all events."""
    collector.clock.now = live.START + timedelta(days=400)
    document, gauges = await collector.stages(collector.clock.now), await collector.metrics()
    for verdict in ("kept", "broken", "open", "cancelled"):
        assert gauges[f"touchstone_promise_{verdict}_orders"] == document[verdict], verdict
    assert gauges["touchstone_quarantined_events"] == document["quarantined"]
