"""What budgets say without a reference, by hand: what is allowed, limits, the effect of whole weeks, whose it is."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from collectors.signals import by_budget as module
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger
from collectors.signals.scope import Scope
from tests.unit.test_signals_ledger import START, ledger, visits

if TYPE_CHECKING:
    from collectors.signals.monitor import StageSignal

STAGES = ("queue", "work", "other")
BUDGETS = np.array([4 * HOUR_US, 4 * HOUR_US, -1])
SCOPE = Scope(STAGES, ("all",), BUDGETS, np.zeros(3, dtype=np.bool_), queues=((0, 1),))
GAIN, LOSS = 1 - 1 / 1.6, log(1.6)
# So many seen and allowed are (1302.75 + 0.5) / (1002 + 0.5) = 1.3, to the last digit.
SEEN, ALLOWED = 1_002, 1_302.75


class Came:
    """A ledger into which an order comes every hour."""

    def entries(self, first: int, last: int) -> np.ndarray:
        """Return one for each stage and hour."""
        return np.ones((3, 1, last - first), dtype=np.int64)


def told(
    monkeypatch: pytest.MonkeyPatch, hours: int = WEEK_H, **stages: dict[int, tuple[float, int]]
) -> dict[str, StageSignal]:
    """Return what is told of stages of which so much was allowed, and so many seen, in these of all hours."""
    allowed, seen = np.zeros((3, hours)), np.zeros((3, hours), dtype=np.int64)
    for stage, values in stages.items():
        for hour, (may, left) in values.items():
            allowed[STAGES.index(stage), hour], seen[STAGES.index(stage), hour] = may, left
    monkeypatch.setattr(module, "_flow", lambda *_: (allowed, seen, np.ones(hours, dtype=np.bool_)))
    found = module.over_budget(cast("Ledger", Came()), SCOPE, START, (START + hours) * HOUR_US)
    return {one.stage: one for one in found}


def test_allowed_are_hours_inside_over_the_budget_and_nobody_counts_without_one_or_in_maintenance() -> None:
    """Three at work, of four hours each; one leaves after half an hour, and one within the maintenance."""
    found = ledger(visits((1, 1, 2, 11.5), (1, -1, 2, 12.5), (1, 1, 2, None), (0, 1, 2, 10.5)))
    scope = Scope(STAGES[:2], ("all", "b2b"), np.array([-1, 4 * HOUR_US]), np.zeros(2, dtype=np.bool_))
    window = (((START + 12) * HOUR_US, (START + 13) * HOUR_US),)
    allowed, seen, counted = module._flow(found, scope, START + 10, START + 14, window)  # noqa: SLF001 - the sum hides it
    assert allowed[1] == pytest.approx([3 / 4, 2.5 / 4, 0, 1 / 4])
    assert seen[1].tolist() == [0, 1, 0, 0]
    assert counted.tolist() == [True, True, False, True]
    assert (allowed[0].tolist(), seen[0].tolist()) == ([0] * 4, [0] * 4)


def test_a_limit_parts_the_share_of_pages_among_the_stages_with_a_budget_and_is_wider_for_a_queue() -> None:
    """By departures of half a year, one at least: also where no hour counts yet, or no stage has a budget."""
    seen, counts = np.zeros((3, WEEK_H), dtype=np.int64), np.ones(WEEK_H, dtype=np.bool_)
    seen[1, 7] = 2
    two, one = log(2 / 0.15), log(1 / 0.15)
    assert module._limits(seen, counts, SCOPE) == pytest.approx([4 * two, 2 * log(52 * 2 / 0.15), 2 * two])  # noqa: SLF001
    assert module._limits(0 * seen, ~counts, SCOPE) == pytest.approx([4 * two, 2 * two, 2 * two])  # noqa: SLF001
    free = replace(SCOPE, budget_us=np.full(3, -1))
    assert module._limits(0 * seen, counts, free) == pytest.approx([4 * one, 2 * one, 2 * one])  # noqa: SLF001


def test_the_effect_is_that_of_the_whole_week_with_half_a_departure_each(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, work={0: (ALLOWED, 0), 1: (0, SEEN)})
    assert found["work"].budget_ratio == pytest.approx(1.3, rel=1e-9)
    gathered = SEEN * (GAIN - LOSS / 1.6)  # in the week; more than twice the chance of pure luck
    assert found["work"].budget_evidence == pytest.approx((ALLOWED * GAIN - SEEN * LOSS) / gathered)
    assert np.isnan(found["queue"].budget_ratio)
    assert np.isnan(found["other"].budget_ratio)


def test_a_sum_that_is_back_at_zero_tells_of_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, work={0: (10, 0), WEEK_H - 1: (0, 100)})
    assert np.isnan(found["work"].budget_ratio)
    assert found["work"].budget_evidence == 0


def test_work_answers_for_its_queue_from_an_effect_of_three_tenths_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the queue a thousand were to go and nobody did; of the work 1.3 times as many as went, or a bit less."""
    queue = {0: (1_000.0, 0)}
    found = told(monkeypatch, queue=queue, work={0: (ALLOWED, 0), 1: (0, SEEN)})
    assert (found["queue"].budget_evidence, found["work"].budget_evidence) == (0.99, 2.0)
    found = told(monkeypatch, queue=queue, work={0: (ALLOWED - 0.01, 0), 1: (0, SEEN)})
    assert found["queue"].budget_evidence == 2.0
    assert 0.1 < found["work"].budget_evidence < 0.3


def test_a_queue_has_something_to_hold_against_its_work_from_an_effect_of_three_tenths_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The work has let a hundred go where 135 were to, and less against it than the queue has."""
    work = {0: (135.0, 0), 1: (0, 100)}
    own = (135 * GAIN - 100 * LOSS) / (2 * log(100 * 26 * 2 / 0.15))
    queued = (ALLOWED * GAIN - SEEN * LOSS) / (SEEN * (GAIN - LOSS / 1.6))
    assert 0.1 < own < queued
    found = told(monkeypatch, queue={0: (ALLOWED, 0), 1: (0, SEEN)}, work=work)
    assert found["work"].budget_evidence == pytest.approx(queued)
    found = told(monkeypatch, queue={0: (ALLOWED - 0.01, 0), 1: (0, SEEN)}, work=work)
    assert found["work"].budget_evidence == pytest.approx(own)
