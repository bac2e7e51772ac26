"""What happened to single orders: their events and their time in every stage, looked up for the few that are shown."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.replay import Line, Terms, log_line
from collectors.sources.engine import open_engine
from collectors.sources.quarantine import Quarantine
from collectors.timelines.judging import VERDICTS, Judged, judge
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from collectors.sources.log import LoadedLog
    from collectors.timelines.batch import EventBatch

MOST_EVENTS: Final = 40  # of one order
_BATCH: Final = 10_000_000  # more events than any excerpt has: one batch


@dataclass(frozen=True)
class Step:
    """An event of an order: when, the status, which system said so, and the stage it led to (None: none)."""

    at: int
    status: str
    source: str | None
    stage: str | None
    known: bool


@dataclass(frozen=True)
class Stay:
    """An unbroken stay in a stage, in microseconds; ``stage`` is its number."""

    stage: int
    begin: int
    finish: int


@dataclass(frozen=True)
class Journey:
    """One order from its first event to its last. ``end``: None while it is under way.

    ``steps_left_out``: events in the middle that are too many to show. ``rescuers``: the stages that rescue it.
    """

    order: int
    name: str
    verdict: str
    start: int
    end: int | None
    promise_at: int
    lead_us: int
    segments: dict[str, str]
    steps: list[Step]
    steps_left_out: int
    stays: list[Stay]
    rescuers: list[str]


def journeys(log: LoadedLog, orders: Sequence[int], as_of: int) -> dict[int, Journey]:
    """Look up the journeys of a few orders by their numbers, as the replay saw them."""
    if not orders:
        return {}
    with _excerpt(log, orders) as part:
        names = part.names(orders)
        found: dict[int, Journey] = {}
        for batch in part.batches(_BATCH):
            line = log_line(part, batch, as_of)
            terms = Terms(part)
            promised, withdrawn = terms.promised(line.measured), terms.withdrawn(line.measured)
            judged = judge(line.measured, part.codebook, as_of, promised, withdrawn=withdrawn)
            found |= _read(part, batch, judged, line, names)
        return found


@contextlib.contextmanager
def _excerpt(log: LoadedLog, orders: Sequence[int]) -> Iterator[LoadedLog]:
    """Copy a few orders of a log into an engine of their own, where they read as they do in the whole log."""
    wanted = ", ".join(str(int(number)) for number in orders)
    chosen = f"SELECT o FROM orders WHERE i IN ({wanted})"
    with open_engine() as connection:
        _copy(log, connection, "orders", f"SELECT * FROM orders WHERE o IN ({chosen})")
        _copy(log, connection, "raw", f"SELECT * FROM raw WHERE o IN ({chosen}) ORDER BY rowid")
        _copy(log, connection, "statuses", "SELECT * FROM statuses")
        dimensions = [f"a{place}" for place in range(len(log.attributes))]
        for column in [*dimensions, *(["source"] if log.promise.log.format == "cloudevents" else [])]:
            # A value keeps its number; the texts that these orders do not have, which may be millions, go.
            used = f"SELECT {column} FROM raw WHERE o IN ({chosen})"
            _copy(
                log,
                connection,
                f"values_{column}",
                f"SELECT CASE WHEN {column} IN ({used}) THEN {column} END AS {column}, {column}_code "
                f"FROM values_{column}",
            )
        yield replace(log, connection=connection, quarantine=Quarantine())


def _copy(log: LoadedLog, target: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    target.register("incoming", log.connection.execute(query).to_arrow_table())
    target.execute(f"CREATE TABLE {table} AS SELECT * FROM incoming")
    target.unregister("incoming")


def _read(log: LoadedLog, batch: EventBatch, judged: Judged, line: Line, names: dict[int, str]) -> dict[int, Journey]:
    result = {}
    stays = _stays(judged, line)
    measured, as_of = judged.measured, judged.as_of
    for row, number in enumerate(measured.order.tolist()):
        steps = _steps(log, batch.take(batch.order == number))
        shown = steps if len(steps) <= MOST_EVENTS else [*steps[: MOST_EVENTS // 2], *steps[-MOST_EVENTS // 2 :]]
        started, end = measured.start[row] != NEVER, int(measured.end[row])
        cancelled = int(measured.cancelled[row])
        begun = int(measured.start[row]) if started else steps[0].at
        if cancelled != NEVER:
            end = cancelled
        result[number] = Journey(
            order=number,
            name=names.get(number, ""),
            verdict=VERDICTS[int(judged.verdict[row])],
            start=begun,
            end=None if end == NEVER else end,
            promise_at=int(judged.promise_at[row]),
            lead_us=(as_of if end == NEVER else end) - begun,
            segments=_segments(log, judged, row),
            steps=shown,
            steps_left_out=len(steps) - len(shown),
            stays=[stay for stay in stays.get(number, []) if stay.begin < cancelled],
            rescuers=[log.codebook.stages[stage] for stage in np.flatnonzero(judged.rescued[row])],
        )
    return result


def _segments(log: LoadedLog, judged: Judged, row: int) -> dict[str, str]:
    numbers = {name: int(judged.measured.attributes[name][row]) for name in log.promise.segments}
    return {name: log.values(name)[number] for name, number in numbers.items() if number >= 0}


def _steps(log: LoadedLog, events: EventBatch) -> list[Step]:
    codebook, statuses = log.codebook, log.values("status")
    sources = log.values("source")
    by_time = np.argsort(events.at, kind="stable")
    steps = []
    for place in by_time.tolist():
        code = int(events.code[place])
        known = code < len(codebook.statuses)
        source = int(events.source[place]) if events.source is not None else -1
        steps.append(
            Step(
                at=int(events.at[place]),
                status=codebook.statuses[code] if known else statuses[code],
                source=sources[source] if source >= 0 else None,
                stage=codebook.stages[codebook.stage_of[code]] if known else None,
                known=known,
            )
        )
    return steps


def _stays(judged: Judged, line: Line) -> dict[int, list[Stay]]:
    """Return each order's stays, stretches of one visit joined; the last one lasts until now if it is under way."""
    orders = line.moving.order[line.moving.first]
    stretches = line.stretches
    result: dict[int, list[Stay]] = {}
    columns = (stretches.row, stretches.stage, stretches.begin, stretches.finish, stretches.enters, stretches.closed)
    for row, stage, begin, finish, enters, closed in zip(*(c.tolist() for c in columns), strict=True):
        stays = result.setdefault(int(orders[row]), [])
        until = finish if closed else max(judged.as_of, finish)
        if stays and not enters:
            stays[-1] = Stay(stage, stays[-1].begin, until)
        else:
            stays.append(Stay(stage, begin, until))
    return result
