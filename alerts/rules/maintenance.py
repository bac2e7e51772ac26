"""Maintenance windows: what mutes the other alerts is an alert itself, and one that lasts is told of."""

from __future__ import annotations

from typing import Final

from alerts.model import SERVICES, Alert, Edge, Firing, Scene, Severity

GROUP: Final = "watchers"
_OPEN: Final = 'touchstone_maintenance{{instance="{}"}}'
_UNTIL: Final = 'touchstone_maintenance_until_timestamp_seconds{{instance="{}"}}'
_WINDOW: Final = (Firing("It mutes every alert but those that watch the watching itself."),)


def _long(end: str) -> tuple[Firing, ...]:
    said = "Maintenance has muted nearly every alert of this house for a day; the window ends at {}."
    return (Firing(said.format(end)),)


ALERTS: Final = (
    Alert(
        name="Maintenance",
        group=GROUP,
        # Maintenance may take the collector down: until it is back, what it said last of the window's end holds.
        expr="""
            max(touchstone_maintenance) == 1
            or
            max(last_over_time(touchstone_maintenance_until_timestamp_seconds[1d])) > time()
              unless on () touchstone_maintenance
        """,
        for_="0s",
        severity=Severity.NONE,
        owner=SERVICES,
        summary="A maintenance window is open",
        description="It mutes every alert but those that watch the watching itself.",
        dashboard="touchstone-operations",
        panel="Business hours and maintenance",
        muted_by=(),
        scenes=(
            Edge(
                {'touchstone_maintenance{job="collector"}': "X"},
                quiet=("0",),
                loud="1",
                firing=_WINDOW,
            ),
            Scene(
                "the collector goes down in the window, and the window ends at minute 40",
                {
                    _OPEN.format("a"): "0+0x4 1+0x4 stale",
                    _UNTIL.format("a"): "0+0x4 2400+0x4 stale",
                    _OPEN.format("b"): "0+0x9 stale",
                    _UNTIL.format("b"): "0+0x9 stale",
                },
                {"4m": (), "5m": _WINDOW, "9m": _WINDOW, "10m": _WINDOW, "39m": _WINDOW, "40m": (), "60m": ()},
            ),
            Scene(
                "the window is ended before its time, and then the collector goes down",
                {_OPEN.format("a"): "1+0x4 0+0x4 stale", _UNTIL.format("a"): "2400+0x4 300+0x4 stale"},
                {"4m": _WINDOW, "5m": (), "10m": (), "39m": ()},
            ),
            Scene(
                "another collector takes over, where somebody ends the window",
                {
                    _OPEN.format("a"): "1+0x9 stale",
                    _UNTIL.format("a"): "2400+0x9 stale",
                    _OPEN.format("b"): "_x15 1+0x4 0+0x30",
                    _UNTIL.format("b"): "_x15 2400+0x4 1200+0x30",
                },
                {"10m": _WINDOW, "15m": _WINDOW, "19m": _WINDOW, "20m": (), "39m": ()},
            ),
            Scene(
                "a collector that nobody has heard for a day is down, window or not",
                {_OPEN.format("a"): "1 1 stale", _UNTIL.format("a"): "432000 432000 stale"},
                {"60m": _WINDOW, "780m": _WINDOW, "1470m": _WINDOW, "1500m": ()},
                step="30m",
            ),
        ),
    ),
    Alert(
        name="MaintenanceLong",
        group=GROUP,
        # The hour bridges restarts of the collector, and windows that follow each other.
        expr="max(max_over_time(touchstone_maintenance[1h])) == 1",
        for_="1d",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Maintenance has gone on for a day",
        description=(
            "Maintenance has muted nearly every alert of this house for a day; the window ends at "
            '{{ with query "max(touchstone_maintenance_until_timestamp_seconds)" }}'
            "{{ . | first | value | humanizeTimestamp }}{{ else }}?{{ end }}."
        ),
        dashboard="touchstone-operations",
        panel="Business hours and maintenance",
        muted_by=(),
        scenes=(
            Scene(
                "a window of a day and a half",
                {
                    "touchstone_maintenance": "0+0x3 1+0x72 0+0x9",
                    "touchstone_maintenance_until_timestamp_seconds": "0+0x3 138600+0x82",
                },
                {
                    "1530m": (),
                    "1560m": _long("1970-01-02 14:30:00 +0000 UTC"),
                    "2340m": _long("1970-01-02 14:30:00 +0000 UTC"),
                    "2370m": (),
                },
                step="30m",
            ),
            Scene(
                "the collector is away for a moment, again and again",
                {_OPEN.format("a"): "1 _ 1 stale 1+0x60"},
                {"1410m": (), "1440m": _long("?"), "1500m": _long("?")},
                step="30m",
            ),
            Scene(
                "two windows, an hour and a half apart",
                {"touchstone_maintenance": "1+0x30 0+0x2 1+0x40"},
                {"1440m": (), "2100m": ()},
                step="30m",
            ),
        ),
    ),
)
