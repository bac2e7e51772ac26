"""The floor: nothing but the stage table, in one query of DuckDB."""

import json
import sys

import duckdb

QUERY = """
WITH stays AS (
    SELECT order_id, status, epoch_us(lead("at") OVER visit) - epoch_us("at") AS stay_us
    FROM read_csv(?)
    WINDOW visit AS (PARTITION BY order_id ORDER BY "at")
)
SELECT status, count(*), avg(stay_us), quantile_cont(stay_us, [0.5, 0.9, 0.99]), sum(stay_us),
       count(*) FILTER (WHERE stay_us IS NULL)
FROM stays GROUP BY status
"""

table = duckdb.connect().execute(QUERY, [sys.argv[1]]).fetchall()
# An order's last event is the one without a stay.
found = {
    "events": sum(row[1] for row in table),
    "orders": sum(row[5] for row in table),
    "total_s": sum(int(row[4] or 0) for row in table) / 1e6,
}
sys.stdout.write(json.dumps(found) + "\n")
