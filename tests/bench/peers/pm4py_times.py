"""What PM4Py has of a replay: the mean sojourn time per activity, the cycle time, and the duration of every case."""

import contextlib
import json
import sys

import pandas as pd  # type: ignore[import-untyped,import-not-found,unused-ignore]

with contextlib.redirect_stdout(sys.stderr):
    import pm4py  # type: ignore[import-not-found]

    log = pd.read_csv(sys.argv[1])
    log = pm4py.format_dataframe(log, case_id="order_id", activity_key="status", timestamp_key="at")
    # A status lasts until the next one: the interval that PM4Py needs to know an activity's sojourn time.
    log["until"] = log.groupby("case:concept:name")["time:timestamp"].shift(-1)
    stays = log.dropna(subset=["until"])
    sojourn = pm4py.get_service_time(stays, start_timestamp_key="time:timestamp", timestamp_key="until")
    cycle = pm4py.get_cycle_time(log)
    durations = pm4py.get_all_case_durations(log)

found = {
    "events": len(log),
    "orders": len(durations),
    "total_s": float(sum(durations)),
    "activities": len(sojourn),
    "cycle_s": cycle,
}
sys.stdout.write(json.dumps(found) + "\n")
