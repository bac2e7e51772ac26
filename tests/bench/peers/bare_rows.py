"""What the bare inserts store: a row an event, as the live collector keeps them."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

TABLE = """
CREATE TABLE events (arrival {number}, source TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, at BIGINT NOT NULL,
                     status TEXT NOT NULL, sequence BIGINT, attributes TEXT, UNIQUE (source, id))
"""
INSERT = "INSERT INTO events (source, id, name, at, status, sequence, attributes) VALUES ({places})"
BATCH = 500
Row = tuple[str, str, str, int, str, int, str]


def batches(path: str) -> Iterator[list[Row]]:
    """Yield a file's events in the batches that are posted to the collector."""
    with Path(path).open("rb") as stream:
        while lines := list(islice(stream, BATCH)):
            yield [_row(line) for line in lines]


def _row(line: bytes) -> Row:
    event = json.loads(line)
    at = int(datetime.fromisoformat(event["time"]).timestamp() * 1e6)
    data = event["data"]
    attributes = json.dumps(data["order"])
    return event["source"], event["id"], event["subject"], at, data["status"], int(event["sequence"]), attributes
