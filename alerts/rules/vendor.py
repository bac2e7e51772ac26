"""(e) The bought-in manufacturing system behind our adapter: it lives by itself, and no scrape sees it."""

from __future__ import annotations

from typing import Final

from alerts.model import SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "vendor"
_FEED: Final = 'touchstone_mes_vendor_feed_age_seconds{{job="mes",instance="{}"}}'
_OLDEST: Final = 'touchstone_mes_vendor_calls_oldest_seconds{{job="mes",instance="{}"}}'
_CALLS: Final = 'touchstone_mes_vendor_calls_owed{{job="mes",instance="{}"}}'


def _unread(time: str, owed: str) -> Firing:
    said = f"mes could not read the vendor's journal for {time}; calls owed to the vendor's system: {owed}."
    return Firing(said, {"job": "mes", "what": "journal"})


def _owed(time: str, owed: str) -> Firing:
    said = f"The oldest call of mes has had no answer for {time}; calls owed to the vendor's system: {owed}."
    return Firing(said, {"job": "mes", "what": "calls"})


ALERTS: Final = (
    Alert(
        name="VendorSilent",
        group=GROUP,
        # One process that can read the journal is enough; all see the same calls. These are tried at most five minutes
        # apart: one of ten minutes was tried again since, even if the vendor was away for some minutes at first.
        # Which of both it is decides what is muted: one call may stay owed for days while others are answered.
        expr="""
            label_replace(min by (job) (touchstone_mes_vendor_feed_age_seconds) > 300, "what", "journal", "", "")
            or
            label_replace(max by (job) (touchstone_mes_vendor_calls_oldest_seconds) > 600, "what", "calls", "", "")
        """,
        for_="2m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="The bought-in MES does not answer",
        description=(
            '{{ if eq $labels.what "journal" }}{{ $labels.job }} could not read the vendor\'s journal'
            "{{ else }}The oldest call of {{ $labels.job }} has had no answer{{ end }} "
            "for {{ $value | humanizeDuration }}; calls owed to the vendor's system: "
            '{{ with query (printf "max(touchstone_mes_vendor_calls_owed{job=%q})" $labels.job) }}'
            '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }}.'
        ),
        dashboard="touchstone-mes",
        panel="Without an answer of the vendor",
        drill="mes-down",
        muted_by=(Cause.MAINTENANCE, Cause.SAME_JOB),
        scenes=(
            Edge(
                {_FEED.format("a"): "X", _FEED.format("b"): "900", _OLDEST.format("a"): "0", _CALLS.format("a"): "0"},
                quiet=("300",),
                loud="301",
                firing=(_unread("5m 1s", "0"),),
            ),
            Edge(
                {
                    _FEED.format("a"): "1",
                    _OLDEST.format("a"): "X",
                    _OLDEST.format("b"): "0",
                    _CALLS.format("a"): "4",
                    _CALLS.format("b"): "3",
                },
                quiet=("600",),
                loud="601",
                firing=(_owed("10m 1s", "4"),),
            ),
            Scene(
                "Neither journal nor calls: both are told",
                {_FEED.format("a"): "1200x10", _OLDEST.format("a"): "700x10", _CALLS.format("a"): "12x10"},
                {"1m": (), "3m": (_unread("20m 0s", "12"), _owed("11m 40s", "12"))},
            ),
        ),
    ),
)
