"""(d) Orders that are stuck, lost or disputed, and invariants that do not hold; silence stands in silence.py."""

from __future__ import annotations

from typing import Final

from alerts.model import PROMISE, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "orders"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR, Cause.MES, Cause.BROKER)
_STUCK: Final = "touchstone_reconcile_stuck"
_ORDERS: Final = 'touchstone_stage_orders{stage="approval",risk="late"}'
_FINE: Final = 'touchstone_stage_orders{stage="approval",risk="on track"}'
_HELD: Final = 'touchstone_stage_orders{stage="packing",risk="on track"}'

ALERTS: Final = (
    Alert(
        name="OrdersStuck",
        group=GROUP,
        # One visit in a hundred outlasts its P99, and such visits are long: some orders are always stuck.
        expr="""
            max(touchstone_reconcile_stuck) > 2
            and max(touchstone_reconcile_stuck) > 0.1 * sum(max by (stage, risk) (touchstone_stage_orders))
        """,
        for_="1h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="Many orders are stuck",
        description=(
            "{{ $value }} orders are longer in their stage than 99 of 100 orders ever were; "
            '{{ with query "sum(max by (stage, risk) (touchstone_stage_orders))" }}'
            '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }} are in flight.'
        ),
        dashboard="touchstone-operations",
        panel="Systems that disagree",
        orders="risk=late",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_STUCK: "X", _ORDERS: "10", _FINE: "10", _HELD: "20"},
                quiet=("4",),
                loud="5",
                firing=(
                    Firing("5 orders are longer in their stage than 99 of 100 orders ever were; 40 are in flight."),
                ),
            ),
            Edge(
                {_STUCK: "X", _ORDERS: "5", _HELD: "5"},
                quiet=("2",),
                loud="3",
                firing=(
                    Firing("3 orders are longer in their stage than 99 of 100 orders ever were; 10 are in flight."),
                ),
            ),
        ),
    ),
    Alert(
        name="OrdersLost",
        group=GROUP,
        expr="max(touchstone_reconcile_lost) > 0",
        for_="10m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Orders are lost",
        description="{{ $value }} orders are known to one system and not to the next, though it could know them.",
        dashboard="touchstone-operations",
        panel="Systems that disagree",
        drill="messages-lost",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_reconcile_lost": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("1 orders are known to one system and not to the next, though it could know them."),),
            ),
        ),
    ),
    Alert(
        name="SystemsDisagree",
        group=GROUP,
        expr="max(touchstone_reconcile_mismatches) > 0",
        for_="30m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Systems name different statuses for one order",
        description="For {{ $value }} orders the systems name different statuses for longer than the tolerance.",
        dashboard="touchstone-operations",
        panel="Systems that disagree",
        drill="mes-lies",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_reconcile_mismatches": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("For 1 orders the systems name different statuses for longer than the tolerance."),),
            ),
        ),
    ),
    Alert(
        name="SystemSilent",
        group=GROUP,
        expr="max(touchstone_reconcile_silent_systems) > 0",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="A system does not answer the reconciliation",
        description="{{ $value }} systems do not say what they believe of their orders.",
        dashboard="touchstone-telemetry",
        panel="Sources and systems that do not answer",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_reconcile_silent_systems": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("1 systems do not say what they believe of their orders."),),
            ),
        ),
    ),
    Alert(
        name="InvariantViolated",
        group=GROUP,
        expr='max by (invariant) (touchstone_invariant_violations{invariant!="no_silence"}) > 0',
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="{{ $labels.invariant }} does not hold",
        description="What must always be true is not: {{ $labels.invariant }} has {{ $value }} violations.",
        dashboard="touchstone-telemetry",
        panel="Invariants violated",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    'touchstone_invariant_violations{invariant="stage_sum_equals_age"}': "X",
                    'touchstone_invariant_violations{invariant="no_silence"}': "3",
                    'touchstone_invariant_violations{invariant="no_old_gaps"}': "NaN",
                },
                quiet=("0",),
                loud="1",
                firing=(
                    Firing(
                        "What must always be true is not: stage_sum_equals_age has 1 violations.",
                        {"invariant": "stage_sum_equals_age"},
                    ),
                ),
            ),
        ),
    ),
    Alert(
        name="SourceSilent",
        group=GROUP,
        expr='max(touchstone_invariant_violations{invariant="no_silence"}) > 0',
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="A source is silent while people work",
        description="{{ $value }} sources have said nothing for longer than is usual in business hours.",
        dashboard="touchstone-telemetry",
        panel="Invariants violated",
        drill="silence-of-a-source",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    'touchstone_invariant_violations{invariant="no_silence"}': "X",
                    'touchstone_invariant_violations{invariant="no_old_gaps"}': "3",
                },
                quiet=("0",),
                loud="1",
                firing=(Firing("1 sources have said nothing for longer than is usual in business hours."),),
            ),
        ),
    ),
    Alert(
        name="ReconcileStale",
        group=GROUP,
        expr="time() - max(touchstone_reconcile_last_run_timestamp_seconds) > 1800",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Systems are not compared any more",
        description="Systems were last compared {{ $value | humanizeDuration }} ago; every five minutes is usual.",
        dashboard="touchstone-operations",
        panel="Systems that disagree",
        muted_by=(Cause.MAINTENANCE, Cause.COLLECTOR),
        scenes=(
            Scene(
                "the last comparison is half an hour old, and five minutes go by",
                {"touchstone_reconcile_last_run_timestamp_seconds": "0+0x40 2460+0x20"},
                {
                    "35m": (),
                    "36m": (Firing("Systems were last compared 36m 0s ago; every five minutes is usual."),),
                    "40m": (Firing("Systems were last compared 40m 0s ago; every five minutes is usual."),),
                    "41m": (),
                },
            ),
            Scene(
                "a comparison every half hour is enough",
                {"touchstone_reconcile_last_run_timestamp_seconds": "0+0x30 1800+0x30 _x2"},
                {"59m": (), "60m": ()},
            ),
            Scene(
                "where nothing is compared, nothing is stale",
                {'touchstone_reconcile_last_run_timestamp_seconds{instance="a"}': "NaN+0x60"},
                {"60m": ()},
            ),
        ),
    ),
)
