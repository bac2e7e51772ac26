"""Real logs draft their own promise files, and replay with them without a loss."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from collectors.drafting import draft_promise
from collectors.promise.checking import check_document
from collectors.promise.document import parse_document
from collectors.promise.durations import parse_duration
from collectors.replay import replay

if TYPE_CHECKING:
    from collectors.promise.model import PromiseFile

DATA: Final = Path(__file__).parents[3] / "shared" / "data"
# Log -> its format, what its records mark, its rows, its orders.
LOGS: Final = {
    "production_jobshop.csv": ("csv", "intervals", None, 225),
    "purchase_to_pay.csv": ("csv", "intervals", None, 608),
    "bpi2012_w_start_end.csv.gz": ("csv", "intervals", None, 8_616),
    "bpi2012_w_complete.xes.gz": ("xes", "completion", 72_413, 9_658),
    "helpdesk.xes.gz": ("xes", "completion", 21_348, 4_580),
    "sepsis.xes.gz": ("xes", "completion", 15_214, 1_050),
    "bpi2020_domestic.xes.gz": ("xes", "status", 56_437, 10_500),
    "olist_orders.csv": ("wide", "status", None, 7_999),
}


def drafted(name: str) -> tuple[PromiseFile, dict[str, Any]]:
    """Draft a promise from a log, check it without a warning, and replay the log with it."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the research log {name} is not at hand; its licence keeps it out of this repository")
    findings, promise = check_document(parse_document(draft_promise(path)))
    assert [str(finding) for finding in findings] == []
    assert promise is not None
    return promise, replay(path, promise).document()


@pytest.mark.parametrize("name", LOGS)
def test_a_real_log_replays_with_its_draft(name: str) -> None:
    """Nothing is quarantined, every record is accounted for, and some orders broke what most of them kept."""
    kind, marks, records, orders = LOGS[name]
    promise, found = drafted(name)
    log = promise.log
    assert (log.format, "intervals" if log.has_intervals else log.marks) == (kind, marks)
    assert found["quarantined"] == 0
    assert found["orders"] == orders
    if records is not None:
        assert found["events"] + found["duplicates"] == records
    judged = found["kept"] + found["broken"] + found["open"] + found["cancelled"] + found["unstarted"]
    assert judged == orders
    assert 0.8 < found["kept"] / (found["kept"] + found["broken"]) < 0.95
    assert found["culprit"]["stage"] is not None


@pytest.mark.parametrize("name", LOGS)
def test_the_stages_of_a_draft_are_few_and_hold_all_time(name: str) -> None:
    """About a dozen stages, each with a budget within the promise, and no time outside of them."""
    promise, found = drafted(name)
    assert 2 <= len(promise.stages) <= 15
    assert "elsewhere" not in [row["stage"] for row in found["stages"]]
    budgets = [parse_duration(stage.budget or "") for stage in promise.stages]
    assert min(budgets) >= timedelta(minutes=1)
    assert sum(budgets, timedelta()) <= (promise.promise.within or timedelta.max)


def test_the_marketplace_brings_its_own_promise() -> None:
    """Each order's promised day is found, and so is what says that an order was cancelled."""
    promise, found = drafted("olist_orders.csv")
    assert promise.promise.by_day
    assert promise.promise.by is not None
    assert promise.log.column(promise.promise.by) == "order_estimated_delivery_date"
    assert promise.log.cancelled_when == {"order_status": ["canceled", "unavailable"]}
    assert promise.log.time_format == "%m/%d/%Y %H:%M"
    assert (found["kept"], found["broken"], found["cancelled"]) == (7_131, 778, 90)


def test_rejections_that_are_resubmitted_cancel_nothing() -> None:
    """Travel declarations are rejected, sent in again and paid."""
    promise, found = drafted("bpi2020_domestic.xes.gz")
    assert promise.statuses.cancelled == []
    assert any("REJECTED" in status for status in promise.statuses.off)
    assert found["cancelled"] == 0
    assert promise.statuses.main[0] == "Declaration SUBMITTED by EMPLOYEE"
    assert promise.statuses.main[-2:] == ["Request Payment", "Payment Handled"]
