"""An order's journey as a timeline: each status with its source and time, how long it lasted, and what is odd."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from collectors.report.wording import brief

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Entry:
    """One event of the timeline. ``lasted_s``: until the next one that moved the order, or until now (``running``)."""

    status: str
    source: str
    at: datetime
    moved: bool
    lasted_s: float | None
    running: bool
    notes: tuple[str, ...]


def entries(document: dict[str, Any]) -> list[Entry]:
    """Return the events that moved the order in their order, then those that did not."""
    events = document["events"]
    moved = [event for event in events if event["moved"]]
    told = [datetime.fromisoformat(event["time"]) for event in moved]
    # A time that runs backwards counts as that of the event before it.
    counted = list(accumulate(told, max))
    on_its_way = document["ended_at"] is None and document["verdict"] != "cancelled"
    ends = [*counted[1:], datetime.fromisoformat(document["as_of"]) if on_its_way else None]
    found = []
    for place, (event, end) in enumerate(zip(moved, ends, strict=False)):
        lasted = None if end is None else max((end - counted[place]).total_seconds(), 0.0)
        running = on_its_way and place == len(moved) - 1
        behind = ("its clock runs behind",) if told[place] < counted[place] else ()
        found.append(_entry(event, lasted, behind, running=running))
    return [*found, *(_entry(event) for event in events if not event["moved"])]


def _entry(
    event: dict[str, Any], lasted: float | None = None, odd: tuple[str, ...] = (), *, running: bool = False
) -> Entry:
    about = () if event["uncertainty_s"] is None else (f"± {brief(event['uncertainty_s'])}",)
    noted = (event["note"],) if event["note"] else ()
    at = datetime.fromisoformat(event["time"])
    return Entry(event["status"], event["source"], at, event["moved"], lasted, running, (*about, *odd, *noted))


def repeats(events: Sequence[dict[str, Any]]) -> int:
    """Count the events that say again what another said."""
    return sum(not event["moved"] and "repeats" in (event["note"] or "") for event in events)
