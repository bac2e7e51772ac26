"""(d) Orders that are stuck, lost or disputed, and invariants that do not hold; silence stands in silence.py."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, KNOWN, PROMISE, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "orders"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR, Cause.MES, Cause.BROKER)
_STUCK: Final = "touchstone_reconcile_stuck"
_ORDERS: Final = 'touchstone_stage_orders{stage="approval",risk="late"}'
_FINE: Final = 'touchstone_stage_orders{stage="approval",risk="on track"}'
_HELD: Final = 'touchstone_stage_orders{stage="packing",risk="on track"}'

_KNOWN_STUCK: Final = KNOWN.format(_STUCK)
_IN_FLIGHT: Final = f"sum(max by (stage, risk) ({KNOWN.format('touchstone_stage_orders')}))"
_LOST: Final = KNOWN.format("touchstone_reconcile_lost")
_MISMATCHES: Final = KNOWN.format("touchstone_reconcile_mismatches")
_SILENT: Final = KNOWN.format("touchstone_reconcile_silent_systems")
_VIOLATIONS: Final = KNOWN.format('touchstone_invariant_violations{invariant!="no_silence"}')
_SILENCE: Final = KNOWN.format('touchstone_invariant_violations{invariant="no_silence"}')
_COMPARED: Final = "touchstone_reconcile_last_run_timestamp_seconds"


def _old(age: str) -> Firing:
    return Firing(f"Systems were last compared {age} ago; every five minutes is usual.")


ALERTS: Final = (
    Alert(
        name="OrdersStuck",
        group=GROUP,
        # One visit in a hundred outlasts its P99, and such visits are long: some orders are always stuck.
        expr=f"""
            max({_KNOWN_STUCK}) > 0.1 * {_IN_FLIGHT} > 2
        """,
        for_="1h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="Many orders are stuck",
        description=(
            f"{COUNT} orders are longer in their stage than 99 of 100 orders ever were; "
            f'{{{{ with query "{_IN_FLIGHT}" }}}}'
            '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }} are in flight.'
        ),
        dashboard="touchstone-operations",
        panel="Systems that disagree",
        orders="stuck=true",
        muted_by=(*_MUTED, Cause.VENDOR),
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
        expr=f"max({_LOST}) > 0",
        for_="10m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Orders are lost",
        description=f"Orders known to one system and not to the next, though it could know them: {COUNT}.",
        dashboard="touchstone-operations",
        panel="Systems that disagree",
        drill="messages-lost",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_reconcile_lost": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Orders known to one system and not to the next, though it could know them: 1."),),
            ),
        ),
    ),
    Alert(
        name="SystemsDisagree",
        group=GROUP,
        expr=f"max({_MISMATCHES}) > 0",
        for_="30m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Systems name different statuses for one order",
        description=f"Orders whose status systems dispute for longer than the tolerance: {COUNT}.",
        dashboard="touchstone-operations",
        panel="Systems that disagree",
        drill="mes-lies",
        muted_by=(*_MUTED, Cause.VENDOR),
        scenes=(
            Edge(
                {"touchstone_reconcile_mismatches": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Orders whose status systems dispute for longer than the tolerance: 1."),),
            ),
        ),
    ),
    Alert(
        name="SystemSilent",
        group=GROUP,
        expr=f"max({_SILENT}) > 0",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="A system does not answer the reconciliation",
        description=f"Systems that do not say what they believe of their orders: {COUNT}.",
        dashboard="touchstone-telemetry",
        panel="Sources and systems that do not answer",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_reconcile_silent_systems": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Systems that do not say what they believe of their orders: 1."),),
            ),
        ),
    ),
    Alert(
        name="InvariantViolated",
        group=GROUP,
        expr=f"max by (invariant) ({_VIOLATIONS}) > 0",
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="{{ $labels.invariant }} does not hold",
        description=f"What must always be true is not. Violations of {{{{ $labels.invariant }}}}: {COUNT}.",
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
                        "What must always be true is not. Violations of stage_sum_equals_age: 1.",
                        {"invariant": "stage_sum_equals_age"},
                    ),
                ),
            ),
        ),
    ),
    Alert(
        name="SourceSilent",
        group=GROUP,
        expr=f"max({_SILENCE}) > 0",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="A source is silent while people work",
        description=f"Sources that have said nothing for longer than is usual in business hours: {COUNT}.",
        dashboard="touchstone-telemetry",
        panel="Invariants violated",
        drill="silence-of-a-source",
        muted_by=(*_MUTED, Cause.VENDOR),
        scenes=(
            Edge(
                {
                    'touchstone_invariant_violations{invariant="no_silence"}': "X",
                    'touchstone_invariant_violations{invariant="no_old_gaps"}': "3",
                },
                quiet=("0",),
                loud="1",
                firing=(Firing("Sources that have said nothing for longer than is usual in business hours: 1."),),
            ),
        ),
    ),
    Alert(
        name="ReconcileStale",
        group=GROUP,
        expr=f"time() - max({KNOWN.format(_COMPARED)}) > 1800",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Systems are not compared any more",
        description="Systems were last compared {{ $value | humanizeDuration }} ago; every five minutes is usual.",
        dashboard="touchstone-operations",
        panel="Since the systems were compared",
        muted_by=(Cause.MAINTENANCE, Cause.COLLECTOR),
        scenes=(
            Scene(
                "the last comparison is half an hour old, and five minutes go by",
                {_COMPARED: "0+0x40 2460+0x20"},
                {
                    "35m": (),
                    "36m": (_old("36m 0s"),),
                    "40m": (_old("40m 0s"),),
                    "41m": (),
                },
            ),
            Scene(
                "a comparison every half hour is enough",
                {_COMPARED: "0+0x30 1800+0x30 _x2"},
                {"59m": (), "60m": ()},
            ),
            Scene(
                "scrapes fail, and it goes on",
                {f'{_COMPARED}{{instance="a"}}': "0+0x32 stale _x7 0+0x3"},
                {"35m": (), "36m": (_old("36m 0s"),), "40m": (_old("40m 0s"),), "44m": (_old("44m 0s"),)},
            ),
            Scene(
                "no collector tells when",
                {f'{_COMPARED}{{instance="a"}}': "0+0x40 stale"},
                {"49m": (_old("49m 0s"),), "51m": ()},
            ),
            Scene(
                "where nothing is compared, nothing is stale",
                {f'{_COMPARED}{{instance="a"}}': "NaN+0x60"},
                {"60m": ()},
            ),
        ),
    ),
)
