"""One order's journey: every event that was heard of it, its time in each stage, its promise and its ETA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.live.handlers import UNKNOWN_STATUS
from collectors.live.model import PLACE, Lined, Timelines, shown
from collectors.stages.eta import RISKS, History, risks
from collectors.timelines.codebook import NO_BUDGET
from collectors.timelines.judging import BROKEN, OPEN, UNSTARTED, VERDICTS, Judged
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.live.model import EventRow

SECOND: Final = 1_000_000
Label = tuple[str, int | None]


def journey(
    timelines: Timelines,
    history: History,
    name: str,
    events: Sequence[EventRow],
    labels: Mapping[int, Label],
    as_of: int,
) -> dict[str, Any]:
    """Return an order's journey as of a moment (microseconds); the document of ``GET /orders/{order}``."""
    lined = timelines.line_up(events, as_of)
    measured = lined.line.measured
    document: dict[str, Any] = {
        "order": name,
        "as_of": shown(as_of),
        **_NOTHING,
        "events": _events(timelines, lined, events, labels, as_of),
    }
    if not len(measured):
        return {**document, "note": "no event that could be used has happened yet"}
    judged, lacking = timelines.judged(measured, lined.dimensions, as_of)
    document["attributes"] = {
        key: lined.dimensions.values(key)[int(measured.attributes[key][0])]
        for key in timelines.attributes
        if measured.attributes[key][0] >= 0
    }
    if lacking[0]:
        by = timelines.promise.promise.by
        return {**document, "note": f"the order has no readable `{by}`, its promise moment"}
    return {**document, **_verdict(judged), **_stages(timelines, judged), **_outlook(timelines, history, judged, lined)}


_NOTHING: Final[dict[str, Any]] = {
    **dict.fromkeys(("note", "verdict", "started_at", "ended_at", "promise_at")),
    **dict.fromkeys(("stage", "stage_since", "age_s", "eta", "slack_s", "risk")),
    "attributes": {},
    "stages": [],
}


def _events(
    timelines: Timelines, lined: Lined, events: Sequence[EventRow], labels: Mapping[int, Label], as_of: int
) -> list[dict[str, Any]]:
    """Return the events: first those that moved the timeline in its order, then what was heard besides, by time."""
    line = lined.line.moving.attributes[PLACE].tolist()
    moved = set(line)
    rest = sorted(set(range(len(events))) - moved, key=lambda place: (events[place].at, events[place].arrival))
    return [
        {
            "id": labels[events[place].arrival][0],
            "source": events[place].source,
            "sequence": events[place].sequence,
            "time": shown(events[place].at),
            "uncertainty_s": _seconds(labels[events[place].arrival][1]),
            "status": events[place].status,
            "moved": place in moved,
            "note": None if place in moved else _why_not(timelines, events[place], as_of),
        }
        for place in [*line, *rest]
    ]


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / SECOND


def _why_not(timelines: Timelines, event: EventRow, as_of: int) -> str:
    if event.status not in timelines.codes:
        return UNKNOWN_STATUS
    if event.at > as_of:
        return "its time has not come yet"
    owner = timelines.promise.reported_by.get(event.status)
    if owner not in (None, event.source):
        return f"{owner} owns this status"
    return "it repeats another event, or follows one whose time has not come yet"


def _verdict(judged: Judged) -> dict[str, Any]:
    measured = judged.measured
    started = judged.verdict[0] != UNSTARTED
    return {
        "verdict": VERDICTS[judged.verdict[0]],
        "started_at": _moment(int(measured.start[0])),
        "ended_at": _moment(int(measured.end[0])),
        "promise_at": shown(int(judged.promise_at[0])) if started else None,
    }


def _moment(at: int) -> str | None:
    return None if at == NEVER else shown(at)


def _stages(timelines: Timelines, judged: Judged) -> dict[str, Any]:
    book, measured = timelines.codebook, judged.measured
    return {
        "stages": [
            {
                "stage": book.stages[stage],
                "time_s": int(judged.stage_us[0, stage]) / SECOND,
                "visits": int(measured.visits[0, stage]),
                "budget_s": None if book.budget_us[stage] == NO_BUDGET else int(book.budget_us[stage]) / SECOND,
                "pauses": bool(book.pauses[stage]),
            }
            for stage in np.flatnonzero(measured.entered[0] != NEVER).tolist()
        ]
    }


def _outlook(timelines: Timelines, history: History, judged: Judged, lined: Lined) -> dict[str, Any]:
    """Return where an order in flight is, and when it will be ready."""
    stage = int(judged.measured.tail_stage[0])
    if judged.verdict[0] not in (OPEN, BROKEN) or stage < 0:
        return {}
    stretches, as_of = lined.line.stretches, judged.as_of
    since = int(stretches.begin[stretches.enters][-1])
    p50, p90 = history.remaining_of(judged)
    promise_at = judged.promise_at
    return {
        "stage": timelines.codebook.stages[stage],
        "stage_since": shown(since),
        "age_s": (as_of - since) / SECOND,
        "eta": {"p50": shown(as_of + int(p50[0])), "p90": shown(as_of + int(p90[0]))},
        "slack_s": (int(promise_at[0]) - as_of - int(p50[0])) / SECOND,
        "risk": RISKS[risks(promise_at, as_of, p50, p90)[0]],
    }
