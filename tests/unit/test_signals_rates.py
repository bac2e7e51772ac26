"""The model of how fast orders leave: it finds what it was made from, and does not mistake a crowd for a slow-down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collectors.signals.ledger import AGES, WEEK_H
from collectors.signals.rates import Flow, fit_rates

HOURS = 8 * WEEK_H
SLOT = np.arange(HOURS) % WEEK_H


def flow(time: np.ndarray, departures: np.ndarray) -> Flow:
    """Return the flow of one stage without segments: time and departures [AGES, n]."""
    return stages([time], [departures])


def stages(times: list[np.ndarray], departures: list[np.ndarray], **more: object) -> Flow:
    """Return the flow of some stages without segments, in which as many are inside when an hour begins as during it."""
    time, left = np.stack(times)[:, np.newaxis], np.stack(departures)[:, np.newaxis]
    parts = {"ahead": np.zeros((len(times), time.shape[-1]), dtype=np.int64)} | more
    slot, spent = SLOT[: time.shape[-1]], time.sum(axis=2)
    there = np.ceil(spent).astype(np.int64)
    return Flow(exposed=time, began=time[:, 0], departures=left, spent=spent, slot=slot, there=there, **parts)  # type: ignore[arg-type]


def segments(exposed: np.ndarray, departures: np.ndarray) -> Flow:
    """Return the flow of one stage with segments [1, G, AGES, n]."""
    ahead = np.zeros((1, HOURS), dtype=np.int64)
    spent = exposed.sum(axis=2)
    return Flow(exposed, exposed[:, 0], departures, spent, ahead, SLOT, np.ceil(spent).astype(np.int64))


def spread(values: np.ndarray) -> np.ndarray:
    """Spread values [n] over the first four ages, equally."""
    found = np.zeros((AGES, len(values)))
    found[:4] = values / 4
    return found


def test_the_expected_departures_of_the_reference_are_those_seen() -> None:
    """Whatever the profile, the sums agree; thin evidence draws them towards the mean by a few departures."""
    rng = np.random.default_rng(1)
    inside = rng.poisson(30, HOURS)
    rate = 0.02 * (1 + np.sin(SLOT / 24 * 2 * np.pi))
    seen = rng.poisson(spread(inside) * rate)
    one = flow(spread(inside), seen)
    assert fit_rates(one).expected(one).sum() == pytest.approx(seen.sum(), rel=0.02)


def test_ages_and_hours_of_the_week_are_told_apart() -> None:
    """Orders leave in the second half of the week only, old ones three times as fast."""
    inside = np.full(HOURS, 40)
    rate = np.zeros((AGES, HOURS))
    rate[0], rate[1:4] = 0.05, 0.15
    rate[:, SLOT < 84] = 0
    seen = np.random.default_rng(2).poisson(spread(inside) * rate)
    rates = fit_rates(flow(spread(inside), seen))
    assert rates.age[0, 0, 1] / rates.age[0, 0, 0] == pytest.approx(3, rel=0.15)
    assert rates.slot[0, 0, :72].max() < 0.2 * rates.slot[0, 0, 96:].min()


def test_an_age_that_was_never_seen_is_like_the_one_before() -> None:
    """Who is of an age at which nobody was leaves as fast as those a bit younger, not as the mean of all."""
    time = np.zeros((AGES, HOURS))
    time[0], time[3] = 40, 40
    seen = np.random.default_rng(9).poisson(time * np.where(np.arange(AGES) == 3, 0.12, 0.02)[:, np.newaxis])
    age = fit_rates(flow(time, seen)).age[0, 0]
    assert age[3] / age[0] == pytest.approx(6, rel=0.15)
    assert age[4:] == pytest.approx(age[3], rel=1e-6)


def _served(capacity: float, wip: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return time and departures of a queue that a fixed number leave per hour, however long it is."""
    time = spread(wip)
    share = np.divide(time, wip, out=np.zeros_like(time), where=wip > 0)
    return time, np.random.default_rng(seed).poisson(capacity * share)


def _days(rng: np.random.Generator, low: int, high: int) -> np.ndarray:
    """Return a number inside for each hour that stays the same for a day."""
    return np.repeat(rng.integers(low, high, HOURS // 24), 24)


def test_where_a_fixed_number_is_served_a_crowd_is_no_slow_down() -> None:
    """Fitted on queues of 10 to 40, a queue of 200 is expected to let go as many an hour as ever."""
    wip = _days(np.random.default_rng(4), 10, 41)
    rates = fit_rates(flow(*_served(3.0, wip, 5)))
    crowd = flow(*_served(3.0, np.full(HOURS, 200), 6))
    assert rates.expected(crowd).mean() == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize("times", [2**-0.5, 1.0, 2**0.5])
def test_the_capacity_that_holds_a_crowd_up_is_found(times: float) -> None:
    """Of a load L, L / sqrt(1 + (L / capacity)^2) leave: the capacity, by the mean load, is found to a tenth."""
    rng = np.random.default_rng(21)
    wip = _days(rng, 10, 400)
    load = 0.02 * wip
    capacity = times * load.mean()
    time = spread(wip)
    left = rng.poisson(time / wip * load / np.sqrt(1 + (load / capacity) ** 2))
    rates = fit_rates(flow(time, left))
    assert rates.capacity[0] == pytest.approx(capacity, rel=0.1)
    assert rates.age[0, 0, :4] == pytest.approx(np.full(4, 0.02), rel=0.1)


@pytest.mark.parametrize(("times", "found"), [(0.5, 2**0.5), (2.0, 2.0)])
def test_a_queue_whose_work_is_known_is_held_by_a_capacity_of_its_own_beyond_its_usual_load_only(
    times: float, found: float
) -> None:
    """The work after it says what a smaller one would: the smallest looked for is the root of two mean loads."""
    rng = np.random.default_rng(1)
    wip = _days(rng, 10, 400)
    load = 0.02 * wip
    waiting, working = spread(wip), spread(np.full(HOURS, 3))
    left = rng.poisson(waiting / wip * load / np.sqrt(1 + (load / (times * load.mean())) ** 2))
    ahead = np.stack([np.full(HOURS, 3), np.zeros(HOURS, dtype=np.int64)])
    rates = fit_rates(stages([waiting, working], [left, rng.poisson(working * 0.5)], ahead=ahead, queues=((0, 1),)))
    assert rates.capacity[0] / (rates.age[0, 0] @ waiting).mean() == pytest.approx(found)


def test_capacity_hours_and_a_segment_are_told_apart() -> None:
    """From noon on two fifths get done of what is done before; a third of the orders, a segment, leave half as fast."""
    rng = np.random.default_rng(24)
    wip = _days(rng, 10, 400)
    load, pace = 0.02 * wip, np.where(SLOT % 24 < 12, 1.0, 0.4)
    held = pace / np.sqrt(1 + (load / load.mean()) ** 2)
    third = spread(wip / 3)
    own, rest = rng.poisson(third * 0.012 * held), rng.poisson(2 * third * 0.024 * held)
    one = segments(np.stack([3 * third, third])[np.newaxis], np.stack([own + rest, own])[np.newaxis])
    rates = fit_rates(one)
    slot = rates.slot[0, 0].reshape(7, 24)
    assert rates.capacity[0] * slot[:, :12].mean() == pytest.approx(load.mean(), rel=0.12)
    assert slot[:, 12:].mean() / slot[:, :12].mean() == pytest.approx(0.4, rel=0.12)
    found = rates.expected(one)[0, :, wip > 300]
    assert found.sum(axis=0) == pytest.approx(one.departures[0, :, :, wip > 300].sum(axis=(0, 2)), rel=0.03)


def test_one_stage_that_holds_orders_up_makes_a_crowded_house() -> None:
    rng = np.random.default_rng(22)
    wip = _days(rng, 10, 41)
    queue, left = _served(3.0, wip, 23)
    alone = spread(wip)
    rates = fit_rates(stages([alone, queue], [rng.poisson(0.05 * alone), left]))
    assert np.isfinite(rates.capacity).tolist() == [False, True]
    assert rates.crowded
    assert not fit_rates(flow(alone, rng.poisson(0.05 * alone))).crowded


def test_where_orders_move_independently_a_crowd_leaves_faster() -> None:
    """Fitted on 10 to 40 inside, no capacity is found, and 80 inside are expected to leave twice as fast as 40."""
    rng = np.random.default_rng(7)
    time = spread(_days(rng, 10, 41))
    rates = fit_rates(flow(time, rng.poisson(0.05 * time)))
    assert rates.capacity[0] == np.inf
    crowd = spread(np.full(HOURS, 80))
    assert rates.expected(flow(crowd, crowd)).mean() == pytest.approx(4.0, rel=0.1)


def _queue_and_work(wip: np.ndarray, busy: np.ndarray, *, seed: int) -> Flow:
    """Return a queue before three people who finish two orders an hour when all are busy; else a tenth leaves it."""
    rng = np.random.default_rng(seed)
    waiting, working = spread(wip), spread(busy)
    done = rng.poisson(working * 2 / 3)
    taken = rng.poisson(waiting * np.where(busy == 3, 2.0 / wip, 0.1))
    ahead = np.stack([busy, np.zeros_like(busy)])
    return stages([waiting, working], [taken, done], ahead=ahead, queues=((0, 1),))


def test_a_queue_moves_no_faster_than_the_work_that_it_waits_for() -> None:
    """All three are busy: of 100 that wait, no more are expected to leave than work is done, by a fifth."""
    rng = np.random.default_rng(10)
    busy = rng.integers(1, 4, HOURS)
    rates = fit_rates(_queue_and_work(rng.integers(10, 31, HOURS), busy, seed=11))
    assert rates.full.tolist() == [3, np.inf]
    crowd = _queue_and_work(np.full(HOURS, 100), np.full(HOURS, 3), seed=12)
    expected = rates.expected(crowd)
    assert (expected[0, 0] <= 1.2 * expected[1, 0] + 1e-9).all()
    assert expected[0, 0].mean() < 2.6


def test_nobody_is_held_where_no_number_ahead_is_usual() -> None:
    """Where the most in the work ahead is a rare chance, it is no limit."""
    rng = np.random.default_rng(13)
    busy = rng.poisson(12, HOURS)
    one = _queue_and_work(rng.integers(10, 31, HOURS), busy, seed=14)
    assert fit_rates(one).full.tolist() == [np.inf, np.inf]


def test_more_work_ahead_never_lets_orders_through_sooner() -> None:
    """The factor falls where the queue is held up, and is flat where few weeks say the contrary."""
    rng = np.random.default_rng(15)
    busy = rng.integers(0, 4, HOURS)
    waiting, working = spread(np.full(HOURS, 20)), spread(busy)
    for rate, falls in ((np.where(busy == 3, 0.02, 0.1), True), (np.where(busy == 3, 0.1, 0.02), False)):
        ahead = np.stack([busy, np.zeros_like(busy)])
        left = [rng.poisson(waiting * rate), rng.poisson(working * 0.5)]
        factor = fit_rates(stages([waiting, working], left, ahead=ahead, queues=((0, 1),))).ahead[0]
        assert (np.diff(factor) <= 0).all()
        assert (factor[-1] < 0.5 * factor[0]) == falls


def test_a_segment_has_its_own_pace_and_a_thin_one_that_of_all() -> None:
    """Segment 1 leaves half as fast as the rest, segment 2 was seen twice."""
    rng = np.random.default_rng(8)
    wip = np.full(HOURS, 30)
    whole, half, thin = spread(wip), spread(wip / 2), spread(wip / 3000)
    seen_half = rng.poisson(0.03 * half)
    seen = seen_half + rng.poisson(0.09 * half)
    departures = np.stack([seen, seen_half, np.zeros_like(seen)])[np.newaxis]
    exposed = np.stack([whole, half, thin])[np.newaxis]
    rates = fit_rates(segments(exposed, departures))
    assert rates.age[0, 1, :4].mean() / rates.age[0, 0, :4].mean() == pytest.approx(0.5, rel=0.1)
    assert rates.age[0, 2, :4].mean() / rates.age[0, 0, :4].mean() == pytest.approx(1, rel=0.25)


def test_a_segment_has_its_own_hours() -> None:
    """Segment 1 is served in the first half of the week only, as half of the orders are; the rest all week."""
    rng = np.random.default_rng(16)
    half = spread(np.full(HOURS, 30))
    own = rng.poisson(half * np.where(SLOT < 84, 0.1, 0.0))
    departures = np.stack([own + rng.poisson(half * 0.05), own])[np.newaxis]
    exposed = np.stack([2 * half, half])[np.newaxis]
    one = segments(exposed, departures)
    expected = fit_rates(one).expected(one)[0, 1]
    assert expected[SLOT >= 84].sum() < 0.1 * expected[SLOT < 84].sum()


def test_nobody_leaves_twice() -> None:
    """The shop opens on Mondays only, and nearly all who wait go then: of 80 no more than 80 are expected."""
    rng = np.random.default_rng(17)
    waiting = np.zeros((AGES, HOURS))
    waiting[10] = _days(rng, 2, 41)
    opening = SLOT == 8
    left = np.where(opening, rng.binomial(waiting.astype(np.int64), 0.95), 0)
    rates = fit_rates(flow(waiting, left))
    crowd = np.zeros((AGES, HOURS))
    crowd[10] = 80
    expected = rates.expected(flow(crowd, left))[0, 0]
    assert 70 < expected[opening].mean() < 80
    assert expected[~opening].max() < 1


def test_short_visits_are_no_crowd() -> None:
    """One order at a time: who stays longer in an hour leaves it less often, and that is no capacity."""
    rng = np.random.default_rng(18)
    stay = rng.exponential(0.5, HOURS)
    time = np.zeros((AGES, HOURS))
    time[0] = np.minimum(stay, 1)
    left = np.zeros((AGES, HOURS), dtype=np.int64)
    left[0] = stay < 1
    one = flow(time, left)
    began = np.zeros((1, AGES, HOURS))
    rates = fit_rates(replace(one, began=began))
    assert rates.capacity.tolist() == [np.inf]
    assert rates.age[0, 0, 0] == pytest.approx(2, rel=0.1)


def test_one_that_is_stuck_in_a_stage_of_seconds_is_one_order() -> None:
    """Four an hour leave within half a minute: one that stays for half an hour is no sixty that should have left."""
    rng = np.random.default_rng(20)
    came = rng.poisson(4, HOURS)
    time, left = np.zeros((2, AGES, HOURS))
    time[0], left[0] = rng.gamma(np.maximum(came, 1e-9), 1 / 120), came
    one = flow(time, left.astype(np.int64))
    rates = fit_rates(replace(one, began=np.zeros((1, AGES, HOURS)), there=came[np.newaxis, np.newaxis]))
    assert rates.age[0, 0, 0] == pytest.approx(120, rel=0.1)
    stuck = np.zeros((AGES, HOURS))
    stuck[0, 100] = 0.5
    alone = replace(flow(stuck, left.astype(np.int64)), began=np.zeros((1, AGES, HOURS)))
    assert rates.expected(alone)[0, 0, 100] == pytest.approx(3)


def test_hours_that_differ_by_chance_alone_are_drawn_together() -> None:
    """Five a day at any hour: no hour of the week is taken for a faster one; where shifts are real, all of them are."""
    rng = np.random.default_rng(19)
    inside = spread(np.full(HOURS, 4))
    even = fit_rates(flow(inside, rng.poisson(inside * 0.05))).slot[0, 0]
    assert even == pytest.approx(np.ones(WEEK_H), abs=0.1)
    shifts = fit_rates(flow(inside, rng.poisson(inside * np.where(SLOT % 24 < 8, 0.15, 0.0)))).slot[0, 0]
    assert shifts.reshape(7, 24)[:, 8:].max() < 0.1 * shifts.reshape(7, 24)[:, :8].min()


@pytest.mark.parametrize("left", [0, 1])
def test_a_stage_in_which_nobody_ever_was_expects_next_to_nothing(left: int) -> None:
    """No division by nothing, no infinite rates: nobody came, or all left as they came."""
    nothing = np.zeros((AGES, HOURS))
    seen = nothing.astype(np.int64)
    seen[0] = left
    empty = flow(nothing, seen)
    rates = fit_rates(empty)
    assert rates.expected(empty).sum() == 0
    assert np.isfinite(rates.age).all()
