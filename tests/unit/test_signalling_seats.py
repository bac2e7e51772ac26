"""Which segments have signals: seats are shared out among the attributes, and the commonest values have them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np

from collectors.live.signalling.seats import LONGEST, MOST_SEGMENTS, most_frequent, shared_out
from collectors.promise.reading import DEFAULT_PROMISE
from collectors.simulation import Scenario, cloudevents, simulate
from collectors.simulation.scenario import MONDAY
from tests import live
from tests.live import PROMISE, START, Clock, Live, accounted, accounted_again, event, running, whole_order

if TYPE_CHECKING:
    from pathlib import Path

HOUR: Final = timedelta(hours=1)
FAR: Final = 1e9
TWO: Final = PROMISE.replace("segments: [channel]", "segments: [channel, product]")


def orders(begin: int, count: int, name: str, **values: list[str]) -> list[Any]:
    """Return orders, one each third hour, whose attributes go through these values in turn."""
    made = [
        whole_order(
            f"{name}{n}",
            begin=begin + n * 3,
            step=1 + n % 5,
            **{attribute: texts[n % len(texts)] for attribute, texts in values.items()},
        )
        for n in range(count)
    ]
    return [message for order in made for message in order]


def test_no_attribute_takes_all_seats() -> None:
    """Each one's commonest value first, then each one's next; who has few values leaves the rest to the others."""
    found = {("a", str(n)): 100 - n for n in range(20)} | {("b", "x"): 3, ("b", "y"): 2, ("c", "z"): 1}
    line = shared_out(found, ("a", "b", "c"))
    assert line[:5] == [("a", "0"), ("b", "x"), ("c", "z"), ("a", "1"), ("b", "y")]
    assert line[5:] == [("a", "2"), ("a", "3"), ("a", "4")]
    assert shared_out(found, ("a", "b", "c"), line) == []


def test_an_attribute_whose_values_come_later_finds_seats() -> None:
    found = {("a", str(n)): 1 for n in range(20)}
    assert len(shared_out(found, ("a", "b"), kept=4)) == 4
    assert len(shared_out(found, ("a", "b"), [("b", "x")] * 3, kept=4)) == 4
    assert len(shared_out(found, ("a", "b"), [("b", "x")] * 6, kept=4)) == 2
    assert len(shared_out(found, ("a",), kept=8)) == MOST_SEGMENTS


def test_a_value_too_long_for_a_label_has_no_seat() -> None:
    found = {("a", "x" * LONGEST): 1, ("a", "x" * (LONGEST + 1)): 5}
    assert shared_out(found, ("a",)) == [("a", "x" * LONGEST)]


def test_who_holds_a_seat_keeps_it_beside_the_commonest() -> None:
    texts = [f'{{"channel":"{n}"}}' for n in range(30) for _ in range(n)]
    chosen = most_frequent(("channel",), texts, [("channel", "old"), ("channel", "3")])
    assert chosen == tuple(sorted(f"channel={text}" for text in ("old", 3, *range(24, 30))))


async def test_the_first_intake_does_not_give_all_seats_to_the_first_attribute(tmp_path: Path) -> None:
    """And whoever finds none gets none later, when what was booked without it would be missing."""
    channels, products = [f"c{n}" for n in range(15)], [f"p{n}" for n in range(15)]
    clock = Clock(START + 400 * HOUR)
    async with running(live.settings(tmp_path, promise=TWO, signals_seconds=FAR), clock) as collector:
        await collector.send(*orders(0, 30, "o", channel=channels, product=["p0", "p1", *products]))
        signalling = collector.service.signalling
        await signalling.turn()
        first = signalling.account.segments
        assert sum(segment.startswith("channel=") for segment in first) == 4
        assert {"product=p0", "product=p1"} < set(first)
        await collector.send(*orders(100, 30, "more", channel=channels, product=products))
        await signalling.turn()
        assert signalling.account.segments == first
        kept = accounted(collector)
        assert all((array.cumsum(axis=-1) >= 0).all() for array in kept[:2])
        places = {name: 1 + place for place, name in enumerate(sorted(first))}
        again = await accounted_again(collector)
        now = {name: 1 + place for place, name in enumerate(sorted(collector.service.signalling.account.segments))}
        shared = sorted(places.keys() & now.keys())
        assert {"product=p0", "product=p1"} <= set(shared)
        for one, other in zip(kept, again, strict=True):
            assert np.array_equal(one[:, 0], other[:, 0])
            for name in shared:
                assert np.array_equal(one[:, places[name]], other[:, now[name]]), name


async def _decide(collector: Live, begin_h: int, hours: int) -> None:
    begin = START + begin_h * HOUR
    period = {"begin": begin.isoformat(), "end": (begin + hours * HOUR).isoformat(), "why": "so it was"}
    answer = await collector.client.post("/reference", json=period)
    assert answer.status_code == httpx.codes.CREATED, answer.text


async def test_a_reference_knows_the_commonest_segments_not_the_first(tmp_path: Path) -> None:
    """The typos of the first day keep their seats until then; what a reference tests keeps its own in a restart."""
    clock = Clock(START + 2_000 * HOUR)
    settings = live.settings(tmp_path, signals_seconds=FAR)
    async with running(settings, clock) as collector:
        signalling = collector.service.signalling
        await collector.send(*(event(f"t{n}", "NEW", n * 0.1, channel=f"typo{n}") for n in range(10)))
        await signalling.turn()
        assert len(signalling.account.segments) == MOST_SEGMENTS
        await collector.send(*orders(3, 280, "o", channel=["b2b", "shop"]))
        await signalling.turn()
        assert "channel=b2b" not in signalling.account.segments
        await _decide(collector, 0, 840)
        assert {"channel=b2b", "channel=shop"} < set(signalling.account.segments)
        reference = signalling.reference
        assert reference is not None
        tested = np.isfinite(reference.limits[0]).any(axis=0)
        known = {segment for segment, some in zip(reference.segments, tested, strict=True) if some}
        assert known == {"all", "channel=b2b", "channel=shop"}
        await collector.send(*orders(900, 240, "new", channel=[f"new{n}" for n in range(12)]))
    async with running(settings, clock) as collector:
        signalling = collector.service.signalling
        await signalling.turn()
        segments = signalling.account.segments
        assert {"channel=b2b", "channel=shop"} < set(segments)
        assert sum(segment.startswith("channel=new") for segment in segments) == MOST_SEGMENTS - 2
        told = await collector.metrics()
        name = 'touchstone_stage_reference_departures{segment="channel=b2b",stage="making"}'
        assert told[name] == reference.departures[1, reference.segments.index("channel=b2b")]


async def test_the_first_reference_chooses_the_segments_anew(tmp_path: Path) -> None:
    promise = DEFAULT_PROMISE.read_text(encoding="utf-8")
    end = MONDAY + timedelta(days=90)
    messages = [
        message for message in cloudevents(simulate(Scenario(90, 6, 3, ()))) if message["time"] < end.isoformat()
    ]
    typos = [
        {
            **messages[0],
            "id": f"typo{n}",
            "subject": f"typo{n}",
            "data": {"status": "SUBMITTED", "order": {"channel": f"t{n}"}},
        }
        for n in range(10)
    ]
    async with running(live.settings(tmp_path, promise=promise, signals_seconds=FAR), Clock(end)) as collector:
        signalling = collector.service.signalling
        await collector.send(*typos)
        await signalling.turn()
        assert signalling.account.segments == tuple(f"channel=t{n}" for n in range(MOST_SEGMENTS))
        for begin in range(0, len(messages), 5_000):
            await collector.send(*messages[begin : begin + 5_000])
        for _ in range(5):
            await signalling.turn()
        assert signalling.reference is not None
        assert signalling.reference.segments == ("all", *signalling.account.segments)
        channels = {f"channel={message['data']['order']['channel']}" for message in messages}
        assert channels < set(signalling.account.segments)
        for channel in channels:
            assert signalling.reference.departures[:-1, signalling.reference.segments.index(channel)].all()
