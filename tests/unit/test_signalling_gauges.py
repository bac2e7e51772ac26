"""Since when a stage is slow and how many times its budget it takes: what the gauges show, and what they leave out."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

import pytest

from collectors import conventions as names
from collectors.live.signalling.gauges import SignalGauges
from collectors.promise import load_promise
from collectors.signals.monitor import StageSignal
from collectors.timelines.codebook import Codebook
from tests import dashboards

if TYPE_CHECKING:
    from collectors.live.signalling.running import Signalling

BOOK: Final = Codebook(load_promise())
NAN: Final = float("nan")
BEGAN_S: Final = 1_699_999_200
SLOW: Final = StageSignal("approval", names.ALL, 2.4, 2.0, 2.9, 1.4, 1.8, 0.2, BEGAN_S * dashboards.SECOND)


def shown(*signals: StageSignal) -> dict[str, dict[tuple[str, str], float]]:
    """Return what is shown of some signals: by metric, and by stage and segment."""
    known = dashboards.signalling(BOOK, well=True)
    asked = ("codebook", "reference", "took_s", "leads", "in_business_hours", "in_maintenance", "maintenance_until")
    figures = replace(dashboards.figures(BOOK, well=True), stages=list(signals))
    told = SimpleNamespace(figures=figures, **{name: getattr(known, name) for name in asked})
    return {
        family.name: {(one.labels["stage"], one.labels["segment"]): one.value for one in family.samples}
        for family in SignalGauges(cast("Signalling", told)).collect()
        if family.name in {names.STAGE_SLOW_SINCE, names.STAGE_BUDGET_RATIO}
    }


def test_a_slow_stage_is_shown_with_the_second_from_which_on_it_is_slow() -> None:
    segment = replace(SLOW, segment="channel=b2b", since=(BEGAN_S - 7_200) * dashboards.SECOND)
    assert shown(SLOW, segment)[names.STAGE_SLOW_SINCE] == {
        ("approval", "all"): BEGAN_S,
        ("approval", "channel=b2b"): BEGAN_S - 7_200,
    }


@pytest.mark.parametrize(
    "signal",
    [
        replace(SLOW, evidence=0.99),
        replace(SLOW, slowdown=1.29, budget_evidence=2.0),
        replace(SLOW, slowdown=NAN),
        replace(SLOW, since=None),
    ],
    ids=["little evidence", "little effect", "no reference", "nothing of its own"],
)
def test_no_date_is_shown_of_what_is_not_slow(signal: StageSignal) -> None:
    """A date would be one of chance; none is 0 or in the future."""
    assert shown(signal)[names.STAGE_SLOW_SINCE] == {}


def test_a_date_is_shown_from_the_limit_on() -> None:
    assert shown(replace(SLOW, evidence=1.0, slowdown=1.3))[names.STAGE_SLOW_SINCE] == {("approval", "all"): BEGAN_S}


def test_how_many_times_its_budget_a_stage_takes_is_shown_whatever_the_evidence() -> None:
    """But for a stage that has no budget, or of which nothing is known yet."""
    usual = replace(SLOW, stage="packing", budget_ratio=0.7, budget_evidence=0.0, since=None)
    without = replace(SLOW, stage="elsewhere", budget_ratio=NAN)
    found = shown(SLOW, usual, without)[names.STAGE_BUDGET_RATIO]
    assert found == {("approval", "all"): 1.8, ("packing", "all"): 0.7}
