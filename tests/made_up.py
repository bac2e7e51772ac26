"""Made-up promise files and logs of every kind, small and full of corner cases, for Hypothesis to search."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MAIN: Final = ("A", "B", "C", "D", "E")
OFF: Final = ("P", "Q")
CANCELLED: Final = ("X",)
KNOWN: Final = (*MAIN, *OFF, *CANCELLED)
UNKNOWN: Final = ("U", "b")
ORDERS: Final = ("1", "2", "3", "ö,4")
SOURCES: Final = ("/crm", "/mes", "/shop")
ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
# Just before clocks change in Berlin (twice), in New York and on Lord Howe Island; and before 1970.
BASES: Final = tuple(
    datetime.fromisoformat(text)
    for text in (
        "2026-03-28T18:00:00+00:00",
        "2026-10-24T18:00:00+00:00",
        "2026-11-01T00:00:00+00:00",
        "2026-04-04T09:00:00+00:00",
        "1969-12-30T18:00:00+00:00",
    )
)
NO_TIMES: Final = ("", " ", "garbage", "2026-13-01T00:00:00Z", "2026-02-30 10:00:00", "2026-03-29T25:00:00")
BUDGETS: Final = ("0s", "20m", "1h", "3h", "6h", None)
WITHIN: Final = ("6h", "12h", "1d2h", "2d12h")
CHANNELS: Final = ("", " ", "b2b", "web", "a&<\"'")

Json = dict[str, Any]


@st.composite
def promises(draw: st.DrawFn, kind: str) -> Json:
    """Return a promise file that ``check`` accepts, as plain data. ``kind``: one of KINDS."""
    done = kind == "intervals" or (kind in {"csv", "xes"} and draw(st.booleans()))
    completion = done and kind != "intervals"
    start, end = _ends(draw)
    reached = [*MAIN[: -1 if end != "last" else None], *OFF]
    held = [status + suffix for status in reached for suffix in (("", ":done") if done else ("",))]
    calendar = draw(st.none() | _calendars())
    by = draw(st.sampled_from([False, False, True]))
    promise: Json = {
        "touchstone": 1,
        "name": "made-up",
        "statuses": {"main": list(MAIN), "off": list(OFF), "cancelled": list(CANCELLED)},
        "stages": _stages(draw, held, working=calendar is not None),
        "promise": {"from": start, "to": end, **_length(draw, by=by)},
        "segments": draw(st.lists(st.sampled_from(["channel", "product"]), unique=True)),
        "log": _reading(draw, kind, completion=completion),
    }
    if calendar is not None:
        promise["calendar"] = calendar
    if draw(st.booleans()):
        owned = st.sampled_from(KNOWN if not done else (*KNOWN, "A:done", "B:done"))
        promise["reported_by"] = draw(st.dictionaries(owned, st.sampled_from([*SOURCES, "/nobody"]), max_size=4))
    return promise


def _ends(draw: st.DrawFn) -> tuple[str, str]:
    first = draw(st.sampled_from([0, 0, 0, 1, 2]))
    start = draw(st.sampled_from([*[MAIN[first]] * 5, "first", "first", "P"]))
    return start, draw(st.sampled_from([*[MAIN[-1]] * 4, "last", "last", MAIN[first + 1], "Q"]))


def _stages(draw: st.DrawFn, held: list[str], *, working: bool) -> list[Json]:
    statuses = draw(st.permutations(held))
    spare = draw(st.integers(0, 3))
    cuts = sorted(draw(st.sets(st.integers(1, len(statuses) - spare - 1), max_size=5)))
    stages = []
    for number, (begin, stop) in enumerate(zip([0, *cuts], [*cuts, len(statuses) - spare], strict=True)):
        stage: Json = {"name": f"stage {number}", "in": list(statuses[begin:stop])}
        stage["kind"] = draw(st.sampled_from(["wait", "work"]))
        budget = draw(st.sampled_from(BUDGETS))
        if budget is not None:
            stage["budget"] = budget
            stage["working"] = working and draw(st.booleans())
        stage["pauses"] = draw(JUMPS)
        stages.append(stage)
    return stages


def _length(draw: st.DrawFn, *, by: bool) -> Json:
    if by:
        return {"by": "promised_at", "by_day": draw(st.booleans())}
    when = st.dictionaries(
        st.sampled_from(["channel", "product"]), st.sampled_from(["b2b", "web", "absent"]), min_size=1
    )
    override = st.fixed_dictionaries({"when": when, "within": st.sampled_from(["1h", "4h", "5d"])})
    overrides = draw(st.lists(override, max_size=3, unique_by=lambda one: json.dumps(one["when"], sort_keys=True)))
    return {"within": draw(st.sampled_from(WITHIN)), "overrides": overrides}


@st.composite
def _calendars(draw: st.DrawFn) -> Json:
    return {
        "weekdays": draw(st.lists(st.sampled_from(["mon", "tue", "thu", "sat", "sun"]), min_size=1, unique=True)),
        "hours": draw(st.sampled_from(["09:00-17:00", "00:00-24:00", "05:30-06:15"])),
        "timezone": draw(st.sampled_from(ZONES)),
        "closed": draw(st.lists(st.sampled_from(["2026-03-29", "2026-03-30"]), unique=True)),
    }


def _reading(draw: st.DrawFn, kind: str, *, completion: bool) -> Json:
    log: Json = {"format": "csv" if kind == "intervals" else kind, "timezone": draw(st.sampled_from(ZONES))}
    # Columns that are also names inside the engine, and the letter cases that SQL does not tell apart.
    if kind in {"csv", "intervals", "wide"}:
        log["order"] = draw(st.sampled_from(["order", "o", "s", "O"]))
    if kind in {"csv", "intervals"}:
        log["status"] = draw(st.sampled_from(["status", "bad"]))
    if kind == "csv":
        log["time"] = draw(st.sampled_from(["time", "t1", "rowid", "line"]))
    if kind == "intervals":
        log |= {"start": draw(st.sampled_from(["start", "t1"])), "end": draw(st.sampled_from(["end", "t0"]))}
    if kind == "wide":
        # All statuses, in an order of their own: ties follow it.
        log["statuses"] = {status: f"{status} time" for status in draw(st.permutations([*MAIN, *OFF, *CANCELLED]))}
    if completion:
        log["marks"] = "completion"
    if kind == "xes" and draw(st.booleans()):
        log["lifecycle"] = "complete"
    if draw(st.booleans()):
        log["attributes"] = {"channel": draw(st.sampled_from(["chan", "c0", "t"]))}
    if draw(st.booleans()):
        log["cancelled_when"] = {"state": ["void", "gone"]}
    return log


def columns_of(promise: Json) -> list[str]:
    """Return the columns in which a log keeps the attributes that a promise may ask for."""
    mapped = promise["log"].get("attributes", {})
    return [mapped.get(name, name) for name in ("channel", "product", "state", "promised_at")]


@st.composite
def attributes(draw: st.DrawFn, promise: Json, moment: st.SearchStrategy[str]) -> dict[str, str]:
    """Return an event's attributes by column, most of them filled."""
    promised = st.one_of(
        moment, moment, moment, moment, st.sampled_from(["2026-03-29", "1969-12-31", "2026-10-25 ", "soon"])
    )
    values = (
        st.sampled_from(CHANNELS),
        st.sampled_from(["ring", "", "chain"]),
        st.sampled_from(["", "", "", "void", "fine", "gone"]),
        promised,
    )
    return {name: draw(value) for name, value in zip(columns_of(promise), values, strict=True)}


@st.composite
def moments(draw: st.DrawFn, base: datetime, *, hours: int = 90) -> datetime:
    """Return a moment soon after the base, on a coarse grid so that ties are frequent."""
    grid = base + timedelta(minutes=30 * draw(st.integers(0, 2 * hours)))
    return grid + timedelta(microseconds=draw(st.sampled_from([0, 0, 0, 0, 1, 500_000])))


def written(draw: st.DrawFn, moment: datetime) -> str:
    """Return how a log might write a time: with an offset or on a wall clock, that clocks may have skipped."""
    shape = draw(st.sampled_from(["Z", "offset", "naive"]))
    if shape == "Z":
        return moment.isoformat().replace("+00:00", "Z")
    if shape == "offset":
        return moment.astimezone(ZoneInfo(draw(st.sampled_from(ZONES)))).isoformat()
    return moment.replace(tzinfo=None).isoformat(sep=draw(st.sampled_from([" ", "T"])))


@st.composite
def time_texts(draw: st.DrawFn, base: datetime) -> str:
    """Return some time as a log might write it."""
    return written(draw, draw(moments(base)))


ODDLY: Final = st.sampled_from([False] * 24 + [True])


def _rarely(draw: st.DrawFn, usual: str, odd: st.SearchStrategy[str]) -> str:
    return draw(odd) if draw(ODDLY) else usual


class Step(NamedTuple):
    """A status that an order reaches, and when."""

    order: str
    status: str
    moment: datetime


def _steps(draw: st.DrawFn, base: datetime) -> list[Step]:
    """Return the ways of a few orders: mostly along the main line, with rework and jumps; orders one by one."""
    found: list[Step] = []
    for order in draw(st.lists(st.sampled_from(ORDERS), min_size=1, max_size=4, unique=True)):
        moment = draw(moments(base, hours=12))
        place = draw(st.sampled_from([0, 0, 0, 1, 2]))
        for _ in range(draw(st.integers(1, 8))):
            status = MAIN[min(max(place, 0), 4)]
            found.append(Step(order, draw(st.sampled_from(KNOWN)) if draw(JUMPS) else status, moment))
            place += draw(st.sampled_from([1, 1, 1, 1, 2, 0, -1]))
            moment += timedelta(minutes=30 * draw(st.sampled_from([0, 1, 2, 3, 5, 8, 13, 40, 90])))
            moment += timedelta(microseconds=draw(st.sampled_from([0, 0, 0, 1])))
    return found


JUMPS: Final = st.sampled_from([False] * 7 + [True])


def _shuffled(draw: st.DrawFn, rows: list[Any]) -> list[Any]:
    return list(draw(st.permutations(rows))) if draw(st.booleans()) else rows


@st.composite
def logs(draw: st.DrawFn, kind: str, promise: Json, base: datetime) -> bytes:
    """Return a log of a kind that fits the promise's ``log``."""
    return {"csv": _events, "intervals": _activities, "wide": _wide, "xes": _xes, "cloudevents": _cloudevents}[kind](
        draw, promise, base
    )


def _status(draw: st.DrawFn, step: Step) -> str:
    return _rarely(draw, step.status, st.sampled_from(["", " ", *UNKNOWN]))


def _time(draw: st.DrawFn, step: Step) -> str:
    return _rarely(draw, written(draw, step.moment), st.sampled_from(NO_TIMES))


def _order(draw: st.DrawFn, order: str) -> str:
    return _rarely(draw, order, st.sampled_from(["", " "]))


def _repeated(draw: st.DrawFn, rows: list[Any]) -> list[Any]:
    """Return the rows with some of them a second time, somewhere later or right behind."""
    for place in draw(st.lists(st.integers(0, max(len(rows) - 1, 0)), max_size=2)) if rows else ():
        rows.insert(draw(st.integers(place, len(rows))), rows[place])
    return rows


class Quoting(csv.excel):
    """Every cell in quotes."""

    quoting = csv.QUOTE_ALL


def _table(draw: st.DrawFn, columns: list[str], rows: list[dict[str, str]]) -> bytes:
    shown = draw(st.permutations(columns))
    text = io.StringIO()
    break_, dialect = draw(st.sampled_from(["\n", "\r\n"])), draw(st.sampled_from([csv.excel, Quoting]))
    writer = csv.DictWriter(text, shown, extrasaction="ignore", dialect=dialect, lineterminator=break_)
    writer.writeheader()
    writer.writerows(rows)
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.getvalue().encode()


def _kept_columns(draw: st.DrawFn, promise: Json) -> list[str]:
    """Return the attribute columns that the file really has; `promised_at` is seldom missing."""
    return [name for name in columns_of(promise) if draw(st.integers(0, 9)) or name == "promised_at"]


def _events(draw: st.DrawFn, promise: Json, base: datetime) -> bytes:
    keys = promise["log"]
    rows = []
    for step in _steps(draw, base):
        row = draw(attributes(promise, time_texts(base)))
        row[keys["order"]] = _order(draw, step.order)
        rows.append(row | {keys["status"]: _status(draw, step), keys["time"]: _time(draw, step)})
    columns = [keys["order"], keys["status"], keys["time"], *_kept_columns(draw, promise)]
    return _table(draw, columns, _repeated(draw, _shuffled(draw, rows)))


def _activities(draw: st.DrawFn, promise: Json, base: datetime) -> bytes:
    keys = promise["log"]
    rows = []
    for step in _steps(draw, base):
        row = draw(attributes(promise, time_texts(base)))
        begin = step.moment
        # Mostly short, so that one begins where another ends; some backwards, some without an end.
        minutes = draw(st.sampled_from([0, 0, 30, 30, 60, 90, 300, 1440, -30]))
        finish = draw(st.sampled_from([begin + timedelta(minutes=minutes)] * 7 + [None]))
        row |= {
            keys["order"]: _order(draw, step.order),
            keys["status"]: _status(draw, step),
            keys["start"]: _rarely(draw, begin.isoformat(), st.sampled_from(NO_TIMES)),
            keys["end"]: _rarely(draw, finish.isoformat() if finish else "", st.sampled_from(NO_TIMES)),
        }
        rows.append(row)
    columns = [keys["order"], keys["status"], keys["start"], keys["end"], *_kept_columns(draw, promise)]
    return _table(draw, columns, _repeated(draw, _shuffled(draw, rows)))


def _wide(draw: st.DrawFn, promise: Json, base: datetime) -> bytes:
    keys = promise["log"]
    cells = keys["statuses"]
    rows = []
    by_order: dict[str, dict[str, str]] = {}
    for step in _steps(draw, base):
        by_order.setdefault(step.order, {})[cells[step.status]] = _time(draw, step)
    for order, reached in by_order.items():
        row = draw(attributes(promise, time_texts(base)))
        rows.append(row | {keys["order"]: _order(draw, order)} | (reached if not draw(ODDLY) else {}))
    return _table(draw, [keys["order"], *cells.values(), *_kept_columns(draw, promise)], _repeated(draw, rows))


def _xes(draw: st.DrawFn, promise: Json, base: datetime) -> bytes:
    traces = []
    steps = _steps(draw, base)
    for order in dict.fromkeys(step.order for step in steps):
        of_trace = draw(attributes(promise, time_texts(base)))
        of_events = [name for name in of_trace if draw(st.booleans())]
        named = {"concept:name": _order(draw, order)}
        named |= {name: value for name, value in of_trace.items() if name not in of_events}
        events = []
        for step in (step for step in steps if step.order == order):
            found = draw(attributes(promise, time_texts(base)))
            event = {"concept:name": _status(draw, step), "time:timestamp": _time(draw, step)}
            event |= {name: found[name] for name in of_events}
            if lifecycle := draw(st.sampled_from(["complete"] * 5 + ["start", ""])):
                event["lifecycle:transition"] = lifecycle
            events.append(f"<event>{_elements(event)}</event>")
        events = _repeated(draw, _shuffled(draw, events))
        parts = [events] if draw(st.booleans()) else [events[:2], events[2:]]
        traces += [f"<trace>{_elements(named)}{''.join(part)}</trace>" for part in parts]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0">{"".join(traces)}</log>'.encode()


def _elements(values: dict[str, str]) -> str:
    return "".join(f"<string key={quoteattr(name)} value={quoteattr(value)}/>" for name, value in values.items())


def _cloudevents(draw: st.DrawFn, promise: Json, base: datetime) -> bytes:
    lines = []
    sequenced = draw(st.sampled_from(["all", "all", "some", "none"]))
    counts: Counter[tuple[str, str]] = Counter()
    for number, step in enumerate(_steps(draw, base)):
        source = draw(st.sampled_from(SOURCES))
        counts[step.order, source] += 1
        event: Json = {
            "specversion": "1.0",
            "type": "order.status.changed.v1",
            "id": _rarely(draw, str(number), st.sampled_from(["", "0", "1"])),
            "source": source,
            "subject": _order(draw, step.order),
            "time": _time(draw, step),
            "data": {"status": _status(draw, step), "order": draw(attributes(promise, time_texts(base)))},
        }
        if sequenced == "all" or (sequenced == "some" and draw(st.integers(0, 3))):
            found = draw(st.integers(1, 6)) if draw(ODDLY) else counts[step.order, source]
            event["sequence"] = draw(st.sampled_from([found, str(found)]))
        lines.append(json.dumps(event, ensure_ascii=draw(st.booleans())))
    return "\n".join(_repeated(draw, _shuffled(draw, lines))).encode()


KINDS: Final = ("csv", "intervals", "wide", "xes", "cloudevents")


@st.composite
def cases(draw: st.DrawFn, kind: str) -> tuple[Json, bytes, datetime | None]:
    """Return a promise file, a log that it describes, and a moment to judge it as of (None: the log's own)."""
    base = draw(st.sampled_from(BASES))
    promise = draw(promises(kind))
    log = draw(logs(kind, promise, base))
    return promise, log, draw(st.none() | moments(base, hours=120).map(lambda moment: moment.astimezone(UTC)))
