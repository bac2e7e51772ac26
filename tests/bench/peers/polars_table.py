"""The floor: nothing but the stage table, in one query of polars."""

import json
import sys

import polars as pl  # type: ignore[import-not-found]

stay = (pl.col("at").shift(-1) - pl.col("at")).over("order_id", order_by="at").dt.total_microseconds()
table = (
    pl.scan_csv(sys.argv[1], try_parse_dates=True)
    .with_columns(stay_us=stay)
    .group_by("status")
    .agg(
        pl.len().alias("events"),
        pl.col("stay_us").null_count().alias("last"),
        pl.col("stay_us").mean().alias("mean_us"),
        pl.col("stay_us").sum().alias("total_us"),
        *(pl.col("stay_us").quantile(q, "linear").alias(f"p{q}") for q in (0.5, 0.9, 0.99)),
    )
    .collect(engine="streaming")
)
# An order's last event is the one without a stay.
found = {
    "events": int(table["events"].sum()),
    "orders": int(table["last"].sum()),
    "total_s": int(table["total_us"].sum()) / 1e6,
}
sys.stdout.write(json.dumps(found) + "\n")
