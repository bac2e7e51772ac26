"""(a) The promise: what share of the open ones is expected to break, and what is left of the error budget."""

from __future__ import annotations

from typing import Final

from alerts.model import PROMISE, Alert, Cause, Edge, Firing, Severity

GROUP: Final = "promise"
_BROKEN_BUDGET: Final = "touchstone_promise_objective_ratio"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR)
_BOUND: Final = 'touchstone_promise_expected_break_bound_ratio{segment="all",bound="lower"}'
_RATIO: Final = 'touchstone_promise_expected_break_ratio{segment="all"}'
_B2B_BOUND: Final = 'touchstone_promise_expected_break_bound_ratio{segment="channel=b2b",bound="lower"}'
_B2B_RATIO: Final = 'touchstone_promise_expected_break_ratio{segment="channel=b2b"}'

_UPPER: Final = 'touchstone_promise_expected_break_bound_ratio{segment="all",bound="upper"}'
# What must not be taken for the lower bound of all orders.
_OTHERS: Final = {_UPPER: "0.99", _B2B_RATIO: "0.9", _B2B_BOUND: "0.9"}
_SHOP_RATIO: Final = 'touchstone_promise_expected_break_ratio{segment="channel=shop"}'
_SHOP_BOUND: Final = 'touchstone_promise_expected_break_bound_ratio{segment="channel=shop",bound="lower"}'
_B2B_UPPER: Final = 'touchstone_promise_expected_break_bound_ratio{segment="channel=b2b",bound="upper"}'

ALERTS: Final = (
    Alert(
        name="PromiseAtRisk",
        group=GROUP,
        # The lower end of the interval beyond twice what may break: neither chance nor an ordinary bad week.
        expr="""
            max(touchstone_promise_expected_break_ratio{segment="all"})
            and max(touchstone_promise_expected_break_bound_ratio{segment="all", bound="lower"})
              > 2 * (1 - max(touchstone_promise_objective_ratio))
        """,
        for_="1h",
        severity=Severity.PAGE,
        owner=PROMISE,
        summary="The promise is at risk",
        description=(
            "{{ $value | humanizePercentage }} of the open promises are expected to break, "
            '{{ with query "max(touchstone_promise_expected_breaks)" }}'
            '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }} orders; '
            '{{ with query "1 - max(touchstone_promise_objective_ratio)" }}'
            "{{ . | first | value | humanizePercentage }}{{ else }}?{{ end }} may."
            '{{ with query "touchstone_promise_culprit == 1" }} '
            'The culprit now is {{ . | first | label "stage" }}.{{ end }}'
        ),
        dashboard="touchstone-executive",
        panel="Share of open promises that will break",
        orders="risk=late",
        drill="approvals-stopped",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    _BOUND: "X",
                    _RATIO: "0.625",
                    **_OTHERS,
                    "touchstone_promise_expected_breaks": "50",
                    _BROKEN_BUDGET: "0.875",
                    'touchstone_promise_culprit{stage="approval"}': "1",
                    'touchstone_promise_culprit{stage="packing"}': "0",
                },
                quiet=("0.25", "0.2"),
                loud="0.251",
                firing=(
                    Firing(
                        "62.5% of the open promises are expected to break, 50 orders; 12.5% may."
                        " The culprit now is approval."
                    ),
                ),
            ),
            Edge(
                {_B2B_BOUND: "X", _B2B_RATIO: "0.7", _BROKEN_BUDGET: "0.875", _RATIO: "0.1", _BOUND: "0.05"},
                quiet=("0",),
                loud="0.9",
                firing=(),
            ),
        ),
    ),
    Alert(
        name="PromiseSlipping",
        group=GROUP,
        expr="""
            max(touchstone_promise_expected_break_ratio{segment="all"})
            and max(touchstone_promise_expected_break_bound_ratio{segment="all", bound="lower"})
              > 1.3 * (1 - max(touchstone_promise_objective_ratio))
            unless max(touchstone_promise_expected_break_bound_ratio{segment="all", bound="lower"})
              > 2 * (1 - max(touchstone_promise_objective_ratio))
        """,
        for_="6h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="More open promises will break than may",
        description=(
            "{{ $value | humanizePercentage }} of the open promises are expected to break; "
            '{{ with query "1 - max(touchstone_promise_objective_ratio)" }}'
            "{{ . | first | value | humanizePercentage }}{{ else }}?{{ end }} may."
        ),
        dashboard="touchstone-executive",
        panel="Share of open promises that will break",
        orders="risk=late",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_BOUND: "X", _RATIO: "0.25", _BROKEN_BUDGET: "0.875", **_OTHERS},
                quiet=("0.1625", "0.2501"),
                loud="0.25",
                firing=(Firing("25% of the open promises are expected to break; 12.5% may."),),
            ),
            Edge(
                {_BOUND: "X", _RATIO: "0.25", _BROKEN_BUDGET: "0.875", **_OTHERS},
                quiet=("0.1",),
                loud="0.163",
                firing=(Firing("25% of the open promises are expected to break; 12.5% may."),),
            ),
        ),
    ),
    Alert(
        name="PromiseSegmentAtRisk",
        group=GROUP,
        expr="""
            max by (segment) (touchstone_promise_expected_break_ratio)
            and on (segment)
              max by (segment) (touchstone_promise_expected_break_bound_ratio{bound="lower"})
              > on () group_left () 2 * (1 - max(touchstone_promise_objective_ratio))
            unless on () max(touchstone_promise_expected_break_bound_ratio{segment="all", bound="lower"})
              > 2 * (1 - max(touchstone_promise_objective_ratio))
        """,
        for_="6h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="The promise is at risk for {{ $labels.segment }}",
        description=(
            "{{ $value | humanizePercentage }} of the open promises of {{ $labels.segment }} are expected to break; "
            '{{ with query "1 - max(touchstone_promise_objective_ratio)" }}'
            "{{ . | first | value | humanizePercentage }}{{ else }}?{{ end }} may."
        ),
        dashboard="touchstone-executive",
        panel="Share of open promises that will break",
        orders="risk=late",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    _SHOP_RATIO: "0.6",
                    _SHOP_BOUND: "0.1",
                    _B2B_BOUND: "X",
                    _B2B_RATIO: "0.5",
                    _BOUND: "0.25",
                    _RATIO: "0.3",
                    _BROKEN_BUDGET: "0.875",
                    _UPPER: "0.99",
                    _B2B_UPPER: "0.99",
                },
                quiet=("0.25", "0"),
                loud="0.251",
                firing=(
                    Firing(
                        "50% of the open promises of channel=b2b are expected to break; 12.5% may.",
                        {"segment": "channel=b2b"},
                    ),
                ),
            ),
            Edge(  # where all orders are at risk, one segment is no news
                {_B2B_BOUND: "0.3", _B2B_RATIO: "0.5", _BOUND: "X", _RATIO: "0.3", _BROKEN_BUDGET: "0.875"},
                quiet=("0.251",),
                loud="0.25",
                firing=(
                    Firing(
                        "50% of the open promises of channel=b2b are expected to break; 12.5% may.",
                        {"segment": "channel=b2b"},
                    ),
                ),
            ),
        ),
    ),
    Alert(
        name="ErrorBudgetSpent",
        group=GROUP,
        expr="max(touchstone_promise_budget_spent_ratio) >= 1",
        for_="6h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="The error budget of the promise is spent",
        description="{{ $value | humanizePercentage }} of the promise's error budget is spent.",
        dashboard="touchstone-executive",
        panel="Error budget: spent and forecast",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_promise_budget_spent_ratio": "X"},
                quiet=("0.99",),
                loud="1",
                firing=(Firing("100% of the promise's error budget is spent."),),
            ),
        ),
    ),
    Alert(
        name="ErrorBudgetForecast",
        group=GROUP,
        # A house that just keeps its objective ends its window at 1: the forecast must lie well beyond it.
        expr="""
            max(touchstone_promise_budget_forecast_ratio) >= 1.5
            unless max(touchstone_promise_budget_spent_ratio) >= 1
        """,
        for_="6h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="The error budget of the promise will not last",
        description=(
            "At this rate {{ $value | humanizePercentage }} of the promise's error budget will be spent "
            "at the end of its window."
        ),
        dashboard="touchstone-executive",
        panel="Error budget: spent and forecast",
        orders="risk=late",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_promise_budget_forecast_ratio": "X", "touchstone_promise_budget_spent_ratio": "0.99"},
                quiet=("1.49",),
                loud="1.5",
                firing=(
                    Firing("At this rate 150% of the promise's error budget will be spent at the end of its window."),
                ),
            ),
            Edge(
                {"touchstone_promise_budget_forecast_ratio": "2", "touchstone_promise_budget_spent_ratio": "X"},
                quiet=("1",),
                loud="0.5",
                firing=(
                    Firing("At this rate 200% of the promise's error budget will be spent at the end of its window."),
                ),
            ),
        ),
    ),
)
