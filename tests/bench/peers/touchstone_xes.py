"""Read an XES log into columns with Touchstone's reader."""

import json
import sys
from pathlib import Path

import pyarrow as pa

from collectors.sources.quarantine import Quarantine
from collectors.sources.xes import XesFields, read_xes

quarantine = Quarantine()
table = pa.Table.from_batches(read_xes(Path(sys.argv[1]), XesFields(attributes=("org:resource",)), quarantine.add))
found = {"events": table.num_rows - quarantine.total, "orders": len(table["order"].unique())}
sys.stdout.write(json.dumps(found) + "\n")
