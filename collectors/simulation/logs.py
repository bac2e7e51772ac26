"""Writing what the house logged: CSV for replay, CloudEvents for a live collector."""

from __future__ import annotations

import csv
import json
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TextIO

from collectors.simulation.settings import REPORTED_BY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from collectors.simulation.house import StatusChange

COLUMNS = ("order_id", "status", "at", "channel", "product")


def write_csv(events: Iterable[StatusChange], stream: TextIO) -> int:
    """Write one line per status change under the header COLUMNS; returns how many.

    Read it with `log: {format: csv, order: order_id, status: status, time: at, timezone: UTC}`.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for event in events:
        writer.writerow((event.order, event.status, _iso(event), event.channel, event.product))
        written += 1
    return written


def write_cloudevents(events: Iterable[StatusChange], stream: TextIO) -> int:
    """Write one CloudEvents 1.0 JSON document per line; returns how many."""
    written = 0
    for event in cloudevents(events):
        stream.write(json.dumps(event, separators=(",", ":")) + "\n")
        written += 1
    return written


def cloudevents(events: Iterable[StatusChange]) -> Iterator[dict[str, Any]]:
    """Yield each status change as the event that the owner of the status would publish (CloudEvents 1.0).

    `sequence` counts from 1 per order and source (the sequence extension, `sequencetype: Integer`). An order
    is one trace, each event a span of it (W3C Trace Context); both ids follow from the order: a log repeats.
    """
    sequences: Counter[tuple[str, str]] = Counter()
    for event in events:
        source = REPORTED_BY[event.status]
        sequences[event.order, source] += 1
        sequence = sequences[event.order, source]
        identity = f"{event.order}{source}/{sequence}"
        yield {
            "specversion": "1.0",
            "id": identity,
            "source": source,
            "type": "order.status.changed.v1",
            "subject": event.order,
            "time": _iso(event),
            "sequence": str(sequence),
            "sequencetype": "Integer",
            "traceparent": f"00-{_digest(event.order)[:32]}-{_digest(identity)[:16]}-01",
            "datacontenttype": "application/json",
            "data": {
                "status": event.status,
                "previous": event.previous,
                "order": {"channel": event.channel, "product": event.product},
            },
        }


def _iso(event: StatusChange) -> str:
    return event.at.isoformat(timespec="microseconds")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
