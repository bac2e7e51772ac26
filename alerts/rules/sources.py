"""(e) What the collector reads: sources that fail, gaps, clocks that run apart, records that cannot be used."""

from __future__ import annotations

from typing import Final

from alerts.model import SERVICES, Alert, Cause, Edge, Firing, Severity

GROUP: Final = "sources"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR, Cause.BROKER)

ALERTS: Final = (
    Alert(
        name="SourceFailing",
        group=GROUP,
        expr="max(touchstone_failing_sources) > 0",
        for_="10m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="The collector cannot read a source",
        description="{{ $value }} sources cannot be read: what happens there is seen later or not at all.",
        dashboard="touchstone-telemetry",
        panel="Sources and systems that do not answer",
        muted_by=(*_MUTED, Cause.MES),
        scenes=(
            Edge(
                {"touchstone_failing_sources": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("1 sources cannot be read: what happens there is seen later or not at all."),),
            ),
        ),
    ),
    Alert(
        name="SequenceGaps",
        group=GROUP,
        expr="max(touchstone_sequence_gaps) > 0",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Events are missing between others",
        description="Of {{ $value }} orders the collector lacks an event, though later ones came.",
        dashboard="touchstone-telemetry",
        panel="Events that are wrong",
        drill="messages-lost",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_sequence_gaps": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Of 1 orders the collector lacks an event, though later ones came."),),
            ),
        ),
    ),
    Alert(
        name="ClockSkewed",
        group=GROUP,
        expr="max(delta(touchstone_clock_skew_events[1h])) > 5",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="A system's clock runs backwards",
        description="{{ $value | humanize }} events of the last hour are older than the event before them.",
        dashboard="touchstone-telemetry",
        panel="Events that are wrong",
        drill="clock-skew",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_clock_skew_events": "X"},
                quiet=("5",),
                loud="6",
                firing=(Firing("6 events of the last hour are older than the event before them."),),
                window="1h",
            ),
        ),
    ),
    Alert(
        name="QuarantineGrowing",
        group=GROUP,
        expr="max(delta(touchstone_quarantined_events[1h])) > 10",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Events cannot be used",
        description="{{ $value | humanize }} events of the last hour could not be used and are in quarantine.",
        dashboard="touchstone-telemetry",
        panel="What could not be used, and why",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_quarantined_events": "X"},
                quiet=("10",),
                loud="11",
                firing=(Firing("11 events of the last hour could not be used and are in quarantine."),),
                window="1h",
            ),
        ),
    ),
)
