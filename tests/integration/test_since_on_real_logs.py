"""A stage of a real log is stretched 1.6-fold from a day on; what is found is compared with what was done."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from collectors.promise import load_promise
from collectors.replay import replay
from tests.stretching import Orders, day_of, promise_for, read_orders, stretched, write_log, write_promise

if TYPE_CHECKING:
    from datetime import datetime

    from collectors.stages.tally import Tally

DATA: Final = Path(__file__).parents[3] / "shared" / "data"
OFFERS, COMPLETING = "W_Nabellen offertes", "W_Completeren aanvraag"
PAYMENT, APPROVED = "Request Payment", "Declaration FINAL_APPROVED by SUPERVISOR"
ADMINISTERED, SUBMITTED = "Declaration APPROVED by ADMINISTRATION", "Declaration SUBMITTED by EMPLOYEE"
# Log, stage, share of its orders before the day -> by how many days `since` may miss it.
FOUND: Final = [
    ("bpi2012_w_complete.xes.gz", OFFERS, 0.5, 1),
    ("bpi2012_w_complete.xes.gz", OFFERS, 0.65, 1),
    ("bpi2012_w_complete.xes.gz", COMPLETING, 0.5, 1),
    ("bpi2012_w_complete.xes.gz", COMPLETING, 0.65, 1),
    ("bpi2012_w_complete.xes.gz", COMPLETING, 0.8, 1),
    ("bpi2020_domestic.xes.gz", PAYMENT, 0.65, 1),
    ("bpi2020_domestic.xes.gz", PAYMENT, 0.8, 1),
    ("bpi2020_domestic.xes.gz", APPROVED, 0.65, 4),
    ("bpi2020_domestic.xes.gz", ADMINISTERED, 0.5, 4),
    ("bpi2020_domestic.xes.gz", ADMINISTERED, 0.8, 4),
    ("bpi2020_domestic.xes.gz", SUBMITTED, 0.65, 4),
    ("helpdesk.xes.gz", "Resolve ticket", 0.5, 1),
    ("helpdesk.xes.gz", "Wait", 0.65, 4),
]


@cache
def orders_of(name: str) -> Orders:
    """Read a log once."""
    if not (DATA / name).exists():
        pytest.skip(f"the research log {name} is not at hand; its licence keeps it out of this repository")
    return read_orders(DATA / name)


def tally_of(orders: Orders, usual: Orders, folder: Path) -> Tally:
    """Replay orders against the promise that was kept as usual."""
    write_log(orders, folder / "log.csv")
    write_promise(promise_for(usual), folder / "promise.json")
    return replay(folder / "log.csv", load_promise(folder / "promise.json")).tally


def slowed(name: str, stage: str, share: float) -> tuple[Orders, datetime]:
    """Stretch a stage of a log from the day on before which this share of its orders entered it."""
    since = day_of(orders_of(name), stage, share)
    return stretched(orders_of(name), stage, since, 1.6), since


@pytest.mark.parametrize(("name", "stage", "share", "within"), FOUND)
def test_the_day_from_which_a_stage_was_stretched_is_found(
    name: str, stage: str, share: float, within: int, tmp_path: Path
) -> None:
    orders, truth = slowed(name, stage, share)
    tally = tally_of(orders, orders_of(name), tmp_path)
    since = tally.since(tally.codebook.stages.index(stage))
    assert since is not None
    assert abs((date.fromisoformat(since) - truth.date()).days) <= within


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("bpi2012_w_complete.xes.gz", OFFERS),
        ("bpi2012_w_complete.xes.gz", COMPLETING),
        ("bpi2020_domestic.xes.gz", APPROVED),
        ("helpdesk.xes.gz", "Resolve ticket"),
    ],
)
def test_a_large_stage_stretched_for_half_of_the_orders_is_the_culprit(name: str, stage: str, tmp_path: Path) -> None:
    tally = tally_of(slowed(name, stage, 0.5)[0], orders_of(name), tmp_path)
    culprit = tally.culprit()
    assert culprit is not None
    assert tally.codebook.stages[culprit] == stage


@pytest.mark.parametrize("name", ["bpi2012_w_complete.xes.gz", "bpi2020_domestic.xes.gz", "helpdesk.xes.gz"])
def test_a_real_log_as_it_is_has_no_day_from_which_its_culprit_was_slow(name: str, tmp_path: Path) -> None:
    tally = tally_of(orders_of(name), orders_of(name), tmp_path)
    culprit = tally.culprit()
    assert culprit is not None
    assert tally.since(culprit) is None
