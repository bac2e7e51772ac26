"""(e) What the collector reads: sources that fail, gaps, clocks that run apart, records that cannot be used."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, KNOWN, SERVICES, Alert, Cause, Edge, Firing, Severity

GROUP: Final = "sources"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR, Cause.BROKER)

ALERTS: Final = (
    Alert(
        name="SourceFailing",
        group=GROUP,
        expr=f"max({KNOWN.format('touchstone_failing_sources')}) > 0",
        for_="10m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="The collector cannot read a source",
        description=f"Sources that cannot be read, so that their events are seen later or not at all: {COUNT}.",
        dashboard="touchstone-telemetry",
        panel="Sources and systems that do not answer",
        muted_by=(*_MUTED, Cause.MES),
        scenes=(
            Edge(
                {"touchstone_failing_sources": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Sources that cannot be read, so that their events are seen later or not at all: 1."),),
            ),
        ),
    ),
    Alert(
        name="SequenceGaps",
        group=GROUP,
        expr=f"max({KNOWN.format('touchstone_sequence_gaps')}) > 0",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Events are missing between others",
        description=f"Orders of which the collector lacks an event, though later ones came: {COUNT}.",
        dashboard="touchstone-telemetry",
        panel="Events that are wrong",
        drill="messages-lost",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_sequence_gaps": "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Orders of which the collector lacks an event, though later ones came: 1."),),
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
        description=f"{COUNT} events of the last hour are older than the event before them.",
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
        description=f"{COUNT} events of the last hour could not be used and are in quarantine.",
        dashboard="touchstone-telemetry",
        panel="Events that are wrong",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {"touchstone_quarantined_events": "X"},
                quiet=("10",),
                loud="11.04",  # what 11 are where scrapes do not fall on the minute
                firing=(Firing("11 events of the last hour could not be used and are in quarantine."),),
                window="1h",
            ),
        ),
    ),
)
