"""What the adapter shows of the vendor: the calls that are owed, and how long its journal could not be read."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from services.contract import CRM, SHOP, Status
from services.mes.metrics import VENDOR_FEED_AGE, VENDOR_OLDEST, VENDOR_OWED
from services.resilience.client import Unreachable
from tests.mes import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mes import Room


async def shown(room: Room) -> tuple[float | None, float | None, float | None]:
    """Return how many calls are owed, since how many seconds, and how old the last reading of the journal is."""
    await room.service.watch.look()
    registry = room.service.telemetry.registry
    owed, oldest, age = (registry.get_sample_value(name) for name in (VENDOR_OWED, VENDOR_OLDEST, VENDOR_FEED_AGE))
    return owed, oldest, age


async def follow(room: Room) -> None:
    """Try to read the journal once."""
    with contextlib.suppress(Unreachable):
        await room.service.follower.step()


async def test_nothing_is_owed_and_the_journal_was_just_read_where_all_is_well(tmp_path: Path) -> None:
    async with running(tmp_path, pricing_seconds=0) as room:
        await room.released()
        assert await shown(room) == (0, 0, 0)


async def test_nothing_is_shown_before_the_first_look(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        assert room.service.telemetry.registry.get_sample_value(VENDOR_OWED) is None


async def test_calls_to_a_vendor_that_is_away_are_counted_and_age_from_the_moment_they_were_owed(
    tmp_path: Path,
) -> None:
    """However often they are tried again; and once they are made nothing is owed."""
    async with running(tmp_path, pricing_seconds=0) as room:
        room.wire.cut = True
        await room.say(SHOP, Status.SUBMITTED, "o1")
        await room.turn()
        for minute in range(3):
            assert await shown(room) == (1, minute * 60, minute * 60)
            room.clock.advance(minutes=1)
            await room.turn()
        await room.say(SHOP, Status.SUBMITTED, "o2")
        await room.turn()
        assert await shown(room) == (2, 180, 180)
        room.wire.cut = False
        room.clock.advance(minutes=5)
        await room.turn()
        assert await shown(room) == (0, 0, 0)


async def test_the_age_counts_from_the_start_of_a_process_that_could_never_read(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        room.wire.cut = True
        room.clock.advance(minutes=7)
        await follow(room)
        assert (await shown(room))[2] == 420


async def test_a_journal_without_news_is_read_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path) as room:
        room.clock.advance(hours=9)
        await follow(room)
        room.clock.advance(seconds=3)
        assert await shown(room) == (0, 0, 3)


async def test_what_the_vendor_refused_for_good_is_not_owed_until_somebody_has_it_made_again(tmp_path: Path) -> None:
    """It is owed from then on: nobody was to be woken for it before."""
    async with running(tmp_path) as room:
        await room.say(SHOP, Status.SUBMITTED, product="x" * 101)
        await room.turn()
        room.clock.advance(hours=1)
        assert (await shown(room))[:2] == (0, 0)
        [call] = (await room.get("/vendor-calls", "riku"))["calls"]
        assert (await room.post(f"/vendor-calls/{call['number']}/retry", "riku")).is_success
        room.clock.advance(seconds=30)
        assert (await shown(room))[:2] == (1, 30)


async def test_the_calls_of_one_order_age_each_from_its_own_moment(tmp_path: Path) -> None:
    """The oldest tells; the release that waits behind it is younger."""
    async with running(tmp_path) as room:
        room.wire.cut = True
        await room.say(SHOP, Status.SUBMITTED)
        await room.turn()
        room.clock.advance(minutes=4)
        await room.say(CRM, Status.MANUFACTURING_APPROVED)
        await room.turn()
        assert (await shown(room))[:2] == (2, 240)
