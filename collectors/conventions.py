"""Every metric and label name that the collectors export: Prometheus naming, base units, no label holds an id."""

from __future__ import annotations

from typing import Final

STAGE: Final = "stage"
RISK: Final = "risk"
OUTCOME: Final = "outcome"
VERSION: Final = "version"
PROMISE: Final = "promise"
INVARIANT: Final = "invariant"
SEGMENT: Final = "segment"
BOUND: Final = "bound"
QUANTILE: Final = "quantile"
SOURCE: Final = "source"

STAGE_DURATION: Final = "touchstone_stage_duration_seconds"
STAGE_ORDERS: Final = "touchstone_stage_orders"
STAGE_OLDEST_AGE: Final = "touchstone_stage_oldest_age_seconds"
STAGE_BUDGET: Final = "touchstone_stage_budget_seconds"

# The signals: what is in a stage against the frozen reference (1 in an evidence ratio is the calibrated limit).
STAGE_SLOWDOWN: Final = "touchstone_stage_slowdown_ratio"
STAGE_SLOWDOWN_BOUND: Final = "touchstone_stage_slowdown_bound_ratio"
STAGE_EVIDENCE: Final = "touchstone_stage_evidence_ratio"
STAGE_BUDGET_EVIDENCE: Final = "touchstone_stage_budget_evidence_ratio"
STAGE_EFFECT_MINIMUM: Final = "touchstone_stage_effect_minimum_ratio"
STAGE_SLOW_SINCE: Final = "touchstone_stage_slow_since_timestamp_seconds"
STAGE_BUDGET_RATIO: Final = "touchstone_stage_budget_ratio"
STAGE_OVER_BUDGET: Final = "touchstone_stage_over_budget_orders"
STAGE_EXPECTED_BREAKS: Final = "touchstone_stage_expected_breaks"
STAGE_AGE: Final = "touchstone_stage_age_seconds"
STAGE_REFERENCE_AGE: Final = "touchstone_stage_reference_age_seconds"
STAGE_ARRIVALS: Final = "touchstone_stage_arrivals_per_second"
STAGE_DEPARTURES: Final = "touchstone_stage_departures_per_second"
STAGE_UTILISATION: Final = "touchstone_stage_utilisation_ratio"
STAGE_REFERENCE_DEPARTURES: Final = "touchstone_stage_reference_departures"
REFERENCE_TIMESTAMP: Final = "touchstone_reference_timestamp_seconds"
EXPECTED_BREAKS: Final = "touchstone_promise_expected_breaks"
EXPECTED_BREAK_RATIO: Final = "touchstone_promise_expected_break_ratio"
EXPECTED_BREAK_BOUND: Final = "touchstone_promise_expected_break_bound_ratio"
BUDGET_SPENT: Final = "touchstone_promise_budget_spent_ratio"
BUDGET_FORECAST: Final = "touchstone_promise_budget_forecast_ratio"
CULPRIT: Final = "touchstone_promise_culprit"
CULPRIT_RESCUED: Final = "touchstone_promise_culprit_rescued_ratio"
BUSINESS_HOURS: Final = "touchstone_business_hours"
MAINTENANCE: Final = "touchstone_maintenance"
MAINTENANCE_UNTIL: Final = "touchstone_maintenance_until_timestamp_seconds"
LAST_EVENT: Final = "touchstone_last_event_timestamp_seconds"
SIGNALS_LAST_RUN: Final = "touchstone_signals_last_run_timestamp_seconds"
SIGNALS_LEADER: Final = "touchstone_signals_leader"
SIGNALS_DURATION: Final = "touchstone_signals_duration_seconds"

PICTURE_TIMESTAMP: Final = "touchstone_picture_timestamp_seconds"
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
ALL: Final = "all"  # the segment of every order
LOWER: Final = "lower"
UPPER: Final = "upper"

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
STAGE_DURATION_BUCKETS: Final = (
    *(60.0, 300.0, 900.0, HOUR, 4 * HOUR, 8 * HOUR),
    *(DAY * days for days in (1, 2, 3, 4, 5, 7, 9, 14, 21, 28, 42, 60, 90)),
)
EVENT_LAG_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, HOUR)
