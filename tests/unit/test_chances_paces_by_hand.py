"""Paces, computed by hand: of up to three departures nothing is learnt of the week or the law, so both are known.

The law is then the one of the promise file: exponential, of half the budget in the mean.
"""

from __future__ import annotations

import numpy as np
import pytest

from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from
from collectors.signals.flights import ENDED, INSIDE, Visits
from collectors.signals.learning import Flow, learn_flow
from collectors.signals.stays import HOUR_US, WEEK_US
from collectors.timelines.codebook import Codebook
from collectors.timelines.measuring import NEVER
from tests.live import PROMISE
from tests.unit.test_chances_learning import BOOK, DAY_US, MAKING, PAYMENT, T0, many_visits

NOW = T0 + 60 * WEEK_US
SLOWEST = 8.0  # and quickest is one eighth
# A pace is sought step by step: of three departures it is found to 1e-5, of one to 1e-3.

Stay = tuple[float, float | None, tuple[int, ...]]  # hours before now of entering and leaving; values


def taught(stage: int, *stays: Stay, book: Codebook = BOOK) -> Flow:
    """Return what orders teach that were in one stage only."""
    entered = np.array([NOW - round(begin * HOUR_US) for begin, _, _ in stays])
    left = np.array([NEVER if end is None else NOW - round(end * HOUR_US) for _, end, _ in stays])
    count = len(stays)
    visits = Visits(
        order=np.arange(count),
        stage=np.full(count, stage),
        again=np.zeros(count, dtype=np.bool_),
        entered=entered,
        left=left,
        then=np.where(left == NEVER, INSIDE, ENDED),
        promised=entered + DAY_US,
        values=np.array([values for _, _, values in stays], dtype=np.int64).reshape(count, -1),
    )
    return learn_flow(visits, book, NOW)


def believed(pace: float, departed: float, lean: float) -> float:
    """Return a pace seen over so many departures, as it is believed: half of it, in logarithms, at ``lean`` of them."""
    return float(np.clip(pace, 1 / SLOWEST, SLOWEST) ** (departed / (departed + lean)))


def test_the_pace_of_a_segment_is_hours_inside_over_departures_in_means_believed_half_at_eight() -> None:
    """Three left after 1, 2 and 3 hours and one waits since 1: seven hours, fourteen departures awaited, three seen.

    Nobody of the second value has left, which tells nothing; those without a value go at the pace of all.
    """
    stays = [(1.0, 0.0, (0,)), (2.0, 0.0, (0,)), (3.0, 0.0, (0,)), (1.0, None, (0,))]
    table = taught(PAYMENT, *stays, (6.0, None, (1,)), (9.0, None, (-1,))).segment_pace[0]
    assert table[PAYMENT] == pytest.approx([believed(14 / 3, 3, 8), 1.0, 1.0], rel=1e-5)
    assert (table[MAKING] == 1.0).all()


def test_orders_without_a_value_go_at_the_pace_of_all_however_slow_they_are() -> None:
    table = taught(PAYMENT, *[(5.0, 0.0, (-1,))] * 2, (0.5, 0.0, (0,))).segment_pace[0]
    assert table[PAYMENT] == pytest.approx([1.0, 1.0], rel=1e-5)


def test_what_happened_eight_weeks_ago_counts_half_in_hours_and_in_departures() -> None:
    ago = 56 * 24.0
    stays = [(3.0, 0.0, (0,)), (ago + 1.0, ago, (0,)), (ago + 2.0, ago, (0,))]
    table = taught(PAYMENT, *stays).segment_pace[0]
    assert table[PAYMENT, 0] == pytest.approx(believed((3 + 0.5 + 1) / 0.5 / 2, 2, 8), rel=1e-3)


@pytest.mark.parametrize(("hours", "pace"), [(20.0, SLOWEST), (0.01, 1 / SLOWEST)])
def test_no_segment_is_taken_to_be_more_than_eight_times_slower_or_quicker(hours: float, pace: float) -> None:
    table = taught(PAYMENT, *[(hours, 0.0, (0,))] * 3).segment_pace[0]
    assert table[PAYMENT, 0] == pytest.approx(believed(pace, 3, 8), rel=1e-5)


def test_attributes_of_different_orders_have_paces_of_their_own() -> None:
    """The first is known of slow orders, the second of quick ones."""
    slow, quick = [(1.5, 0.0, (0, -1))] * 2, [(0.1, 0.0, (-1, 0))]
    tables = taught(PAYMENT, *slow, *quick).segment_pace
    assert tables[0][PAYMENT, 0] == pytest.approx(believed(3.0, 2, 8), rel=1e-3)
    assert tables[1][PAYMENT, 0] == pytest.approx(believed(0.2, 1, 8), rel=1e-3)


def test_attributes_that_go_together_share_what_nothing_tells_apart() -> None:
    """Each is believed to make what the other leaves: w of it, of which w is left to it; so w / (1 + w) each."""
    tables = taught(PAYMENT, *[(2.0, 0.0, (0, 0))] * 3).segment_pace
    share = believed(4.0, 3, 8) ** (1 / (1 + 3 / 11))
    assert [table[PAYMENT, 0] for table in tables] == pytest.approx([share, share], rel=1e-3)


def test_the_present_pace_is_hours_of_three_weeks_over_departures_in_means_believed_half_at_sixteen() -> None:
    """Who came before these weeks counts from their begin; who left by then, not at all; who is inside, until now.

    Ten hours, two and five, and three of who waits: twenty, of 1.5 in the mean, and three left.
    """
    begin = 21 * 24.0
    stays = [(begin + 30.0, begin - 10.0), (2.0, 0.0), (6.0, 1.0), (3.0, None), (begin + 5.0, begin)]
    found = taught(MAKING, *[(*stay, ()) for stay in stays])
    assert found.pace[MAKING] == pytest.approx(believed(20 / 1.5 / 3, 3, 16), rel=1e-5)
    assert found.pace[PAYMENT] == 1.0
    assert found.segment_pace == ()


def test_the_present_pace_of_a_stage_is_what_its_segments_do_not_explain() -> None:
    """Hours count less by as much as the orders' segments are slow, each attribute by its own part."""
    tables = (found := taught(MAKING, *[(9.0, 0.0, (0, -1))] * 2, (2.0, 0.0, (-1, 0)))).segment_pace
    slow, other = believed(6.0, 2, 8), believed(2 / 1.5, 1, 8)
    assert (tables[0][MAKING, 0], tables[1][MAKING, 0]) == pytest.approx((slow, other), rel=1e-3)
    assert found.pace[MAKING] == pytest.approx(believed((18 / slow + 2 / other) / 1.5 / 3, 3, 16), rel=1e-3)


def test_a_budget_of_nothing_plans_an_hour_as_none_does() -> None:
    none = Codebook(promise_from(parse_document(PROMISE.replace("budget: 1h", "budget: 0h")), "promise"))
    assert none.budget_us[PAYMENT] == 0
    law = learn_flow(Visits.none(1), none, NOW).laws[2 * PAYMENT]
    assert law.cumulative(np.array([1.0, 3.0])) == pytest.approx([1.0, 3.0])


@pytest.mark.parametrize(("end", "ahead"), [("MADE", None), ("PACKED", 3), ("last", 3)])
def test_the_main_line_leads_on_to_stages_before_the_end_of_the_promise(end: str, ahead: int | None) -> None:
    """A stage that begins where the promise ends is not ahead; one off the main line never is."""
    book = Codebook(promise_from(parse_document(PROMISE.replace("to: SENT", f"to: {end}")), "promise"))
    leads = learn_flow(Visits.none(1), book, NOW).leads
    states = 2 * len(book.stages)
    assert leads[2 * MAKING].tolist() == np.eye(states + 2)[states if ahead is None else 2 * ahead].tolist()
    assert leads[2 * 3, states] == 1.0


def test_a_pace_is_found_where_nearly_all_leave_at_the_same_age() -> None:
    """Two weeks of half as long again among three: an estimate that stepped too far would swing past it for ever."""
    stay = np.random.default_rng(7).weibull(2.7, 8_000) * 20
    history = many_visits(np.where(np.arange(8_000) < 8_000 - 15 * 24, stay, 1.5 * stay))
    assert learn_flow(history, BOOK, int(history.entered[-1])).pace[0] == pytest.approx(1.25, abs=0.05)
