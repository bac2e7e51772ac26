"""Small logs and the reports made of them."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from collectors.promise import load_promise
from collectors.replay import replay
from collectors.report import Gathering, Report, print_report
from collectors.simulation import Scenario, Slowdown, simulate, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN: Final = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
PROMISE: Final[dict[str, Any]] = {
    "touchstone": 1,
    "name": "made to order",
    "statuses": {"main": ["NEW", "ASKED", "MADE", "SENT"], "off": ["LOST"], "cancelled": ["VOID"]},
    "stages": [
        {"name": "queue", "in": ["NEW"], "kind": "wait", "owner": "desk", "budget": "1d"},
        {"name": "approval", "in": ["ASKED"], "kind": "wait", "owner": "sales", "budget": "3d"},
        {"name": "making", "in": ["MADE"], "kind": "work", "owner": "bench", "budget": "5d"},
    ],
    "promise": {"from": "NEW", "to": "SENT", "within": "10d", "objective": "95%"},
    "segments": ["channel"],
    "log": {"format": "csv", "order": "order", "status": "status", "time": "at"},
}
Event = tuple[str, str, float, dict[str, str]]


def order(name: str, *days: float, begin: float = 0, **attributes: str) -> list[Event]:
    """Return an order that stays in NEW, ASKED, MADE ... for so many days; it has not left the last one."""
    moments = [begin + sum(days[:place]) for place in range(len(days) + 1)]
    return [
        (name, status, at, attributes) for status, at in zip(["NEW", "ASKED", "MADE", "SENT"], moments, strict=False)
    ]


def changed(**sections: Any) -> dict[str, Any]:
    """Return the promise with other sections; ``promise`` itself is merged."""
    terms = {**PROMISE["promise"], **sections.pop("promise", {})}
    return {**PROMISE, **sections, "promise": {key: value for key, value in terms.items() if value is not None}}


def reported(events: Sequence[Event], promise: dict[str, Any] | None = None, as_of: float | None = None) -> Report:
    """Replay events (order, status, day, attributes) and return the report. ``as_of`` in days."""
    attributes = sorted({name for event in events for name in event[3]})
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["order", "status", "at", *attributes])
    for name, status, day, given in events:
        at = (BEGIN + timedelta(days=day)).isoformat()
        writer.writerow([name, status, at, *(given.get(attribute, "") for attribute in attributes)])
    moment = None if as_of is None else BEGIN + timedelta(days=as_of)
    return of_log(stream.getvalue().encode("utf-8", "surrogatepass"), promise or PROMISE, moment)


def of_log(log: bytes, promise: dict[str, Any], as_of: datetime | None = None) -> Report:
    """Replay a log as it is written."""
    with tempfile.TemporaryDirectory() as folder:
        terms, file = Path(folder, "promise.yaml"), Path(folder, "log")
        terms.write_text(json.dumps(promise), encoding="utf-8")
        file.write_bytes(log)
        loaded = load_promise(terms)
        gathering = Gathering(loaded)
        result = replay(file, loaded, as_of=as_of, observers=(gathering,))
    return gathering.report(result)


def simulated(days: int = 100, per_day: float = 8) -> Report:
    """Return the report of the simulated house with its approval slowed from the fortieth day on."""
    slow = Slowdown("approval", 40, added=timedelta(days=8))
    stream = io.StringIO()
    write_csv(simulate(Scenario(days=days, orders_per_day=per_day, seed=5, slowdowns=(slow,))), stream)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "house.csv")
        file.write_text(stream.getvalue(), encoding="utf-8")
        promise = load_promise()
        gathering = Gathering(promise)
        result = replay(file, promise, observers=(gathering,))
    return gathering.report(result)


def printed(report: Report, width: int = 80, encoding: str = "utf-8", *, colour: bool = False) -> str:
    """Return what the terminal shows."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, write_through=True, newline="\n") as stream:
        print_report(report, Console(file=stream, width=width, force_terminal=colour, legacy_windows=False))
        return raw.getvalue().decode(encoding)
