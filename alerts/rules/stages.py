"""(b) Stages: slower than the frozen reference, and over their budgets, by the in-flight tests of the collector."""

from __future__ import annotations

from typing import Final

from alerts.model import SERVICES, Alert, Cause, Edge, Firing, Severity

GROUP: Final = "stages"
# Evidence near its limit comes and goes with every batch of departures: what is back within three days is one page.
_SAME_PAGE: Final = "3d"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR)
_OWNER: Final = {
    'touchstone:stage_owner{stage="approval",owner="sales"}': "1",
    'touchstone:stage_owner{stage="packing",owner="logistics"}': "1",
}
_EFFECT: Final = {"touchstone_stage_effect_minimum_ratio": "1.3"}
_BREAKS: Final = {'touchstone_stage_expected_breaks{stage="approval"}': "31"}
_SLOW: Final = 'touchstone_stage_slowdown_ratio{stage="approval",segment="all"}'
_EVIDENCE: Final = 'touchstone_stage_evidence_ratio{stage="approval",segment="all"}'
_SLOW_B2B: Final = 'touchstone_stage_slowdown_ratio{stage="approval",segment="channel=b2b"}'
_EVIDENCE_B2B: Final = 'touchstone_stage_evidence_ratio{stage="approval",segment="channel=b2b"}'
_OVER: Final = 'touchstone_stage_budget_evidence_ratio{stage="approval",segment="all"}'
_OVER_B2B: Final = 'touchstone_stage_budget_evidence_ratio{stage="approval",segment="channel=b2b"}'
_IN: Final = {"stage": "approval", "owner": "sales"}
# Another stage as a whole must not speak for a segment of this one.
_PACKING: Final = {
    'touchstone_stage_evidence_ratio{stage="packing",segment="all"}': "5",
    'touchstone_stage_budget_evidence_ratio{stage="packing",segment="all"}': "5",
}
_B2B: Final = {"stage": "approval", "segment": "channel=b2b", "owner": "sales"}
# What may stand in `$labels.stage` is a name that a person chose: %q puts it safely into the query.
_EXPECTED: Final = (
    '{{ with query (printf "max(touchstone_stage_expected_breaks{stage=%q})" $labels.stage) }}'
    '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }} open orders are expected to miss their promise.'
)
_LATE: Final = (
    '{{ with query (printf "max(touchstone_stage_over_budget_orders{stage=%q})" $labels.stage) }}'
    '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }} orders are in it for longer than their budget.'
)
_SAID: Final = "approval is 2.4x slower than its reference; 31 open orders are expected to miss their promise."

ALERTS: Final = (
    Alert(
        name="StageSlow",
        group=GROUP,
        expr="""
            max by (stage) (touchstone_stage_slowdown_ratio{segment="all"})
              * on (stage) group_left (owner) touchstone:stage_owner
              >= on () group_left () max(touchstone_stage_effect_minimum_ratio)
            and on (stage) max by (stage) (touchstone_stage_evidence_ratio{segment="all"}) >= 1
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.PAGE,
        owner=None,
        summary="{{ $labels.stage }} is slow",
        description='{{ $labels.stage }} is {{ $value | printf "%.1f" }}x slower than its reference; ' + _EXPECTED,
        dashboard="touchstone-operations",
        panel="Slow-down against the reference",
        orders="risk=late",
        drill="stage-slowed",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {_EVIDENCE: "X", _SLOW: "2.4", _SLOW_B2B: "9", **_EFFECT, **_OWNER, **_BREAKS},
                quiet=("0.99",),
                loud="1",
                firing=(Firing(_SAID, _IN),),
            ),
            Edge(
                {_EVIDENCE: "5", _SLOW: "X", **_EFFECT, **_OWNER, **_BREAKS},
                quiet=("1.29",),
                loud="1.3",
                firing=(Firing(_SAID.replace("2.4x", "1.3x"), _IN),),
            ),
            Edge(  # one segment is not the stage, and another stage's evidence is not this one's
                {
                    _EVIDENCE_B2B: "X",
                    _SLOW_B2B: "2.4",
                    _EVIDENCE: "0.5",
                    _SLOW: "1.4",
                    'touchstone_stage_evidence_ratio{stage="packing",segment="all"}': "X",
                    'touchstone_stage_slowdown_ratio{stage="packing",segment="all"}': "1.1",
                    **_EFFECT,
                    **_OWNER,
                },
                quiet=("0",),
                loud="7",
                firing=(),
            ),
        ),
    ),
    Alert(
        name="StageSegmentSlow",
        group=GROUP,
        expr="""
            max by (stage, segment) (touchstone_stage_slowdown_ratio)
              * on (stage) group_left (owner) touchstone:stage_owner
              >= on () group_left () max(touchstone_stage_effect_minimum_ratio)
            and on (stage, segment) max by (stage, segment) (touchstone_stage_evidence_ratio) >= 1
            unless on (stage) max by (stage) (touchstone_stage_evidence_ratio{segment="all"}) >= 1
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.TICKET,
        owner=None,
        summary="{{ $labels.stage }} is slow for {{ $labels.segment }}",
        description=(
            '{{ $labels.stage }} is {{ $value | printf "%.1f" }}x slower than its reference for '
            "orders of {{ $labels.segment }}; for all orders together it is not."
        ),
        dashboard="touchstone-operations",
        panel="Slow-down against the reference",
        orders="risk=late",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {
                    _EVIDENCE_B2B: "X",
                    _SLOW_B2B: "2.4",
                    _EVIDENCE: "0.99",
                    **_PACKING,
                    _SLOW: "1.2",
                    **_EFFECT,
                    **_OWNER,
                },
                quiet=("0.99",),
                loud="1",
                firing=(
                    Firing(
                        "approval is 2.4x slower than its reference for orders of channel=b2b; for all orders together "
                        "it is not.",
                        _B2B,
                    ),
                ),
            ),
            Edge(
                {_EVIDENCE_B2B: "3", _SLOW_B2B: "X", _EVIDENCE: "0.5", _SLOW: "1.2", **_PACKING, **_EFFECT, **_OWNER},
                quiet=("1.29",),
                loud="1.3",
                firing=(
                    Firing(
                        "approval is 1.3x slower than its reference for orders of channel=b2b; for all orders together "
                        "it is not.",
                        _B2B,
                    ),
                ),
            ),
            Edge(  # the stage as a whole speaks for its segments; each segment needs evidence of its own
                {
                    _EVIDENCE_B2B: "X",
                    _SLOW_B2B: "2.4",
                    _EVIDENCE: "1",
                    _SLOW: "2",
                    'touchstone_stage_evidence_ratio{stage="packing",segment="channel=b2b"}': "0.5",
                    'touchstone_stage_evidence_ratio{stage="packing",segment="channel=shop"}': "X",
                    'touchstone_stage_slowdown_ratio{stage="packing",segment="channel=b2b"}': "2",
                    **_EFFECT,
                    **_OWNER,
                },
                quiet=("0",),
                loud="7",
                firing=(),
            ),
        ),
    ),
    Alert(
        name="StageOverBudget",
        group=GROUP,
        expr="""
            max by (stage) (touchstone_stage_budget_evidence_ratio{segment="all"})
              * on (stage) group_left (owner) touchstone:stage_owner
              >= 1
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.TICKET,
        owner=None,
        summary="{{ $labels.stage }} is over its budget",
        description="{{ $labels.stage }} takes longer than the budget that the promise gives it; " + _LATE,
        dashboard="touchstone-operations",
        panel="Evidence: over its budget",
        orders="risk=late",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {_OVER: "X", _OVER_B2B: "3", 'touchstone_stage_over_budget_orders{stage="approval"}': "12", **_OWNER},
                quiet=("0.99",),
                loud="1",
                firing=(
                    Firing(
                        "approval takes longer than the budget that the promise gives it; 12 orders are in it for "
                        "longer than their budget.",
                        _IN,
                    ),
                ),
            ),
        ),
    ),
    Alert(
        name="StageSegmentOverBudget",
        group=GROUP,
        expr="""
            max by (stage, segment) (touchstone_stage_budget_evidence_ratio)
              * on (stage) group_left (owner) touchstone:stage_owner
              >= 1
            unless on (stage) max by (stage) (touchstone_stage_budget_evidence_ratio{segment="all"}) >= 1
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.TICKET,
        owner=None,
        summary="{{ $labels.stage }} is over its budget for {{ $labels.segment }}",
        description=(
            "{{ $labels.stage }} takes longer than its budget for orders of {{ $labels.segment }}; "
            "for all orders together it does not."
        ),
        dashboard="touchstone-operations",
        panel="Evidence: over its budget",
        orders="risk=late",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {_OVER_B2B: "X", _OVER: "0.99", **_PACKING, **_OWNER},
                quiet=("0.99",),
                loud="1",
                firing=(
                    Firing(
                        "approval takes longer than its budget for orders of channel=b2b; for all orders together it "
                        "does not.",
                        _B2B,
                    ),
                ),
            ),
            Edge({_OVER_B2B: "X", _OVER: "1", **_OWNER}, quiet=("0.5",), loud="2", firing=()),
        ),
    ),
    Alert(
        name="StageBlind",
        group=GROUP,
        expr="""
            sum by (stage) (max by (stage, risk) (touchstone_stage_orders)) > 0
            and on (stage) max by (stage) (touchstone_stage_reference_departures{segment="all"}) == 0
        """,
        for_="1d",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.stage }} has no reference",
        description=(
            "{{ $labels.stage }} holds {{ $value }} orders, and the frozen reference has seen none leave it: "
            "nobody would notice if it became slow."
        ),
        dashboard="touchstone-telemetry",
        panel="Stages without a reference",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    'touchstone_stage_orders{stage="packing",risk="late"}': "X",
                    'touchstone_stage_orders{stage="packing",risk="on track"}': "X",
                    'touchstone_stage_reference_departures{stage="packing",segment="all"}': "0",
                    'touchstone_stage_reference_departures{stage="packing",segment="channel=b2b"}': "1",
                    'touchstone_stage_orders{stage="approval",risk="late"}': "4",
                    'touchstone_stage_reference_departures{stage="approval",segment="all"}': "1",
                    'touchstone_stage_reference_departures{stage="approval",segment="channel=b2b"}': "0",
                },
                quiet=("0",),
                loud="1",
                firing=(
                    Firing(
                        "packing holds 2 orders, and the frozen reference has seen none leave it: nobody would notice "
                        "if it became slow.",
                        {"stage": "packing"},
                    ),
                ),
            ),
            Edge(
                {
                    'touchstone_stage_orders{stage="packing",risk="late"}': "X",
                    'touchstone_stage_reference_departures{stage="packing",segment="all"}': "0",
                },
                quiet=("0",),
                loud="1",
                firing=(
                    Firing(
                        "packing holds 1 orders, and the frozen reference has seen none leave it: nobody would notice "
                        "if it became slow.",
                        {"stage": "packing"},
                    ),
                ),
            ),
        ),
    ),
)
