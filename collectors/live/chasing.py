"""Orders to chase: a page of the orders in flight, nearest promise first."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import orjson

from collectors.live.model import shown
from collectors.stages.eta import RISKS
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collectors.live.model import Timelines
    from collectors.live.reports import Picture

SECOND: Final = 1_000_000
Place = tuple[int, str]


def page(timelines: Timelines, picture: Picture, risk: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of orders with a risk (None: any), after a cursor. Raises BadInput where that is no cursor."""
    moments = picture.judged.promise_at.tolist()
    wanted = None if risk is None else RISKS.index(risk)
    line = picture.nearest_first
    first = 0
    if cursor is not None:
        first = bisect_right(line, _place(cursor), key=lambda place: (moments[place], picture.names[place]))
    chosen: list[int] = []
    for place in line[first:]:
        if wanted is None or picture.risk[place] == wanted:
            chosen.append(place)
            if len(chosen) > limit:
                break
    more = len(chosen) > limit
    chosen = chosen[:limit]
    last = (moments[chosen[-1]], picture.names[chosen[-1]]) if more else None
    return {
        "as_of": shown(picture.as_of),
        "orders": [_entry(timelines, picture, place) for place in chosen],
        "next": None if last is None else _cursor(last),
    }


def _entry(timelines: Timelines, picture: Picture, place: int) -> dict[str, Any]:
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
