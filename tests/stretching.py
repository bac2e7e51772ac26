"""Real logs in which one stage is made slower from a day on: what later must be found again."""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_TRACE: Final = re.compile("<trace>(.*?)</trace>", re.DOTALL)
_EVENT: Final = re.compile("<event>(.*?)</event>", re.DOTALL)
_NAME: Final = re.compile(r'key="concept:name"\s+value="([^"]*)"')
_TIME: Final = re.compile(r'key="time:timestamp"\s+value="([^"]*)"')


class Event(NamedTuple):
    """A status that an order reaches, and when."""

    status: str
    at: datetime


Orders = dict[str, list[Event]]


def read_orders(path: Path) -> Orders:
    """Read the events of an XES log, those of each order by time."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        text = stream.read()
    orders: Orders = {}
    for number, trace in enumerate(_TRACE.findall(text)):
        found = []
        for event in _EVENT.findall(trace):
            status, at = _NAME.search(event), _TIME.search(event)
            if status and at:
                found.append(Event(html.unescape(status[1]), datetime.fromisoformat(at[1])))
        orders[str(number)] = sorted(found, key=lambda event: event.at)
    return {order: events for order, events in orders.items() if len(events) > 1}


def stretched(orders: Orders, status: str, since: datetime, factor: float) -> Orders:
    """Return the orders with longer stays in a status, for those that first enter it from a moment on.

    What comes after a longer stay comes as much later.
    """
    result: Orders = {}
    for order, events in orders.items():
        first = next((event.at for event in events if event.status == status), None)
        if first is None or first < since:
            result[order] = events
            continue
        shift = timedelta()
        moved = []
        for place, event in enumerate(events):
            moved.append(Event(event.status, event.at + shift))
            if event.status == status and place + 1 < len(events):
                shift += (factor - 1) * (events[place + 1].at - event.at)
        result[order] = moved
    return result


def promise_for(orders: Orders, *, kept: float = 0.85) -> dict[str, Any]:
    """Return a promise that this share of the orders kept; each stage's budget is its time in as many of them."""
    stays: dict[str, list[float]] = {}
    for events in orders.values():
        own: dict[str, float] = {}
        for event, following in pairwise(events):
            own[event.status] = own.get(event.status, 0.0) + (following.at - event.at).total_seconds()
        for status, stay in own.items():
            stays.setdefault(status, []).append(stay)
    leads = [(events[-1].at - events[0].at).total_seconds() for events in orders.values()]
    main = list(dict.fromkeys(event.status for events in orders.values() for event in events))
    within = max(60, int(np.quantile(leads, kept)))

    def budget(status: str) -> str:
        return f"{min(within, max(1, int(np.quantile(stays.get(status, [1.0]), kept))))}s"

    return {
        "touchstone": 1,
        "name": "as usual",
        "statuses": {"main": main},
        "stages": [{"name": s, "in": [s], "kind": "wait", "budget": budget(s)} for s in main],
        "promise": {"from": "first", "to": "last", "within": f"{within}s"},
        "log": {"format": "csv", "order": "order", "status": "status", "time": "time"},
    }


def write_log(orders: Orders, path: Path) -> None:
    """Write orders as a CSV of events."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["order", "status", "time"])
        writer.writerows((o, e.status, e.at.isoformat()) for o, events in orders.items() for e in events)


def write_promise(promise: dict[str, Any], path: Path) -> None:
    """Write a promise file."""
    path.write_text(json.dumps(promise), encoding="utf-8")


def day_of(orders: Orders, status: str, share: float) -> datetime:
    """Return the midnight from which on the last share of the orders that enter a status enter it."""
    entries = [next((e.at for e in events if e.status == status), None) for events in orders.values()]
    known = sorted(entry for entry in entries if entry is not None)
    moment = known[int(len(known) * share)]
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
