"""On real logs, with promises made by hand, the collector gives the numbers of the independent reference."""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from collectors.promise import load_promise
from collectors.replay import replay
from tests import reference
from tests.unit.test_replay_against_reference import differences

DATA: Final = Path(__file__).parents[3] / "shared" / "data"
ACTIVITIES: Final = {"format": "csv", "order": "case_id", "status": "activity"}
CALENDAR: Final = {
    "weekdays": ["mon", "tue", "wed", "thu", "fri"],
    "hours": "09:00-17:00",
    "timezone": "Europe/Berlin",
    "closed": ["2012-01-02", "2012-12-25"],
}
MILESTONES: Final = {
    "PURCHASED": "order_purchase_timestamp",
    "APPROVED": "order_approved_at",
    "SENT": "order_delivered_carrier_date",
    "DELIVERED": "order_delivered_customer_date",
}
# Log -> how it is read, what is promised, and a moment in its midst.
LOGS: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str]]] = {
    "production_jobshop.csv": (
        {**ACTIVITIES, "start": "start_timestamp", "end": "timestamp", "time_format": "%Y/%m/%d %H:%M:%S"},
        {"from": "first", "to": "last", "within": "21d"},
        "2012-02-15T12:00:00",
    ),
    "purchase_to_pay.csv": (
        {**ACTIVITIES, "start": "start_timestamp", "end": "timestamp", "timezone": "America/New_York"},
        {"from": "Create Purchase Requisition", "to": "Pay Invoice", "within": "21d"},
        "2011-05-01T00:00:00",
    ),
    "bpi2012_w_start_end.csv.gz": (
        {**ACTIVITIES, "start": "start_time", "end": "end_time"},
        {"from": "first", "to": "last", "within": "14d"},
        "2012-01-01T00:00:00",
    ),
    "helpdesk.xes.gz": (
        {"format": "xes", "marks": "completion", "lifecycle": "complete"},
        {"from": "first", "to": "Closed", "within": "30d"},
        "2012-06-01T00:00:00",
    ),
    "bpi2012_w_complete.xes.gz": (
        {"format": "xes", "marks": "completion"},
        {"from": "first", "to": "last", "within": "14d"},
        "2012-01-01T00:00:00",
    ),
    "bpi2020_domestic.xes.gz": (
        {"format": "xes"},
        {"from": "Declaration SUBMITTED by EMPLOYEE", "to": "Payment Handled", "within": "14d"},
        "2018-03-01T00:00:00",
    ),
    "sepsis.xes.gz": (
        {"format": "xes", "marks": "completion"},
        {"from": "ER Registration", "to": "Release A", "within": "7d"},
        "2014-10-01T00:00:00",
    ),
    "olist_orders.csv": (
        {
            "format": "wide",
            "order": "order_id",
            "statuses": MILESTONES,
            "attributes": {"promised_at": "order_estimated_delivery_date", "state": "order_status"},
            "cancelled_when": {"order_status": ["canceled", "unavailable"]},
            "time_format": "%m/%d/%Y %H:%M",
            "timezone": "America/Sao_Paulo",
        },
        {"from": "PURCHASED", "to": "DELIVERED", "by": "promised_at", "by_day": True},
        "2018-01-15T00:00:00",
    ),
}


def activities_of(path: Path, log: dict[str, Any]) -> list[str]:
    """Return the activities of a log in the order in which they first come up."""
    if log["format"] == "wide":
        return list(log["statuses"])
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        if log["format"] == "csv":
            return list(dict.fromkeys(row[log["status"]] for row in csv.DictReader(stream)))
        named = re.compile(r'key="concept:name"\s+value="([^"]*)"')
        events = re.findall("<event>(.*?)</event>", stream.read(), re.DOTALL)
        return list(dict.fromkeys(html.unescape(found[1]) for event in events if (found := named.search(event))))


def promise_of(name: str, path: Path) -> dict[str, Any]:
    """Return a promise for a log: a stage for each activity and each wait, with budgets of every kind."""
    log, promise, _ = LOGS[name]
    activities = activities_of(path, log)
    done = "start" in log or log.get("marks") == "completion"
    held = [status + suffix for status in activities for suffix in (("", ":done") if done else ("",))]
    # One status is left to `elsewhere`, one stage pauses, some have no budget, some one in working time.
    stages: list[dict[str, Any]] = []
    for number, status in enumerate(held[:-1]):
        stage: dict[str, Any] = {"name": f"in {status}", "in": [status], "kind": "wait" if number % 2 else "work"}
        if number % 7 == 3:
            stage["pauses"] = True
        elif number % 5:
            stage |= {"budget": "1d12h"} if number % 3 else {"budget": "2d", "working": True}
        stages.append(stage)
    return {
        "touchstone": 1,
        "name": name,
        "statuses": {"main": activities},
        "stages": stages,
        "promise": promise,
        "calendar": CALENDAR,
        "segments": ["state"]
        if log["format"] == "wide"
        else ["org:resource" if log["format"] == "xes" else "resource"],
        "log": log,
    }


@pytest.mark.parametrize("moment", ["as of its end", "in its midst"])
@pytest.mark.parametrize("name", LOGS)
def test_a_real_log_gives_the_numbers_of_the_reference(name: str, moment: str, tmp_path: Path) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the research log {name} is not at hand; its licence keeps it out of this repository")
    terms = tmp_path / "promise.json"
    terms.write_text(json.dumps(promise_of(name, path)), encoding="utf-8")
    as_of = datetime.fromisoformat(LOGS[name][2]).replace(tzinfo=UTC) if moment == "in its midst" else None
    ours = replay(path, load_promise(terms), as_of=as_of).document()
    assert differences(ours, reference.replay(path, terms, as_of)) == []
    assert ours["events"] > 1_000
    assert ours["broken"] > 10
