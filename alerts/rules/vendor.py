"""(e) The bought-in manufacturing system behind our adapter: it lives by itself, and no scrape sees it."""

from __future__ import annotations

from typing import Final

from alerts.model import SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "vendor"
_MES: Final = {"job": "mes"}
_FEED: Final = 'touchstone_mes_vendor_feed_age_seconds{{job="mes",instance="{}"}}'
_OLDEST: Final = 'touchstone_mes_vendor_calls_oldest_seconds{{job="mes",instance="{}"}}'
_OWED: Final = 'touchstone_mes_vendor_calls_owed{{job="mes",instance="{}"}}'


def _says(time: str, owed: str) -> tuple[Firing, ...]:
    said = f"What mes asks of the vendor's system has had no answer for {time}; {owed} calls are owed to it."
    return (Firing(said, _MES),)


ALERTS: Final = (
    Alert(
        name="VendorSilent",
        group=GROUP,
        # One process that can read the journal is enough; all see the same calls. These are tried at most five minutes
        # apart: one of ten minutes was tried again since, even if the vendor was away for some minutes at first.
        expr="""
            min by (job) (touchstone_mes_vendor_feed_age_seconds) > 300
            or max by (job) (touchstone_mes_vendor_calls_oldest_seconds) > 600
        """,
        for_="2m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="The bought-in MES does not answer",
        description=(
            "What {{ $labels.job }} asks of the vendor's system has had no answer for {{ $value | humanizeDuration }}; "
            '{{ with query (printf "max(touchstone_mes_vendor_calls_owed{job=%q})" $labels.job) }}'
            '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }} calls are owed to it.'
        ),
        dashboard="touchstone-mes",
        panel="Without an answer of the vendor",
        drill="mes-down",
        muted_by=(Cause.MAINTENANCE, Cause.SAME_JOB),
        scenes=(
            Edge(
                {_FEED.format("a"): "X", _FEED.format("b"): "900", _OLDEST.format("a"): "0", _OWED.format("a"): "0"},
                quiet=("300",),
                loud="301",
                firing=_says("5m 1s", "0"),
            ),
            Edge(
                {
                    _FEED.format("a"): "1",
                    _OLDEST.format("a"): "X",
                    _OLDEST.format("b"): "0",
                    _OWED.format("a"): "4",
                    _OWED.format("b"): "3",
                },
                quiet=("600",),
                loud="601",
                firing=_says("10m 1s", "4"),
            ),
            Scene(
                "Neither journal nor calls: the longer silence is told",
                {_FEED.format("a"): "1200x10", _OLDEST.format("a"): "700x10", _OWED.format("a"): "12x10"},
                {"1m": (), "3m": _says("20m 0s", "12")},
            ),
        ),
    ),
)
