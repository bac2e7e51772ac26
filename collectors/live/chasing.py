"""Orders to chase: a page of the orders in flight, nearest promise first, that alerts, metrics and people ask for."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from collectors.conventions import ALL
from collectors.live.model import shown
from collectors.live.signalling.seats import parted
from collectors.promise.finding import did_you_mean
from collectors.stages.eta import RISKS
from collectors.timelines.measuring import NEVER
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.live.documents import OrdersAsked
    from collectors.live.model import Timelines
    from collectors.live.reports import Picture
    from collectors.reconciliation.comparing import Limit
    from collectors.reconciliation.report import Report

    Mask = NDArray[np.bool_]

SECOND: Final = 1_000_000
Place = tuple[int, str]
Document = dict[str, Any]


def page(
    timelines: Timelines, picture: Picture, asked: OrdersAsked, stuck: Mask | None, signalled: Sequence[str]
) -> Document:
    """Return a page of the orders that are asked for.

    ``stuck`` [n]: which orders of the picture are, if that is asked; ``signalled``: the segments that have signals.
    Raises BadInput where there is no such stage or segment, or where the cursor is none.
    """
    wanted = _wanted(timelines, picture, asked, stuck, signalled)
    rest = picture.nearest_first
    if asked.cursor is not None:
        rest = rest[bisect_right(rest, _place(asked.cursor), key=lambda place: _place_of(picture, place)) :]
    places = rest[wanted[rest]][: asked.limit + 1].tolist()
    more = len(places) > asked.limit
    places = places[: asked.limit]
    return {
        "as_of": shown(picture.as_of),
        "count": int(np.count_nonzero(wanted)),
        "orders": [_entry(timelines, picture, place) for place in places],
        "next": _cursor(_place_of(picture, places[-1])) if more else None,
    }


def stuck_by_report(picture: Picture, report: Report) -> Mask:
    """Mark the orders [n] that a reconciliation found stuck; these are what the metric counts."""
    names = {finding.order for finding in report.findings.stuck}
    return np.array([name in names for name in picture.names], dtype=np.bool_)


def stuck_by_limits(picture: Picture, stages: Sequence[str], limits: Sequence[Limit]) -> Mask:
    """Mark the orders [n] that have been in their stage for longer than its limit, by their own events."""
    longest = np.full(len(stages), NEVER)
    for limit in limits:
        longest[stages.index(limit.stage)] = limit.us
    return np.asarray(picture.as_of - picture.since > longest[picture.stage])


def _wanted(
    timelines: Timelines, picture: Picture, asked: OrdersAsked, stuck: Mask | None, signalled: Sequence[str]
) -> Mask:
    """Mark the orders of a picture [n] for which all that is asked holds."""
    found = np.ones(len(picture.names), dtype=np.bool_)
    if asked.stage is not None:
        found &= picture.stage == _number_of(asked.stage, timelines.codebook.stages)
    if asked.segment is not None and asked.segment != ALL:
        found &= _in_segment(picture, asked.segment, timelines.promise.segments, signalled)
    if asked.risk is not None:
        found &= picture.risk == RISKS.index(asked.risk)
    if asked.over_budget is not None:
        found &= picture.over_budget == asked.over_budget
    if asked.stuck is not None:
        found &= stuck == asked.stuck
    return found


def _number_of(stage: str, stages: Sequence[str]) -> int:
    if stage not in stages:
        raise BadInput(f"`stage` cannot be used: the promise knows no stage `{stage}`{did_you_mean(stage, stages)}")
    return stages.index(stage)


def _in_segment(picture: Picture, segment: str, attributes: Sequence[str], signalled: Sequence[str]) -> Mask:
    name, value = parted(segment, attributes)
    texts = picture.texts.get(name, [])
    if value in texts:
        return np.asarray(picture.judged.measured.attributes[name] == texts.index(value))
    if segment in signalled:  # an alert may name it, though the last of its orders is gone
        return np.zeros(len(picture.names), dtype=np.bool_)
    known = {f"{name}={text}" for name in attributes for text in picture.texts.get(name, ())}
    near = did_you_mean(segment, [ALL, *sorted({*signalled, *known})])
    raise BadInput(f"`segment` cannot be used: no order in flight is of the segment `{segment}`{near}")


def _entry(timelines: Timelines, picture: Picture, place: int) -> Document:
    promise_at, since = int(picture.judged.promise_at[place]), int(picture.since[place])
    p50, p90 = (picture.as_of + int(remaining[place]) for remaining in (picture.p50_us, picture.p90_us))
    return {
        "order": picture.names[place],
        "stage": timelines.codebook.stages[picture.stage[place]],
        "stage_since": shown(since),
        "age_s": (picture.as_of - since) / SECOND,
        "promise_at": shown(promise_at),
        "eta": {"p50": shown(p50), "p90": shown(p90)},
        "slack_s": (promise_at - p50) / SECOND,
        "risk": RISKS[picture.risk[place]],
    }


def _place_of(picture: Picture, place: int) -> Place:
    return int(picture.judged.promise_at[place]), picture.names[place]


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode()


def _place(cursor: str) -> Place:
    try:
        moment, name = orjson.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadInput("`cursor` is not one that an earlier page gave as `next`") from error
    if not isinstance(moment, int) or not isinstance(name, str):
        raise BadInput("`cursor` is not one that an earlier page gave as `next`")
    return moment, name
