"""The floor of live ingestion: bare inserts into SQLite, a transaction a batch, with the collector's durability."""

import json
import sqlite3
import sys
import time

from tests.bench.peers.bare_rows import INSERT, TABLE, batches

found = list(batches(sys.argv[1]))
connection = sqlite3.connect(sys.argv[2], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA synchronous = FULL")
connection.execute(TABLE.format(number="INTEGER PRIMARY KEY"))
insert = INSERT.format(places="?, ?, ?, ?, ?, ?, ?")
begun = time.perf_counter()
for rows in found:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(insert, rows)
    connection.execute("COMMIT")
seconds = time.perf_counter() - begun
(count,) = connection.execute("SELECT count(*) FROM events").fetchone()
sys.stdout.write(json.dumps({"events": count, "seconds": seconds}) + "\n")
