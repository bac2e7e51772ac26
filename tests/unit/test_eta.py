"""When orders in flight will be ready, from how long orders like them still took."""

from __future__ import annotations

import numpy as np
import pytest

from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from
from collectors.stages.eta import AT_RISK, FEWEST, LATE, ON_TRACK, History, risks
from collectors.timelines.batch import EventBatch
from collectors.timelines.codebook import Codebook
from collectors.timelines.judging import Judged, judge
from collectors.timelines.measuring import measure_stretches
from tests.live import PROMISE

HOUR = 3_600_000_000
BOOK = Codebook(promise_from(parse_document(PROMISE), "promise"))
PAYMENT, MAKING, CUSTOMER = 0, 1, 2


def finished(*orders: tuple[float, float, float], end: str = "SENT") -> Judged:
    """Judge orders that were so many hours in payment, making and packing."""
    statuses = [BOOK.code_of[status] for status in ("NEW", "PAID", "MADE", end)]
    at = np.array([np.cumsum([0, *hours]) for hours in orders]) * HOUR
    order = np.repeat(np.arange(len(orders)), len(statuses))
    batch = EventBatch(order, at.astype(np.int64).ravel(), np.tile(statuses, len(orders)).astype(np.int64))
    measured, _ = measure_stretches(batch, BOOK)
    return judge(measured, BOOK, int(at.max()), np.full(len(orders), 8 * HOUR))


def ages(*hours: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return (np.array(hours) * HOUR).astype(np.int64)


def test_what_remains_is_what_remained_to_orders_that_were_longer_there() -> None:
    history = History(BOOK)
    history.add(finished(*[(hours, 1, 2) for hours in range(1, 101)]))
    p50, p90 = history.remaining(PAYMENT, ages(0, 40))
    expected = [np.percentile(np.arange(1, 101) + 3, [50, 90]), np.percentile(np.arange(41, 101) + 3 - 40, [50, 90])]
    assert p50 / HOUR == pytest.approx([expected[0][0], expected[1][0]])
    assert p90 / HOUR == pytest.approx([expected[0][1], expected[1][1]])


def test_where_few_were_that_long_all_that_were_there_speak() -> None:
    history = History(BOOK)
    history.add(finished(*[(hours, 1, 2) for hours in range(1, 101)]))
    p50, p90 = history.remaining(PAYMENT, ages(95))
    # Of the hundred, ninety-five would have left by now, and have three hours to go.
    assert (p50[0] / HOUR, p90[0] / HOUR) == (3, 3)
    assert history.remaining(PAYMENT, ages(1_000))[0][0] == 3 * HOUR


def test_without_enough_orders_budgets_speak() -> None:
    history = History(BOOK)
    history.add(finished(*[(5, 5, 5)] * (FEWEST - 1)))
    p50, p90 = history.remaining(MAKING, ages(1, 9))
    assert (p50 / HOUR).tolist() == (p90 / HOUR).tolist() == [4, 2]
    history.add(finished((5, 5, 5)))
    assert history.remaining(MAKING, ages(1))[0][0] == 9 * HOUR


def test_off_the_main_line_the_last_status_on_it_says_what_lies_ahead() -> None:
    p50, _ = History(BOOK).remaining(CUSTOMER, ages(1, 1), np.array([0.0, 1.0]))
    assert (p50 / HOUR).tolist() == [5, 2]


def test_memory_is_bounded_and_keeps_the_most_recent() -> None:
    history = History(BOOK, kept=30)
    for hours in (1, 2, 3):
        history.add(finished(*[(hours, hours, hours)] * 20))
    inside, rest = history.sample(PAYMENT)
    assert (inside / HOUR).tolist() == [2] * 10 + [3] * 20
    assert (rest / HOUR).tolist() == [4] * 10 + [6] * 20


def test_orders_that_have_not_ended_teach_nothing() -> None:
    history = History(BOOK)
    history.add(finished((1, 1, 1), end="PACKED"))
    assert len(history.sample(PAYMENT)[0]) == 0


def test_the_same_orders_give_the_same_answer() -> None:
    one, other = History(BOOK, kept=50), History(BOOK, kept=50)
    orders = [(float(place % 7), float(place % 5), 1.0) for place in range(120)]
    one.add(finished(*orders))
    for first in range(0, 120, 10):
        other.add(finished(*orders[first : first + 10]))
    assert np.array_equal(one.remaining(MAKING, ages(0, 2)), other.remaining(MAKING, ages(0, 2)))


def test_risk_is_what_p50_and_p90_say_of_the_promise() -> None:
    promise = np.array([10, 10, 10, 4, 10, 10])
    p50, p90 = np.array([4, 5, 6, 0, 5, 4]), np.array([5, 6, 7, 0, 5, 6])
    found = risks(promise, 5, p50, p90)
    assert found.tolist() == [ON_TRACK, AT_RISK, LATE, LATE, ON_TRACK, AT_RISK]


@pytest.mark.parametrize("seed", range(20))
def test_what_remains_is_what_numpy_says_sample_by_sample(seed: int) -> None:
    """To the microsecond, for ages short and long, whether many samples or few or none were that long."""
    chance = np.random.default_rng(seed)
    count = int(chance.integers(FEWEST, 400))
    scale = 10.0 ** chance.integers(0, 12)
    stages = np.round(chance.exponential(scale, (count, 3))).astype(np.int64)
    history = History(BOOK)
    history.add(finished(*(stages / HOUR).tolist()))
    inside, rest = history.sample(PAYMENT)
    age = np.concatenate([chance.choice(inside, 60), np.round(chance.exponential(2 * scale, 200)).astype(np.int64)])
    expected = []
    for one in age.tolist():
        beyond = inside > one
        if beyond.sum() >= FEWEST:
            expected.append(np.percentile((inside + rest)[beyond], [50, 90]) - one)
        else:
            expected.append(np.percentile(np.maximum(inside - one, 0) + rest, [50, 90]))
    told = np.array(expected).astype(np.int64).T
    assert np.array_equal(history.remaining(PAYMENT, age), told)
