"""Draft a promise file: look at the log, guess, write the guesses down, and check that they hold together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.drafting.columns import look_at
from collectors.drafting.history import clock
from collectors.drafting.house import draft_from_house
from collectors.drafting.main_line import find_line
from collectors.drafting.observed import Line
from collectors.drafting.promising import kept_share, propose_within
from collectors.drafting.reading_cloudevents import read_cloudevents_log
from collectors.drafting.reading_csv import read_events_csv
from collectors.drafting.reading_wide import read_wide_csv
from collectors.drafting.reading_xes import read_xes_log
from collectors.drafting.recognising import choose_delimiter, recognise
from collectors.drafting.roles import EventRoles, choose_roles
from collectors.drafting.staging import find_stages
from collectors.drafting.wording import percent, said, written
from collectors.drafting.writing import Draft, seen_in, write
from collectors.promise.checking import check_document
from collectors.promise.document import parse_document
from collectors.sources.engine import open_engine
from collectors.sources.opening import open_log
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.drafting.history import Clock, Floats, History
    from collectors.drafting.main_line import Line as MainLine
    from collectors.drafting.observed import Observed

_OBJECTIVE: Final = "90%"
_COMMON: Final = 0.5


def draft_promise(path: Path) -> str:
    """Draft a complete promise file for a log. Raises BadInput where the file is no log."""
    observed = _observe(path)
    text = draft_from_house(observed) or _draft(observed, path)
    findings, promise = check_document(parse_document(text, "draft"))
    if promise is None:
        found = "; ".join(str(finding) for finding in findings if finding.severity == "error")
        raise TouchstoneError(f"{observed.name}: the draft of its promise file is wrong ({found}); please report this")
    return text


def _observe(path: Path) -> Observed:
    file = open_log(path)
    kind = recognise(file)
    with open_engine() as connection:
        if kind == "xes":
            return read_xes_log(connection, file)
        if kind == "cloudevents":
            return read_cloudevents_log(connection, file)
        table = look_at(connection, file, choose_delimiter(file.text()) or ",")
        roles = choose_roles(connection, table)
        if isinstance(roles, EventRoles):
            return read_events_csv(connection, table, roles)
        return read_wide_csv(connection, table, roles)


def _draft(observed: Observed, path: Path) -> str:
    history = observed.history
    line = find_line(history, wide=observed.wide, can_end=observed.marks != "intervals")
    timed = clock(history, line.start, line.end)
    terms, promise_s = _terms(observed, line, timed)
    stages = find_stages(
        history, line, timed, promise_s, marks=observed.marks, wide=observed.wide, owners=observed.owners
    )
    reasons = [seen_in(float(share)) for share in history.share]

    def listed(statuses: list[int]) -> list[tuple[str, str]]:
        return [(history.statuses[status], reasons[status]) for status in statuses]

    stem = path.name.split(".")[0] if path.name != "-" else ""
    draft = Draft(stem or "draft", observed, listed(line.main), listed(line.off), listed(line.cancelled), stages, terms)
    return write(draft)


def _terms(observed: Observed, line: MainLine, timed: Clock) -> tuple[list[Line], int]:
    """Return the lines of the promise and its length in seconds, which the budgets share out."""
    history = observed.history
    start, end = _end_lines(observed, line)
    objective = Line("objective", _OBJECTIVE, "a guess: the share of orders that must keep it")
    if observed.by and timed.promise_us is not None:
        promised = timed.promise_us[timed.promise_us > 0]
        usual = float(np.median(promised)) if len(promised) else 86_400e6
        kept = float((timed.lead_us <= timed.promise_us).mean()) if len(timed.lead_us) else 0.0
        first, *rest = observed.by
        why = f"{first.why}; half of them have {said(usual)} or more, and {percent(kept)} of finished orders kept it"
        return [start, end, Line(first.key, first.value, why), *rest, objective], max(60, int(usual / 1e6))
    within = propose_within(timed.lead_us)
    middle = float(np.median(timed.lead_us)) if len(timed.lead_us) else 0.0
    why = (
        f"{percent(kept_share(timed.lead_us, within))} of {len(timed.lead_us):,} finished orders took at most that, "
        f"half of them {said(middle)}"
    )
    sampled = "" if sum(history.counts) <= 2 * len(history.order) else " (a sample)"
    return [start, end, Line("within", written(within), why + sampled), objective], within


def _end_lines(observed: Observed, line: MainLine) -> tuple[Line, Line]:
    history = observed.history
    if line.start is not None:
        start = Line("from", history.statuses[line.start], _usual(history.begins, line.start, "begin with it"))
    else:
        start = Line("from", "first", "an order's own first event" + _hint(history, history.begins, "begin with"))
    if line.end is not None:
        end = Line("to", history.statuses[line.end], _usual(history.ends, line.end, "end with it"))
    else:
        end = Line(
            "to", "last", "its own last event, so the log counts as finished" + _hint(history, history.ends, "end with")
        )
    return start, end


def _usual(shares: Floats, status: int, what: str) -> str:
    return f"{percent(float(shares[status]))} of orders {what}"


def _hint(history: History, shares: Floats, what: str) -> str:
    best = int(np.argmax(shares))
    if shares[best] < _COMMON:
        return ""
    return f"; {percent(float(shares[best]))} of orders {what} `{history.statuses[best]}`"
