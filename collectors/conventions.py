"""Every metric and label name that the collectors export: Prometheus naming, base units, no label holds an id."""

from __future__ import annotations

from typing import Final

STAGE: Final = "stage"
RISK: Final = "risk"
OUTCOME: Final = "outcome"
VERSION: Final = "version"
PROMISE: Final = "promise"

STAGE_DURATION: Final = "touchstone_stage_duration_seconds"
STAGE_ORDERS: Final = "touchstone_stage_orders"
STAGE_OLDEST_AGE: Final = "touchstone_stage_oldest_age_seconds"
STAGE_BUDGET: Final = "touchstone_stage_budget_seconds"

PROMISE_KEPT: Final = "touchstone_promise_kept_orders"
PROMISE_BROKEN: Final = "touchstone_promise_broken_orders"
PROMISE_OPEN: Final = "touchstone_promise_open_orders"
PROMISE_CANCELLED: Final = "touchstone_promise_cancelled_orders"
PROMISE_LENGTH: Final = "touchstone_promise_length_seconds"
PROMISE_OBJECTIVE: Final = "touchstone_promise_objective_ratio"

EVENTS: Final = "touchstone_events_total"
EVENT_LAG: Final = "touchstone_event_lag_seconds"
QUARANTINED_EVENTS: Final = "touchstone_quarantined_events"
CLOCK_SKEW: Final = "touchstone_clock_skew_events"
SEQUENCE_GAPS: Final = "touchstone_sequence_gaps"
BUILD: Final = "touchstone_build_info"

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
QUARANTINED: Final = "quarantined"
LATE: Final = "late"
OUTCOMES: Final = (ACCEPTED, DUPLICATE, QUARANTINED, LATE)

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
STAGE_DURATION_BUCKETS: Final = (
    *(60.0, 300.0, 900.0, HOUR, 4 * HOUR, 8 * HOUR),
    *(DAY * days for days in (1, 2, 3, 4, 5, 7, 9, 14, 21, 28, 42, 60, 90)),
)
EVENT_LAG_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, HOUR)
