"""Open any log that a promise file describes, and stream its orders as clean batches of status changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from collectors.promise.model import DONE, PromiseFile
from collectors.sources.csv_log import read_events, read_wide
from collectors.sources.engine import EARLIEST_US, LATEST_US, NO_MOMENT, open_engine, promised_sql, rows, value
from collectors.sources.opening import LogFile, open_log
from collectors.sources.quarantine import BadRecord, Quarantine
from collectors.timelines.batch import EventBatch
from collectors.timelines.codebook import Codebook
from collectors.timelines.intervals import RUNNING, status_changes
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from numpy.typing import NDArray

BATCH_EVENTS = 262_144
Part = TypeVar("Part")
Progress = Callable[[str, float], None]


@dataclass
class LoadedLog:
    """A log in the engine. ``duplicates``: records dropped as repeats so far."""

    connection: duckdb.DuckDBPyConnection
    file: LogFile
    codebook: Codebook
    attributes: tuple[str, ...]
    quarantine: Quarantine
    duplicates: int = 0
    skewed: int = 0
    _dimensions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def promise(self) -> PromiseFile:
        """The promise that the log is read by."""
        return self.codebook.promise

    @cached_property
    def sequenced(self) -> bool:
        """Whether events carry sequences, which then order them within their source."""
        return self.promise.log.format == "cloudevents" and bool(value(self.connection, "SELECT count(seq) FROM raw"))

    def finish_loading(self) -> None:
        """Quarantine what cannot be used, and give orders, statuses, sources and attribute values their numbers."""
        self._mark_moments_out_of_bounds()
        self._number_orders()
        if self._any_unusable():
            self._quarantine_unusable()
            self._number_orders()
        if self.promise.log.has_intervals:
            self._settle_intervals()
        elif self.sequenced:
            self._fill_sequences()
        self._number_statuses()
        for place, attribute in enumerate(self.attributes):
            self._number_values(f"a{place}", attribute)
        if self.promise.log.format == "cloudevents":
            self._number_values("source", "source")

    def _number_orders(self) -> None:
        self.connection.execute(
            "CREATE OR REPLACE TABLE orders AS SELECT o, (row_number() OVER () - 1)::INTEGER AS i FROM "
            "(SELECT DISTINCT o FROM raw ORDER BY ALL)"
        )

    def _any_unusable(self) -> bool:
        # Few texts are distinct, so looking for blank ones among these spares a look at every row.
        marked = value(self.connection, "SELECT count(bad) FROM raw")
        blank = "count(*) FILTER (coalesce(trim({0}), '') = '')"
        orders = value(self.connection, f"SELECT {blank.format('o')} FROM orders")
        statuses = value(self.connection, f"SELECT {blank.format('s')} FROM (SELECT DISTINCT s FROM raw)")
        return bool(marked or orders or statuses)

    def _mark_moments_out_of_bounds(self) -> None:
        for moment in ("t0", "t1") if self.promise.log.has_intervals else ("t",):
            bounds = f"{moment} NOT BETWEEN {EARLIEST_US} AND {LATEST_US}"
            if value(self.connection, f"SELECT count(*) FROM raw WHERE {bounds}"):
                self.connection.execute(f"UPDATE raw SET bad = make_timestamp({moment})::VARCHAR WHERE {bounds}")

    def _quarantine_unusable(self) -> None:
        reason = (
            "CASE WHEN coalesce(trim(o), '') = '' THEN 'the order is missing' "
            "WHEN coalesce(trim(s), '') = '' THEN 'the status is missing' "
            "WHEN coalesce(trim(bad), '') = '' THEN 'the time is missing' ELSE 'the time cannot be read' END"
        )
        found = f"SELECT {reason} AS why, rowid + 1 AS line, o, bad, s FROM raw WHERE NOT ({_USABLE})"
        for why, line, order, bad, status in self._listed(found):
            self.quarantine.add(BadRecord(why, f"record {line}", "time" if bad else None, bad, order, status))
        self.connection.execute(f"DELETE FROM raw WHERE NOT ({_USABLE})")

    def _listed(self, found: str) -> Iterator[tuple[str, int, str | None, str | None, str | None]]:
        """Yield the bad records: all where the quarantine wants all, else the first few, the rest as counts."""
        shown = -1 if self.quarantine.wants_all else 100
        total = value(self.connection, f"SELECT count(*) FROM ({found})")
        for number, row in enumerate(
            rows(self.connection, f"{found} ORDER BY line {f'LIMIT {shown}' if shown > 0 else ''}")
        ):
            yield row
            if number + 1 == shown and total > shown:
                rest = f"SELECT why, count(*) FROM ({found} ORDER BY line OFFSET {shown}) GROUP BY ALL"
                for why, count in rows(self.connection, rest):
                    self.quarantine.add(BadRecord(why, "further records", count=count))

    def _settle_intervals(self) -> None:
        once = "row_number() OVER (PARTITION BY o, s, t0, t1 ORDER BY rowid) > 1"
        repeats = f"SELECT rowid FROM raw QUALIFY {once}"
        self.duplicates += value(self.connection, f"SELECT count(*) FROM ({repeats})")
        self.connection.execute(f"DELETE FROM raw WHERE rowid IN ({repeats})")
        why = "'the activity ends before it starts' AS why"
        backwards = f"SELECT {why}, rowid + 1 AS line, o, NULL AS bad, s FROM raw WHERE t1 < t0"
        for why, line, order, _, status in self._listed(backwards):
            self.quarantine.add(BadRecord(why, f"record {line}", "end", None, order, status))
        self.connection.execute("DELETE FROM raw WHERE t1 < t0")

    def _fill_sequences(self) -> None:
        """Give events a sequence, by time and then arrival, where their source gave an order's events no whole one."""
        gaps = "SELECT o, source FROM raw GROUP BY o, source HAVING count(seq) < count(*)"
        if not value(self.connection, f"SELECT count(*) FROM ({gaps})"):
            return
        self.connection.execute(
            "UPDATE raw SET seq = n.n FROM (SELECT rowid AS r, "
            "row_number() OVER (PARTITION BY o, source ORDER BY t, rowid) AS n "
            f"FROM raw SEMI JOIN ({gaps}) USING (o, source)) AS n WHERE raw.rowid = n.r"
        )

    def _number_statuses(self) -> None:
        suffix = DONE if self.promise.log.marks == "completion" else ""
        known = self.codebook.code_of
        codes, next_code = [], len(self.codebook.statuses)
        for (status,) in rows(self.connection, "SELECT DISTINCT s FROM raw ORDER BY s"):
            code = known.get(status + suffix) if status in known else None
            if code is None:
                code, next_code = next_code, next_code + 1
            codes.append((status, code))
        self._dimensions["status"] = [""] * next_code
        for status, code in codes:
            self._dimensions["status"][code] = status
        self.connection.execute(
            "CREATE TABLE statuses AS SELECT unnest($1::VARCHAR[]) AS s, unnest($2::INTEGER[]) AS k",
            [[status for status, _ in codes], [code for _, code in codes]],
        )

    def _number_values(self, column: str, name: str) -> None:
        self.connection.execute(
            f"CREATE TABLE values_{column} AS "
            f"SELECT {column}, (row_number() OVER () - 1)::INTEGER AS {column}_code "
            f"FROM (SELECT DISTINCT {column} FROM raw WHERE trim({column}) <> '' ORDER BY ALL)"
        )
        texts = rows(self.connection, f"SELECT {column} FROM values_{column} ORDER BY {column}_code")
        self._dimensions[name] = [text for (text,) in texts]

    @cached_property
    def last_event(self) -> int | None:
        """The latest moment at which a known status is reported (with start and end: at which an activity ends)."""
        return self._latest("")

    def last_event_without(self, orders: NDArray[np.int64]) -> int | None:
        """Return the latest such moment of all orders but these, None where nothing is left."""
        left_out = "CREATE TABLE left_out AS SELECT unnest($1::INTEGER[]) AS i"
        self.connection.execute(left_out, [orders.tolist()])
        return self._latest("JOIN orders USING (o) ANTI JOIN left_out USING (i)")

    def _latest(self, joins: str) -> int | None:
        moment = "coalesce(max(t1), max(t0))" if self.promise.log.has_intervals else "max(t)"
        known = f"k < {len(self.codebook.statuses)}"
        found = value(self.connection, f"SELECT {moment} FROM raw JOIN statuses USING (s) {joins} WHERE {known}")
        return None if found is None else int(found)

    @cached_property
    def events_expected(self) -> int:
        """The number of records to stream, for progress."""
        return int(value(self.connection, "SELECT count(*) FROM raw"))

    def values(self, name: str) -> list[str]:
        """Return the texts behind an attribute's numbers (``source``, ``status`` or an attribute's name)."""
        return self._dimensions.get(name, [])

    def names(self, orders: Sequence[int] | NDArray[np.int64]) -> dict[int, str]:
        """Return the names behind order numbers."""
        wanted = ", ".join(str(int(number)) for number in orders)
        return dict(rows(self.connection, f"SELECT i, o FROM orders WHERE i IN ({wanted})")) if wanted else {}

    def moments(self, name: str, *, by_day: bool) -> NDArray[np.int64]:
        """Read an attribute's values as moments in microseconds since 1970 UTC; NO_MOMENT where a value is no time.

        ``by_day``: the last microsecond of that day in the log's time zone.
        """
        column = f"a{self.attributes.index(name)}"
        sql = f"coalesce({promised_sql(column, self.promise.log, by_day=by_day)}, {NO_MOMENT})"
        found = rows(self.connection, f"SELECT {sql} FROM values_{column} ORDER BY {column}_code")
        return np.array([moment for (moment,) in found], dtype=np.int64)

    def batches(self, size: int = BATCH_EVENTS) -> Iterator[EventBatch]:
        """Yield batches of whole orders: sorted by time and place in the log, or by source and sequence."""
        intervals = self.promise.log.has_intervals
        for columns in _whole_orders(self._stream(size)):
            if intervals:
                yield self._from_intervals(columns)
            else:
                yield self._from_events(columns)

    def _stream(self, size: int) -> Iterator[dict[str, NDArray[np.int64]]]:
        selected = ["i", "k"]
        joins = ["JOIN orders USING (o)", "JOIN statuses USING (s)"]
        by = "i, t, raw.rowid"
        if self.promise.log.has_intervals:
            selected += ["t0", f"coalesce(t1, {RUNNING}) AS t1"]
            by = "i, t0, raw.rowid"
        else:
            selected.append("t")
        coded = [f"a{place}" for place in range(len(self.attributes))]
        if self.promise.log.format == "cloudevents":
            coded.append("source")
            if self.sequenced:
                selected.append("seq")
                by = "i, source_code, seq, t, raw.rowid"
        for column in coded:
            selected.append(f"coalesce({column}_code, -1) AS {column}_code")
            joins.append(f"LEFT JOIN values_{column} USING ({column})")
        query = f"SELECT {', '.join(selected)} FROM raw {' '.join(joins)} ORDER BY {by}"
        with self.connection.cursor() as cursor:
            yield from _ahead(_columns(cursor.sql(query).to_arrow_reader(size)), cursor)

    def _attribute_columns(self, columns: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        return {name: columns[f"a{place}_code"] for place, name in enumerate(self.attributes)}

    def _from_events(self, columns: dict[str, NDArray[np.int64]]) -> EventBatch:
        return EventBatch(
            order=columns["i"],
            at=columns["t"],
            code=columns["k"],
            source=columns.get("source_code"),
            sequence=columns.get("seq"),
            attributes=self._attribute_columns(columns),
        )

    def _from_intervals(self, columns: dict[str, NDArray[np.int64]]) -> EventBatch:
        known = columns["k"] < len(self.codebook.statuses)
        if not known.all():
            self.quarantine_statuses(columns["k"][~known], columns["i"][~known])
            columns = {name: values[known] for name, values in columns.items()}
        done = np.array([self.codebook.code_of.get(status + DONE, -1) for status in self.codebook.statuses])
        code = columns["k"]
        return status_changes(
            columns["i"], columns["t0"], columns["t1"], code, done[code], self._attribute_columns(columns)
        )

    def quarantine_statuses(self, codes: NDArray[np.int64], orders: NDArray[np.int64]) -> None:
        """Put events with unknown statuses into quarantine."""
        texts = self.values("status")
        if self.quarantine.wants_all:
            names = self.names(np.unique(orders))
            for code, order in zip(codes.tolist(), orders.tolist(), strict=True):
                name = names[order]
                self.quarantine.add(
                    BadRecord("the promise does not know this status", f"order {name}", "status", texts[code], name)
                )
            return
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            text = texts[code]
            self.quarantine.add(
                BadRecord("the promise does not know this status", "events", "status", text, count=int(count))
            )


_USABLE = "coalesce(trim(o), '') <> '' AND coalesce(trim(s), '') <> '' AND bad IS NULL"


def _columns(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, NDArray[np.int64]]]:
    # Codes are narrow in the engine, since what is sorted is copied, and wide in the kernel.
    for batch in batches:
        columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
        yield {name: values.astype(np.int64, copy=False) for name, values in columns.items()}


def _ahead(parts: Iterator[Part], cursor: duckdb.DuckDBPyConnection) -> Iterator[Part]:
    """Fetch the next part in a thread while the last one is measured."""
    with ThreadPoolExecutor(1, thread_name_prefix="fetch") as thread:
        try:
            coming = thread.submit(next, parts, None)
            while (part := coming.result()) is not None:
                coming = thread.submit(next, parts, None)
                yield part
        except BaseException:
            cursor.interrupt()
            raise


def _whole_orders(parts: Iterator[dict[str, NDArray[np.int64]]]) -> Iterator[dict[str, NDArray[np.int64]]]:
    """Cut a sorted stream between orders, so that no order is split over two batches."""
    held: list[dict[str, NDArray[np.int64]]] = []
    for part in parts:
        order = part["i"]
        if not len(order):
            continue
        cut = int(np.searchsorted(order, order[-1], side="left"))
        if cut == 0 and held and held[-1]["i"][-1] == order[0]:
            held.append(part)
            continue
        yield _joined([*held, {name: values[:cut] for name, values in part.items()}])
        held = [{name: values[cut:] for name, values in part.items()}]
    if held:
        yield _joined(held)


def _joined(parts: list[dict[str, NDArray[np.int64]]]) -> dict[str, NDArray[np.int64]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@contextlib.contextmanager
def load_log(
    path: Path, promise: PromiseFile, quarantine: Quarantine, progress: Progress | None = None
) -> Iterator[LoadedLog]:
    """Read a log by its promise file into a temporary engine.

    ``progress`` is called with what is being done and a share between 0 and 1. Raises BadInput where the file is not
    what the promise file says; single bad records go to the quarantine.
    """
    file = open_log(path)
    log = promise.log
    attributes = tuple(dict.fromkeys([*promise.attributes(), *log.cancelled_when]))
    with open_engine() as connection:
        loaded = LoadedLog(connection, file, Codebook(promise), attributes, quarantine)
        if log.format == "csv":
            read_events(connection, file, log, attributes, quarantine)
        elif log.format == "wide":
            loaded.duplicates += read_wide(connection, file, log, attributes, quarantine)
        elif log.format == "xes":
            from collectors.sources.xes_log import read_xes_log

            read_xes_log(connection, file, log, attributes, quarantine, progress)
        else:
            from collectors.sources.cloudevents_log import read_cloudevents

            loaded.duplicates += read_cloudevents(connection, file, log, attributes, quarantine)
        loaded.finish_loading()
        if loaded.last_event is None:
            raise BadInput(_nothing_usable(loaded))
        yield loaded


def _nothing_usable(loaded: LoadedLog) -> str:
    texts = [text for text in loaded.values("status") if text][:5]
    if texts and loaded.events_expected:
        return (
            f"{loaded.file.name}: the promise `{loaded.promise.name}` knows none of its statuses "
            f"({', '.join(texts)} ...); `touchstone promise init {loaded.file.name}` drafts a promise file for this log"
        )
    reasons = "; ".join(f"{count:,} times: {reason}" for reason, count in loaded.quarantine.counts.most_common(3))
    return f"{loaded.file.name}: holds no usable record ({reasons or 'only a header'}); check `log` in the promise file"
