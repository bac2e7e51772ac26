"""What a reference says of a stage and a segment that it does not know, figure by figure, and when it is outdated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collectors.signals.carried import carried, outdated, stage_places
from collectors.signals.ledger import AGES, WEEK_H
from collectors.signals.rates import AHEAD, Rates
from collectors.signals.scope import Scope
from tests.unit import test_signals_flow

SCOPE = Scope(("checking", "making"), ("all", "b2b"), np.array([-1, -1]), np.zeros(2, dtype=np.bool_))
KNOWN = replace(
    test_signals_flow.reference(5),
    rates=Rates(
        age=np.full((2, 2, AGES), 7.0),
        slot=np.full((2, 2, WEEK_H), 7.0),
        ahead=np.full((2, AHEAD), 7.0),
        edges=np.full((2, AHEAD - 1), 7.0),
        full=np.full(2, 7.0),
        capacity=np.full(2, 7.0),
    ),
)


def test_of_a_stage_and_a_segment_that_it_does_not_know_it_says_that_nothing_ever_left() -> None:
    """Rates of nothing without a capacity, no mean, no ages, no limit; what it knows is beside it as it was."""
    scope = replace(SCOPE, stages=("new", "making"), segments=("all", "b2b", "shop"))
    found = carried(KNOWN, scope)
    assert found is not None
    rates = found.rates
    plain = (
        (rates.age.max(axis=2), 0, 7),
        (rates.slot.max(axis=2), 1, 7),
        (rates.slot.min(axis=2), 1, 7),
        (found.limits[0], np.inf, 1),
        (found.limits[1], np.inf, 1),
        (found.mean_h, 0, 1),
        (found.busiest, 0, 5),
    )
    for values, nothing, known in plain:
        assert values.tolist() == [[nothing] * 3, [known, known, nothing]]
    for of_stages, nothing in ((rates.ahead, 1), (rates.edges, 0)):
        assert of_stages.tolist() == [[nothing] * of_stages.shape[1], [7] * of_stages.shape[1]]
    assert rates.full.tolist() == rates.capacity.tolist() == [np.inf, 7]
    assert found.departures.tolist() == [[0, 0, 0], [20, 10, 0]]
    assert np.isnan(found.age_h[:, 0]).all()
    assert np.isnan(found.age_h[:, 1, 2]).all()
    assert found.age_h[:, 1, :2].tolist() == KNOWN.age_h[:, 1].tolist()


def test_where_no_promise_file_tells_a_reference_of_other_stages_is_outdated() -> None:
    assert not outdated(KNOWN, SCOPE)
    assert outdated(KNOWN, replace(SCOPE, stages=("checking", "packing")))


def test_a_queue_whose_work_is_known_is_known() -> None:
    assert stage_places(KNOWN, replace(SCOPE, queues=((0, 1),))).tolist() == [0, 1]
