"""Work in progress and throughput are those of counting orders one by one."""

from __future__ import annotations

from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.promise.model import PromiseFile
from collectors.report.periods import axis_of, periods_between
from collectors.stages.flow import DAY_US, DayGrid, Flow
from collectors.timelines.batch import EventBatch
from collectors.timelines.codebook import Codebook
from collectors.timelines.judging import judge
from collectors.timelines.measuring import measure_stretches
from tests.reports import PROMISE

CODEBOOK: Final = Codebook(PromiseFile.model_validate(PROMISE))
STATUSES: Final = ("NEW", "ASKED", "MADE", "SENT", "LOST", "VOID")
STAGES: Final = {"NEW": 0, "ASKED": 1, "MADE": 2, "LOST": 3, "SENT": 3, "VOID": 3}
HOUR_US: Final = DAY_US // 24
Orders = list[list[tuple[str, int]]]
LOGS: Final = st.lists(
    st.lists(st.tuples(st.sampled_from(STATUSES), st.integers(-50, 150)), min_size=1, max_size=7).map(
        lambda events: sorted(events, key=lambda event: event[1])
    ),
    min_size=1,
    max_size=6,
)
Visit = tuple[int, int, int | None]  # stage, hour entered, hour left


def visits(events: list[tuple[str, int]]) -> list[Visit]:
    """List an order's visits to stages, from its start to its end or cancellation, in the plainest way."""
    result: list[Visit] = []
    started = False
    for status, hour in events:
        if not started and status != "NEW":
            continue
        if not started or status in {"SENT", "VOID"} or STAGES[status] != result[-1][0]:
            if started:
                result[-1] = (*result[-1][:2], hour)
            if started and status in {"SENT", "VOID"}:
                return [v for v in result if status == "SENT" or v[1] < hour]
            result.append((STAGES[status], hour, None))
        started = True
    return result


def flow_of(batches: list[Orders], as_of: int) -> Flow:
    flow, number = Flow(len(CODEBOOK.stages)), 0
    for orders in batches:
        rows = [(number + n, status, hour) for n, events in enumerate(orders) for status, hour in events]
        number += len(orders)
        batch = EventBatch(
            np.array([n for n, _, _ in rows]),
            np.array([hour * HOUR_US for _, _, hour in rows]),
            np.array([CODEBOOK.code_of[status] for _, status, _ in rows]),
        )
        measured, stretches = measure_stretches(batch, CODEBOOK)
        judged = judge(measured, CODEBOOK, as_of * HOUR_US, np.full(len(measured), 10 * DAY_US))
        flow.add(judged, stretches, batch.order[batch.first])
    return flow


@settings(max_examples=300, deadline=None)
@given(orders=LOGS, cut=st.integers(0, 6))
def test_wip_and_throughput_are_those_of_counting_by_hand(orders: Orders, cut: int) -> None:
    last_day = 8
    daily = flow_of([part for part in (orders[:cut], orders[cut:]) if part], 200).daily(last_day)
    known = [visit for events in orders for visit in visits(events)]
    assert len(daily.wip) == 0 or daily.first_day == min(entered for _, entered, _ in known) // 24
    for row, day in enumerate(range(daily.first_day, daily.first_day + len(daily.wip))):
        for stage in range(len(CODEBOOK.stages)):
            inside = [
                v for v in known if v[0] == stage and v[1] < (day + 1) * 24 and (v[2] is None or v[2] >= (day + 1) * 24)
            ]
            assert daily.wip[row, stage] == len(inside)
            assert daily.entries[row, stage] == sum(v[0] == stage and v[1] // 24 == day for v in known)
            assert daily.exits[row, stage] == sum(
                v[0] == stage and v[2] is not None and v[2] // 24 == day for v in known
            )


def test_days_beyond_any_calendar_count_on_the_nearest_one() -> None:
    grid = DayGrid(1)
    grid.add(np.array([-(10**17), 0, 10**18]), 0)
    assert grid.values.sum() == 3
    assert len(grid.values) < 120_000


@given(first=st.integers(-20_000, 30_000), span=st.integers(0, 20_000))
def test_periods_cover_every_day_once_and_are_few(first: int, span: int) -> None:
    periods = periods_between(first, first + span)
    days = np.arange(first, first + span + 1)
    assert (periods.place(days) >= 0).all()
    assert (np.diff(periods.starts) > 0).all()
    assert periods.stop > first + span
    assert len(periods) <= 124  # 120 months of 31 days, begun and ended within a month
    assert len(periods.labels()) == len(periods.short_labels()) == len(periods)
    assert periods.place(np.array([periods.starts[0] - 1, periods.stop])).tolist() == [-1, -1]


def test_sums_by_period_add_up_to_those_by_day() -> None:
    grid = DayGrid(2)
    rng = np.random.default_rng(1)
    days = rng.integers(20_000, 20_400, 500)
    grid.add(days * DAY_US, rng.integers(0, 2, 500))
    assert periods_between(20_000, 20_400).sums(grid).sum() == 500


def test_a_few_orders_from_long_ago_do_not_stretch_the_axis() -> None:
    started = DayGrid(1)
    started.add(np.concatenate([np.zeros(1), np.arange(20_000, 22_000)]).astype(np.int64) * DAY_US, 0)
    assert axis_of([started], 22_000).starts[0] > 19_900
