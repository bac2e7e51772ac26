"""(d) Orders that are stuck, lost or disputed, invariants that do not hold, and silence."""

from __future__ import annotations

from typing import Final

from alerts.model import PROMISE, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "orders"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR, Cause.MES, Cause.BROKER)
_STUCK: Final = "touchstone_reconcile_stuck"
_ORDERS: Final = 'touchstone_stage_orders{stage="approval",risk="late"}'
_FINE: Final = 'touchstone_stage_orders{stage="approval",risk="on track"}'
_HELD: Final = 'touchstone_stage_orders{stage="packing",risk="on track"}'
# Twelve events expected and none seen: e^-12, once in 160,000 looks, where events come independently.
_SILENT: Final = """
    time() - max(touchstone_last_event_timestamp_seconds) > {seconds}
    and touchstone:arrivals:per_second * {seconds}
      * max(avg_over_time(touchstone_business_hours[{window}]))
      / max(avg_over_time(touchstone_business_hours[7d])) > 12
"""


def _arrivals(half: str) -> dict[str, str]:
    """Return twice so many arrivals a second, in two stages; those of a segment are among them."""
    arrivals = 'touchstone_stage_arrivals_per_second{{stage="{}",segment="{}"}}'
    return {
        arrivals.format("approval", "all"): half,
        arrivals.format("packing", "all"): half,
        arrivals.format("packing", "channel=b2b"): "1",
    }


_SILENCES: Final = (("30m", 1_800), ("3h", 10_800), ("1d", 86_400))
_OPEN: Final = "touchstone_business_hours"
_LAST: Final = 'touchstone_last_event_timestamp_seconds{source="/shop"}'
_OLDER: Final = 'touchstone_last_event_timestamp_seconds{source="/crm"}'


def _silence() -> str:
    looks = "\n  or\n".join(f"({_SILENT.format(window=window, seconds=seconds)})" for window, seconds in _SILENCES)
    return f"max(touchstone_business_hours) == 1\nand on () (\n{looks}\n)"


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
                loud="2",
                firing=(Firing("For 2 orders the systems name different statuses for longer than the tolerance."),),
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
        name="NoEvents",
        group=GROUP,
        expr=_silence(),
        for_="0s",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Nothing is heard of any order in business hours",
        description=(
            'No system has said anything of any order for {{ with query "time() - '
            'max(touchstone_last_event_timestamp_seconds)" }}{{ . | first | value | humanizeDuration }}'
            "{{ else }}?{{ end }}, though people work."
        ),
        dashboard="touchstone-telemetry",
        panel="Since the last event, by source",
        drill="silence-in-business-hours",
        muted_by=_MUTED,
        scenes=(
            # 1/128 events a second: 14.06 in 30 minutes, so half an hour of silence is enough ...
            Scene(
                "a busy house is silent for half an hour",
                {**_arrivals("0.00390625"), _OPEN: "1+0x120", _LAST: "3600+0x120", _OLDER: "0+0x120"},
                {
                    "90m": (),
                    "91m": (Firing("No system has said anything of any order for 31m 0s, though people work."),),
                },
            ),
            Scene(  # the moment counts that any source spoke last
                "one source that speaks is no silence",
                {**_arrivals("0.00390625"), _OPEN: "1+0x120", _LAST: "0+60x120", _OLDER: "0+0x120"},
                {"120m": ()},
            ),
            Scene(
                "nobody expects anything at night",
                {**_arrivals("0.00390625"), _OPEN: "1+0x60 0+0x60", _LAST: "0+0x120"},
                {
                    "60m": (Firing("No system has said anything of any order for 1h 0m 0s, though people work."),),
                    "61m": (),
                    "100m": (),
                },
            ),
            # ... 1/256 a second are 7 in 30 minutes, which is chance, and 42 in three hours.
            Scene(
                "a quiet house is silent for three hours",
                {**_arrivals("0.001953125"), _OPEN: "1+0x200", _LAST: "0+0x200"},
                {
                    "100m": (),
                    "180m": (),
                    "181m": (Firing("No system has said anything of any order for 3h 1m 0s, though people work."),),
                },
            ),
            # 1/900 a second are 12 in three hours: the limit itself.
            Scene(
                "exactly as many as may be missed by chance",
                {**_arrivals("0.0005555555555555556"), _OPEN: "1+0x200", _LAST: "0+0x200"},
                {"200m": ()},
            ),
            # After a night only the working time within the three hours counts, measured by that of the week.
            Scene(
                "the morning's first hour",
                {**_arrivals("0.001953125"), _OPEN: "1+0x40 0+0x34 1+0x5", _LAST: "24000+0x80"},
                {"400m": (), "750m": (), "760m": ()},
                step="10m",
            ),
            # 1/1800 a second are 6 in three hours; but people work a third of the time, so three such hours bring 18.
            Scene(
                "the third morning brings nothing",
                {
                    **_arrivals("0.0002777777777777778"),
                    _OPEN: "0+0x31 1+0x15 0+0x31 1+0x15 0+0x31 1+0x15",
                    _LAST: "230400+0x145",
                },
                {
                    "4020m": (),
                    "4050m": (Firing("No system has said anything of any order for 3h 30m 0s, though people work."),),
                },
                step="30m",
            ),
            Scene(
                "a house of few orders is silent for a day",
                {**_arrivals("0.0001220703125"), _OPEN: "1+0x60", _LAST: "0+0x60"},
                {
                    "1440m": (),
                    "1470m": (
                        Firing("No system has said anything of any order for 1d 0h 30m 0s, though people work."),
                    ),
                },
                step="30m",
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
                {"touchstone_reconcile_last_run_timestamp_seconds": "0+0x60"},
                {
                    "35m": (),
                    "36m": (Firing("Systems were last compared 36m 0s ago; every five minutes is usual."),),
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
