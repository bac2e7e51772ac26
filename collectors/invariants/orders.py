"""Invariants of single orders: what is stored of them agrees with their events, and with itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.live import store
from collectors.live.model import shown
from collectors.live.rows import COLUMNS
from collectors.timelines.judging import BROKEN, OPEN
from collectors.timelines.measuring import NEVER, NOWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.invariants.model import House
    from collectors.live.model import EventRow, Timelines
    from collectors.live.reports import Picture

ORDERS_AT_ONCE: Final = 20_000
SECOND: Final = 1_000_000
_NUMBER, _NAME = COLUMNS.index("number"), COLUMNS.index("name")
_STAGE, _FROM = COLUMNS.index("tail_stage"), COLUMNS.index("tail_from")


async def one_current_status(house: House) -> list[str]:
    """Check the next orders in flight: by its events each is in one status now, and that is the one stored."""
    async with house.collector.database.reading() as connection:
        rows = await store.in_flight_after(connection, house.checked_to, ORDERS_AT_ONCE)
        events = await store.events_of(connection, [row[_NUMBER] for row in rows])
    # The next check goes on from here, so that a large house is checked in turns.
    house.checked_to = rows[-1][_NUMBER] if len(rows) == ORDERS_AT_ONCE else 0
    return await asyncio.to_thread(_current_statuses, house.collector.timelines, rows, events)


def _current_statuses(timelines: Timelines, rows: Sequence[Any], events: Sequence[EventRow]) -> list[str]:
    lined = timelines.line_up(events)
    measured, stretches, moving = lined.line.measured, lined.line.stretches, lined.line.moving
    numbers = moving.order[moving.first][stretches.row[~stretches.closed]]
    running = dict(zip(*np.unique(numbers, return_counts=True), strict=True))
    ends = dict(
        zip(
            measured.order.tolist(),
            zip(measured.tail_stage.tolist(), measured.tail_from.tolist(), strict=True),
            strict=True,
        )
    )
    found = []
    for row in rows:
        stage, since = ends.get(row[_NUMBER], (NOWHERE, NEVER))
        statuses = int(running.get(row[_NUMBER], 0))
        if statuses != 1:
            found.append(f"order {row[_NAME]} is in {statuses} statuses by its events, and in flight as stored")
        elif (stage, since) != (row[_STAGE], row[_FROM]):
            found.append(
                f"order {row[_NAME]} is stored in {_stage(timelines, row[_STAGE])}, its events say "
                f"{_stage(timelines, stage)} since {shown(since)}"
            )
    return found


def _stage(timelines: Timelines, stage: int) -> str:
    return "no stage" if stage == NOWHERE else timelines.codebook.stages[stage]


async def stage_sum_equals_age(house: House) -> list[str]:
    """Check that the times in the stages of each order in flight add up to its age, to the microsecond."""
    picture = await house.reports.picture()
    return await asyncio.to_thread(_sums, picture)


def _sums(picture: Picture) -> list[str]:
    judged = picture.judged
    started = judged.measured.start
    running = np.isin(judged.verdict, (OPEN, BROKEN)) & (started <= picture.as_of)
    total, age = judged.stage_us.sum(axis=1), picture.as_of - started
    return [
        f"order {picture.names[place]} is {age[place] / SECOND:.6f} s old, and its stages add up to "
        f"{total[place] / SECOND:.6f} s"
        for place in np.flatnonzero(running & (total != age)).tolist()
    ]
