"""(b) Stages: slower than the frozen reference, and over their budgets, by the in-flight tests of the collector."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, SERVICES, Alert, Cause, Edge, Firing, Severity
from alerts.rules import hearing, stage_words

GROUP: Final = "stages"
# Evidence near its limit comes and goes with every batch of departures: what is back within three days is one page.
_SAME_PAGE: Final = "3d"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR)
_PACKED: Final = {'touchstone:stage_owner{stage="packing",owner="logistics"}': "1"}
_ELSEWHERE: Final = {'touchstone:stage_owner{stage="elsewhere",owner="support"}': "1"}
_OWNER: Final = {'touchstone:stage_owner{stage="approval",owner="sales"}': "1", **_PACKED}
# The links to orders: a label in a query of the collector's GET /orders.
_STAGE: Final = "{{ $labels.stage | urlquery }}"
_SEGMENT: Final = "{{ $labels.segment | urlquery }}"
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
_SAID: Final = "approval is 2.4x slower than its reference; open orders expected to miss their promise: 31."
_SAID_B2B: Final = (
    "approval is 2.4x slower than its reference for orders of channel=b2b; for all orders together it is not."
)
_SAID_SINCE: Final = (
    "approval is 2.4x slower than its reference, since about Tue 14 Nov 2023; open orders expected to miss their "
    "promise: 31."
)
_SAID_SINCE_B2B: Final = (
    "approval is 2.4x slower than its reference for orders of channel=b2b, since about Wed 8 Nov 2023; for all "
    "orders together it is not."
)
_SINCE_WHEN: Final = {
    'touchstone_stage_slow_since_timestamp_seconds{stage="approval",segment="all"}': "1699999200",
    'touchstone_stage_slow_since_timestamp_seconds{stage="approval",segment="channel=b2b"}': "1699434000",
    'touchstone_stage_slow_since_timestamp_seconds{stage="packing",segment="all"}': "1800000000",
    'touchstone_stage_slow_since_timestamp_seconds{stage="packing",segment="channel=b2b"}': "1800000000",
}
_TIMES_OVER: Final = {
    'touchstone_stage_budget_ratio{stage="approval",segment="all"}': "1.8",
    'touchstone_stage_budget_ratio{stage="approval",segment="channel=b2b"}': "2.6",
    'touchstone_stage_budget_ratio{stage="packing",segment="all"}': "9",
    'touchstone_stage_budget_ratio{stage="packing",segment="channel=b2b"}': "9",
}
_SAID_OVER: Final = (
    "approval takes 1.8x the budget that the promise gives it; orders in it for longer than their budget: 12."
)
_SAID_OVER_B2B: Final = "approval takes 2.6x its budget for orders of channel=b2b; for all orders together it does not."
_LATE_ORDERS: Final = 'touchstone_stage_over_budget_orders{stage="approval"}'

ALERTS: Final = (
    Alert(
        name="StageSlow",
        group=GROUP,
        expr="""
            max by (stage) (touchstone_stage_slowdown_ratio{segment="all"})
              * on (stage) group_left (owner) touchstone:any_stage_owner
              >= on () group_left () max(touchstone_stage_effect_minimum_ratio)
            and on (stage) max by (stage) (touchstone_stage_evidence_ratio{segment="all"}) >= 1
            unless on () touchstone:unheard
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.PAGE,
        owner=None,
        summary="{{ $labels.stage }} is slow",
        description=(
            '{{ $labels.stage }} is {{ $value | printf "%.1f" }}x slower than its reference'
            + stage_words.SINCE
            + "; "
            + stage_words.EXPECTED
        ),
        dashboard="touchstone-operations",
        panel="Slow-down against the reference",
        orders=f"stage={_STAGE}",
        drill="stage-slowed",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {_EVIDENCE: "X", _SLOW: "2.4", _SLOW_B2B: "9", **_SINCE_WHEN, **_EFFECT, **_OWNER, **_BREAKS},
                quiet=("0.99",),
                loud="1",
                firing=(Firing(_SAID_SINCE, _IN),),
            ),
            Edge(
                {_EVIDENCE: "5", _SLOW: "X", **_EFFECT, **_OWNER, **_BREAKS},
                quiet=("1.29",),
                loud="1.3",
                firing=(Firing(_SAID.replace("2.4x", "1.3x"), _IN),),
            ),
            Edge(  # a stage that the loaded targets do not know
                {_EVIDENCE: "X", _SLOW: "2.4", **_EFFECT, **_PACKED, **_ELSEWHERE, **_BREAKS},
                quiet=("0.99",),
                loud="1",
                firing=(Firing(_SAID, {"stage": "approval", "owner": "support"}),),
            ),
            Edge(  # nor do they know who is told of what lies elsewhere
                {_EVIDENCE: "X", _SLOW: "2.4", **_EFFECT, **_PACKED, **_BREAKS},
                quiet=("0.99",),
                loud="1",
                firing=(Firing(_SAID, {"stage": "approval"}),),
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
            *hearing.scenes(_EVIDENCE, {_SLOW: "2.4", **_EFFECT, **_OWNER, **_BREAKS}, (Firing(_SAID, _IN),)),
        ),
    ),
    Alert(
        name="StageSegmentSlow",
        group=GROUP,
        expr="""
            max by (stage, segment) (touchstone_stage_slowdown_ratio)
              * on (stage) group_left (owner) touchstone:any_stage_owner
              >= on () group_left () max(touchstone_stage_effect_minimum_ratio)
            and on (stage, segment) max by (stage, segment) (touchstone_stage_evidence_ratio) >= 1
            unless on (stage) max by (stage) (touchstone_stage_evidence_ratio{segment="all"}) >= 1
            unless on () touchstone:unheard
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.TICKET,
        owner=None,
        summary="{{ $labels.stage }} is slow for {{ $labels.segment }}",
        description=(
            '{{ $labels.stage }} is {{ $value | printf "%.1f" }}x slower than its reference for '
            "orders of {{ $labels.segment }}" + stage_words.SEGMENT_SINCE + "; for all orders together it is not."
        ),
        dashboard="touchstone-operations",
        panel="Slow-down against the reference",
        orders=f"stage={_STAGE}&segment={_SEGMENT}",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {
                    _EVIDENCE_B2B: "X",
                    _SLOW_B2B: "2.4",
                    _EVIDENCE: "0.99",
                    **_PACKING,
                    _SLOW: "1.2",
                    **_SINCE_WHEN,
                    **_EFFECT,
                    **_OWNER,
                },
                quiet=("0.99",),
                loud="1",
                firing=(Firing(_SAID_SINCE_B2B, _B2B),),
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
            *hearing.muted(
                {_EVIDENCE_B2B: "5", _SLOW_B2B: "2.4", _EVIDENCE: "0.5", _SLOW: "1.2", **_EFFECT, **_OWNER},
                (Firing(_SAID_B2B, _B2B),),
            ),
        ),
    ),
    Alert(
        name="StageOverBudget",
        group=GROUP,
        expr="""
            max by (stage) (touchstone_stage_budget_evidence_ratio{segment="all"})
              * on (stage) group_left (owner) touchstone:any_stage_owner
              >= 1
            unless on () touchstone:unheard
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.TICKET,
        owner=None,
        summary="{{ $labels.stage }} is over its budget",
        description=(
            "{{ $labels.stage }} " + stage_words.TAKES + " the budget that the promise gives it; " + stage_words.LATE
        ),
        dashboard="touchstone-operations",
        panel="Evidence: over its budget",
        orders=f"stage={_STAGE}&over_budget=true",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {_OVER: "X", _OVER_B2B: "3", _LATE_ORDERS: "12", **_TIMES_OVER, **_OWNER},
                quiet=("0.99",),
                loud="1",
                firing=(Firing(_SAID_OVER, _IN),),
            ),
            *hearing.muted(
                {_OVER: "5", _LATE_ORDERS: "12", **_OWNER},
                (Firing(_SAID_OVER.replace("1.8x", "longer than"), _IN),),
            ),
        ),
    ),
    Alert(
        name="StageSegmentOverBudget",
        group=GROUP,
        expr="""
            max by (stage, segment) (touchstone_stage_budget_evidence_ratio)
              * on (stage) group_left (owner) touchstone:any_stage_owner
              >= 1
            unless on (stage) max by (stage) (touchstone_stage_budget_evidence_ratio{segment="all"}) >= 1
            unless on () touchstone:unheard
        """,
        for_="1h",
        keep_firing_for=_SAME_PAGE,
        severity=Severity.TICKET,
        owner=None,
        summary="{{ $labels.stage }} is over its budget for {{ $labels.segment }}",
        description=(
            "{{ $labels.stage }} " + stage_words.SEGMENT_TAKES + " its budget for orders of {{ $labels.segment }}; "
            "for all orders together it does not."
        ),
        dashboard="touchstone-operations",
        panel="Evidence: over its budget",
        orders=f"stage={_STAGE}&segment={_SEGMENT}&over_budget=true",
        muted_by=(*_MUTED, Cause.OWNER),
        scenes=(
            Edge(
                {_OVER_B2B: "X", _OVER: "0.99", **_PACKING, **_TIMES_OVER, **_OWNER},
                quiet=("0.99",),
                loud="1",
                firing=(Firing(_SAID_OVER_B2B, _B2B),),
            ),
            Edge({_OVER_B2B: "X", _OVER: "1", **_OWNER}, quiet=("0.5",), loud="2", firing=()),
            *hearing.muted(
                {_OVER_B2B: "5", _OVER: "0.5", **_OWNER},
                (Firing(_SAID_OVER_B2B.replace("2.6x", "longer than"), _B2B),),
            ),
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
            f"Orders in {{{{ $labels.stage }}}}: {COUNT}. "
            '{{ with query "touchstone_reference_timestamp_seconds" }}'
            "The frozen reference has seen none leave it: nobody would notice if it became slow, or went over its "
            "budget.{{ else }}There is no reference yet: it comes by itself once eight weeks have passed since the "
            "house filled, or by POST /reference from four weeks on. Until then only what is over its budget is "
            "noticed.{{ end }}"
        ),
        dashboard="touchstone-operations",
        panel="Visits that the reference saw end",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    'touchstone_stage_orders{stage="packing",risk="late"}': "X",
                    'touchstone_stage_orders{stage="packing",risk="on track"}': "X",
                    "touchstone_reference_timestamp_seconds": "1700000000",
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
                        "Orders in packing: 2. The frozen reference has seen none leave it: nobody would notice if it "
                        "became slow, or went over its budget.",
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
                        "Orders in packing: 1. There is no reference yet: it comes by itself once eight weeks have "
                        "passed since the house filled, or by POST /reference from four weeks on. Until then only what "
                        "is over its budget is noticed.",
                        {"stage": "packing"},
                    ),
                ),
            ),
        ),
    ),
)
