"""A second, independent implementation of the exact definitions, to hold the real collector against.

Written from the definitions alone, in plain loops over one order at a time: slow, short and easy to check
by hand. It shares no code with what it checks, and must never import it. What `replay` returns is printed by
`python -m tests.reference LOG --promise FILE [--as-of TIME]`.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from . import moments, promise, reading, tables, timeline, verdicts

__all__ = ["replay"]


def replay(log: Path, promise_file: Path, as_of: datetime | None = None) -> dict[str, Any]:
    """Return the document of `replay --json`, save `culprit.since`.

    Durations are seconds, moments ISO 8601 in UTC. A naive `as_of` is in the log's time zone. Raises
    ValueError where the log is of no known kind or lacks a column.
    """
    read = promise.load(promise_file)
    history = timeline.history(reading.load(log, read), read)
    now = history.last if as_of is None else moments.moment_of(as_of, read.timezone)
    seen = [_until(order, now) for order in history.orders if now is not None]
    judged = [verdicts.judge(order, read, now) for order in seen if order.steps and now is not None]
    return {
        "promise": read.name,
        "log": log.name,
        "as_of": None if now is None else moments.iso(now),
        "events": sum(len(order.steps) for order in seen),
        "duplicates": history.duplicates,
        "quarantined": history.quarantined,
        **tables.summary(judged, read, now),
        "segments": tables.segments(judged, read, now),
    }


def _until(order: timeline.Order, now: int) -> timeline.Order:
    # Attributes stay whole: quarantine for want of one has already looked at all of the file.
    return replace(order, steps=[step for step in order.steps if step.time <= now])
