"""Every metric and label name that the collectors export: Prometheus naming, base units, no label holds an id."""

from __future__ import annotations

from typing import Final

STAGE: Final = "stage"
RISK: Final = "risk"
OUTCOME: Final = "outcome"
VERSION: Final = "version"
PROMISE: Final = "promise"
INVARIANT: Final = "invariant"

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
BUS_SKIPPED: Final = "touchstone_bus_skipped_messages_total"
FAILING_SOURCES: Final = "touchstone_failing_sources"
BUILD: Final = "touchstone_build_info"

RECONCILE_MISMATCHES: Final = "touchstone_reconcile_mismatches"
RECONCILE_LOST: Final = "touchstone_reconcile_lost"
RECONCILE_STUCK: Final = "touchstone_reconcile_stuck"
RECONCILE_SILENT: Final = "touchstone_reconcile_silent_systems"
RECONCILE_LAST_RUN: Final = "touchstone_reconcile_last_run_timestamp_seconds"
INVARIANT_VIOLATIONS: Final = "touchstone_invariant_violations"

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
QUARANTINED: Final = "quarantined"
LATE: Final = "late"
# Each is explained where it is checked (invariants/checking.py).
INVARIANTS: Final = ("one_current_status", "stage_sum_equals_age", "outbox_young", "no_old_gaps", "no_silence")
OUTCOMES: Final = (ACCEPTED, DUPLICATE, QUARANTINED, LATE)

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
STAGE_DURATION_BUCKETS: Final = (
    *(60.0, 300.0, 900.0, HOUR, 4 * HOUR, 8 * HOUR),
    *(DAY * days for days in (1, 2, 3, 4, 5, 7, 9, 14, 21, 28, 42, 60, 90)),
)
EVENT_LAG_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, HOUR)
