"""(a) The promise: what share of the open ones is expected to break, and what is left of the error budget."""

from __future__ import annotations

from typing import Final

from alerts.model import KNOWN, PROMISE, Alert, Cause, Edge, Firing, Recording, Severity
from alerts.rules.burning import INDICATORS, LEAST_BAD

GROUP: Final = "promise"
_OBJECTIVE: Final = "touchstone_promise_objective_ratio"
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

_MAY: Final = f"(1 - max({KNOWN.format('touchstone_promise_objective_ratio')}))"
_ALL: Final = KNOWN.format('touchstone_promise_expected_break_ratio{segment="all"}')
_LOWER: Final = KNOWN.format('touchstone_promise_expected_break_bound_ratio{segment="all", bound="lower"}')
_AT_LEAST: Final = 'max(touchstone_promise_expected_break_bound_ratio{segment="all", bound="lower"})'
_BREAKS: Final = KNOWN.format("touchstone_promise_expected_breaks")
_SPENT: Final = KNOWN.format("touchstone_promise_budget_spent_ratio")
_CULPRIT: Final = KNOWN.format("touchstone_promise_culprit")
_MAY_BREAK: Final = (
    f'{{{{ with query "{_MAY}" }}}}{{{{ . | first | value | humanizePercentage }}}}{{{{ else }}}}?{{{{ end }}}} may.'
)
# Twice what may break pages, 1.3 times is a ticket. Where a third or more may, that would be nearly all or more than
# all: there it is half of what is left, and 0.15 of it.
LIMITS: Final = (
    Recording("touchstone:promise_page:ratio", INDICATORS, f"clamp_max(2 * {_MAY}, scalar(0.5 + 0.5 * {_MAY}))"),
    Recording("touchstone:promise_ticket:ratio", INDICATORS, f"clamp_max(1.3 * {_MAY}, scalar(0.15 + 0.85 * {_MAY}))"),
)

ALERTS: Final = (
    Alert(
        name="PromiseAtRisk",
        group=GROUP,
        # The lower end of the interval beyond twice what may break: neither chance nor an ordinary bad week. A few
        # orders in a quiet season are a matter for the ticket below.
        expr=f"""
            max({_ALL})
            and max({_LOWER}) > touchstone:promise_page:ratio
            and max({_BREAKS}) >= {LEAST_BAD}
        """,
        for_="1h",
        severity=Severity.PAGE,
        owner=PROMISE,
        summary="The promise is at risk",
        description=(
            "{{ $value | humanizePercentage }} of the open promises are expected to break, which is "
            f'{{{{ with query "max({_BREAKS})" }}}}'
            '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }} of them; '
            f"{_MAY_BREAK}"
            f'{{{{ with query "{_CULPRIT} == 1" }}}} '
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
                    _OBJECTIVE: "0.875",
                    'touchstone_promise_culprit{stage="approval"}': "1",
                    'touchstone_promise_culprit{stage="packing"}': "0",
                },
                quiet=("0.25", "0.2"),
                loud="0.251",
                firing=(
                    Firing(
                        "62.5% of the open promises are expected to break, which is 50 of them; 12.5% may."
                        " The culprit now is approval."
                    ),
                ),
            ),
            Edge(  # of a promise that half may break, twice is all
                {_BOUND: "X", _RATIO: "0.875", **_OTHERS, "touchstone_promise_expected_breaks": "7", _OBJECTIVE: "0.5"},
                quiet=("0.75",),
                loud="0.751",
                firing=(Firing("87.5% of the open promises are expected to break, which is 7 of them; 50% may."),),
            ),
            Edge(
                {
                    _B2B_BOUND: "X",
                    _B2B_RATIO: "0.7",
                    _OBJECTIVE: "0.875",
                    _RATIO: "0.1",
                    _BOUND: "0.05",
                    "touchstone_promise_expected_breaks": "50",
                },
                quiet=("0",),
                loud="0.9",
                firing=(),
            ),
            Edge(  # one order that is late wakes nobody
                {"touchstone_promise_expected_breaks": "X", _RATIO: "0.75", _BOUND: "0.5", _OBJECTIVE: "0.875"},
                quiet=("1", "4.9"),
                loud="5",
                firing=(Firing("75% of the open promises are expected to break, which is 5 of them; 12.5% may."),),
            ),
        ),
    ),
    Alert(
        name="PromiseSlipping",
        group=GROUP,
        expr=f"""
            max({_ALL})
            and max({_LOWER}) > touchstone:promise_ticket:ratio
            unless (
              {_AT_LEAST} > touchstone:promise_page:ratio
              and max(touchstone_promise_expected_breaks) >= {LEAST_BAD}
            )
        """,
        for_="6h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="More open promises will break than may",
        description=f"{{{{ $value | humanizePercentage }}}} of the open promises are expected to break; {_MAY_BREAK}",
        dashboard="touchstone-executive",
        panel="Share of open promises that will break",
        orders="risk=late",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    _BOUND: "X",
                    _RATIO: "0.25",
                    _OBJECTIVE: "0.875",
                    **_OTHERS,
                    "touchstone_promise_expected_breaks": "5",
                },
                quiet=("0.1625", "0.2501"),
                loud="0.25",
                firing=(Firing("25% of the open promises are expected to break; 12.5% may."),),
            ),
            Edge(
                {_BOUND: "X", _RATIO: "0.25", _OBJECTIVE: "0.875", **_OTHERS},
                quiet=("0.1",),
                loud="0.163",
                firing=(Firing("25% of the open promises are expected to break; 12.5% may."),),
            ),
            Edge(
                {
                    _BOUND: "X",
                    _RATIO: "0.75",
                    _OBJECTIVE: "0.5",
                    **_OTHERS,
                    "touchstone_promise_expected_breaks": "50",
                },
                quiet=("0.575", "0.7501"),
                loud="0.5751",
                firing=(Firing("75% of the open promises are expected to break; 50% may."),),
            ),
            Edge(  # too few orders for a page
                {_BOUND: "0.5", _RATIO: "0.75", _OBJECTIVE: "0.875", "touchstone_promise_expected_breaks": "X"},
                quiet=("5",),
                loud="4.9",
                firing=(Firing("75% of the open promises are expected to break; 12.5% may."),),
            ),
        ),
    ),
    Alert(
        name="PromiseSegmentAtRisk",
        group=GROUP,
        expr=f"""
            max by (segment) ({KNOWN.format("touchstone_promise_expected_break_ratio")})
            and on (segment)
              max by (segment) ({KNOWN.format('touchstone_promise_expected_break_bound_ratio{bound="lower"}')})
              > on () group_left () touchstone:promise_page:ratio
            unless on () {_AT_LEAST} > touchstone:promise_page:ratio
        """,
        for_="6h",
        severity=Severity.TICKET,
        owner=PROMISE,
        summary="The promise is at risk for {{ $labels.segment }}",
        description=(
            "{{ $value | humanizePercentage }} of the open promises of {{ $labels.segment }} are expected to break; "
            f"{_MAY_BREAK}"
        ),
        dashboard="touchstone-executive",
        panel="Share of open promises that will break",
        orders="segment={{ $labels.segment | urlquery }}&risk=late",
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
                    _OBJECTIVE: "0.875",
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
                {_B2B_BOUND: "0.3", _B2B_RATIO: "0.5", _BOUND: "X", _RATIO: "0.3", _OBJECTIVE: "0.875"},
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
        expr=f"max({_SPENT}) >= 1",
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
        expr=f"""
            max({KNOWN.format("touchstone_promise_budget_forecast_ratio")}) >= 1.5
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
