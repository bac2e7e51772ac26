"""An XES log as it is understood: its transitions, and the attributes that its beginning shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

# The exact reader refuses document types; this one only skims a head that the reader reads again.
from xml.parsers import expat

import pyarrow as pa

from collectors.drafting import names
from collectors.drafting.gathering import gather, stage_owners, status_counts
from collectors.drafting.observed import Line, Observed
from collectors.drafting.sampling import MOST_RECORDS, Attribute, owners_of, segments_of
from collectors.drafting.wording import listed, percent
from collectors.promise.model import LogReading
from collectors.sources.engine import moment_sql, quoted, rows, value
from collectors.sources.xes import XesFields, read_xes
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    import duckdb

    from collectors.sources.opening import LogFile
    from collectors.sources.quarantine import BadRecord

_ORDER_KEYS: Final = ("concept:name", "case:concept:name")
_STANDARD: Final = frozenset(
    [
        "schedule",
        "assign",
        "withdraw",
        "reassign",
        "start",
        "suspend",
        "resume",
        "pi_abort",
        "ate_abort",
        "complete",
        "autoskip",
        "manualskip",
        "unknown",
    ]
)
_MOST_ATTRIBUTES: Final = 10
_MOST_VALUES: Final = 30
_NO_TRANSITION: Final = 0.02


@dataclass
class _Skim:
    """The keys on traces and events of a log's head, with some of their values."""

    trace: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    event: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _path: list[str] = field(default_factory=list)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Note an attribute of a trace or an event."""
        self._path.append(name.rpartition(":")[2])
        inside = self._path[:-1]
        found = {2: self.trace, 3: self.event}.get(len(inside)) if inside[:2] == ["log", "trace"] else None
        if found is not None and (len(inside) == 2 or inside[2] == "event") and "key" in attributes:
            values = found[attributes["key"]]
            if len(values) <= _MOST_VALUES and self._path[-1] in {"string", "boolean"}:
                values.add(attributes.get("value", ""))

    def end(self, _name: str) -> None:
        """Leave an element."""
        self._path.pop()


def _skim(file: LogFile) -> _Skim:
    skim = _Skim()
    parser: Any = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = skim.start, skim.end
    try:
        parser.Parse(file.head, False)  # noqa: FBT003 - expat's own signature
    except (expat.ExpatError, LookupError, ValueError):
        return skim
    return skim


def read_xes_log(connection: duckdb.DuckDBPyConnection, file: LogFile) -> Observed:
    """Read an XES log once, keep whole sampled orders, and tell what its ``log`` section is."""
    skim = _skim(file)
    order = next((key for key in _ORDER_KEYS if key in skim.trace), _ORDER_KEYS[0])
    attributes = _attributes(skim)
    _load(connection, file, XesFields(order=order, attributes=tuple(item.name for item in attributes)), attributes)
    if not value(connection, "SELECT count(*) FROM sample WHERE o <> ''"):
        raise BadInput(f"{file.name}: no trace with events has a `concept:name`, the order's id; add it to the traces")
    if not value(connection, "SELECT count(*) FROM tally WHERE s <> ''"):
        raise BadInput(f"{file.name}: no event has a `concept:name`, the status or activity; add it to the events")
    lifecycle, marks, why = _transition(connection)
    kept = "true" if lifecycle is None else f"lower(l) = '{lifecycle.lower()}'"
    counts = status_counts(connection, f"SELECT s, n FROM tally WHERE {kept}")
    connection.execute(
        f"DELETE FROM sample WHERE NOT coalesce({kept}, false) OR coalesce(o, '') = '' OR coalesce(s, '') = ''"
    )
    history = gather(connection, file.name, counts, marks)
    lines = [Line("format", "xes", f"{sum(counts.values()):,} events count")]
    if order != _ORDER_KEYS[0]:
        lines.append(Line("order", order, "the traces have no `concept:name`"))
    if lifecycle is not None:
        lines.append(Line("lifecycle", lifecycle, why))
    if marks == "completion":
        lines.append(Line("marks", marks, "an event says that its activity is complete"))
    return Observed(
        name=file.name,
        log=lines,
        history=history,
        marks=marks,
        segments=segments_of(connection, attributes),
        owners=stage_owners(owners_of(connection, attributes), history.statuses, marks),
    )


def _attributes(skim: _Skim) -> list[Attribute]:
    keys = {key: len(values) for found in (skim.event, skim.trace) for key, values in found.items() if values}
    possible = [
        key
        for key, seen in keys.items()
        if seen <= _MOST_VALUES and (names.segment_points(key) >= 0 or names.is_role(key)) and key not in _ORDER_KEYS
    ]
    best = sorted(possible, key=lambda key: (-names.segment_points(key), not names.is_role(key)))[:_MOST_ATTRIBUTES]
    # The batches of the reader have such columns already, and the engine does not tell upper from lower case.
    taken = {"order", "status", "time", "lifecycle", "row"}
    best = [key for place, key in enumerate(best) if key.casefold() not in taken | {k.casefold() for k in best[:place]}]
    return [Attribute(key, f"a{place}") for place, key in enumerate(best)]


def _load(connection: duckdb.DuckDBPyConnection, file: LogFile, fields: XesFields, attributes: list[Attribute]) -> None:
    """Fill ``tally`` with every status and transition, and ``sample`` with whole orders, fewer as the log grows."""
    bad: Counter[str] = Counter()

    def note(record: BadRecord) -> None:
        bad[record.reason] += record.count

    extra = "".join(f", {item.column} VARCHAR" for item in attributes)
    connection.execute("CREATE TABLE tally (s VARCHAR, l VARCHAR, n BIGINT)")
    connection.execute(f"CREATE TABLE sample (place BIGINT, o VARCHAR, s VARCHAR, l VARCHAR, t BIGINT{extra})")
    chosen = "".join(f", {quoted(item.name)}" for item in attributes)
    parts, held = 1, 0
    for batch in read_xes(file.path, fields, note):
        connection.register("arrived", pa.Table.from_batches([batch]))
        connection.execute("INSERT INTO tally SELECT status, lifecycle, count(*) FROM arrived GROUP BY ALL")
        read = moment_sql("time", LogReading(format="xes"))
        connection.execute(
            f'INSERT INTO sample SELECT "row", "order", status, lifecycle, {read}{chosen} FROM arrived '
            f'WHERE hash("order") % {parts} = 0'
        )
        connection.unregister("arrived")
        held += batch.num_rows // parts
        if held > 2 * MOST_RECORDS:
            parts *= 2
            connection.execute(f"DELETE FROM sample WHERE hash(o) % {parts} <> 0")
            held //= 2


def _transition(connection: duckdb.DuckDBPyConnection) -> tuple[str | None, str, str]:
    """Choose the transition that counts, what its events mark, and say why."""
    found = rows(connection, "SELECT l, sum(n)::BIGINT FROM tally GROUP BY l ORDER BY 2 DESC, 1 NULLS LAST")
    total = sum(count for _, count in found)
    spelled = {text: count for text, count in found if text}
    without = total - sum(spelled.values())
    if not spelled or without > _NO_TRANSITION * total or not {text.lower() for text in spelled} <= _STANDARD:
        return None, "status", ""
    complete = [text for text in spelled if text.lower() == "complete"]
    if complete:
        others = [text for text in spelled if text not in complete]
        share = percent(sum(spelled[text] for text in complete) / total)
        return complete[0], "completion", f"{share} of events" + (f"; {listed(others)} are left out" if others else "")
    start = next((text for text in spelled if text.lower() == "start"), None)
    if start is None or len(spelled) == 1:
        return None, "status", ""
    return start, "status", f"{percent(spelled[start] / total)} of events"
