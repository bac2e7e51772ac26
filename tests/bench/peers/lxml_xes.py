"""Read an XES log's orders, statuses, times and resources into lists with lxml, the plainest way that streams."""

import gzip
import json
import sys
from pathlib import Path

from lxml import etree  # type: ignore[import-not-found,import-untyped,unused-ignore]

KEYS = ("concept:name", "time:timestamp", "org:resource")

path = Path(sys.argv[1])
orders: list[str] = []
events: list[tuple[str | None, ...]] = []
with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
    for _, trace in etree.iterparse(stream, tag="trace"):
        name = next(field.get("value") for field in trace if field.get("key") == "concept:name")
        for event in trace.iterfind("event"):
            fields = {field.get("key"): field.get("value") for field in event}
            orders.append(name)
            events.append(tuple(fields.get(key) for key in KEYS))
        trace.clear()
        while trace.getprevious() is not None:
            del trace.getparent()[0]
sys.stdout.write(json.dumps({"events": len(events), "orders": len(set(orders))}) + "\n")
