"""(b) Whom the alerts of a stage go to where the loaded targets do not know it, since the collector's file is newer."""

from __future__ import annotations

from typing import Final

from alerts.model import KNOWN, SERVICES, Alert, Cause, Firing, Recording, Scene, Severity
from alerts.rules.burning import INDICATORS
from alerts.rules.stages import GROUP

_UNKNOWN: Final = (
    "group by (stage) (touchstone_stage_slowdown_ratio or touchstone_stage_budget_evidence_ratio) "
    "unless on (stage) touchstone:stage_owner"
)
# A stage that is new or has another name is for whom `elsewhere` is for; where there are no targets at all it is
# nobody's, and what is nobody's is told to the owner of the services.
OWNER: Final = Recording(
    "touchstone:any_stage_owner",
    INDICATORS,
    f"""
        touchstone:stage_owner
        or ({_UNKNOWN}) * on () group_left (owner) touchstone:stage_owner{{stage="elsewhere"}}
        or ({_UNKNOWN} unless on () touchstone:stage_owner{{stage="elsewhere"}})
    """,
)
_KNOWN_STAGE: Final = {
    'touchstone_stage_orders{stage="approval",risk="on track",instance="a"}': "4+0x60",
    'touchstone:stage_owner{stage="approval",owner="sales"}': "1+0x60",
}
_NEW: Final = 'touchstone_stage_orders{stage="sign-off",risk="on track",instance="a"}'
_SAID: Final = (
    Firing(
        "The collector tells of the stage sign-off, and the targets that Prometheus has loaded do not know it: its "
        "alerts do not go to its owner, and its error budget is not watched.",
        {"stage": "sign-off"},
    ),
)

ALERTS: Final = (
    Alert(
        name="TargetsStale",
        group=GROUP,
        expr=f"""
            group by (stage) ({KNOWN.format("touchstone_stage_orders")})
            unless on (stage) touchstone:stage_owner
        """,
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.stage }} is no stage of the loaded targets",
        description=(
            "The collector tells of the stage {{ $labels.stage }}, and the targets that Prometheus has loaded do not "
            "know it: its alerts do not go to its owner, and its error budget is not watched."
        ),
        dashboard="touchstone-operations",
        panel="Stage map",
        muted_by=(Cause.MAINTENANCE, Cause.COLLECTOR),
        scenes=(
            Scene(
                "a collector begins with a new promise file, and the targets follow half an hour later",
                {
                    **_KNOWN_STAGE,
                    _NEW: "_x5 0+0x40",
                    'touchstone:stage_owner{stage="sign-off",owner="legal"}': "_x35 1+0x10",
                },
                {"19m": (), "20m": _SAID, "34m": _SAID, "35m": ()},
            ),
            Scene(
                "scrapes fail, and it goes on",
                {**_KNOWN_STAGE, _NEW: "0+0x3 stale _x7 0+0x8 stale _x7 0+0x3"},
                {"14m": (), "15m": _SAID, "28m": _SAID, "30m": _SAID},
            ),
            Scene("the stage is shown no more", {**_KNOWN_STAGE, _NEW: "0+0x20 stale"}, {"29m": _SAID, "31m": ()}),
        ),
    ),
)
