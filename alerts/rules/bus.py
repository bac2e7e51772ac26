"""(e) The bus: what is recorded and not sent, what came and is not applied."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, SERVICES, Alert, Cause, Edge, Firing, Severity

GROUP: Final = "bus"
_MUTED: Final = (Cause.MAINTENANCE, Cause.SAME_JOB, Cause.BROKER)
_CRM: Final = {"job": "crm", "consumer": "crm"}
_OF_CRM: Final = 'job="crm",consumer="crm"'
_AGE: Final = f"touchstone_bus_outbox_oldest_age_seconds{{{_OF_CRM}}}"
_PENDING: Final = f"touchstone_bus_outbox_pending_messages{{{_OF_CRM}}}"

# Unreadable messages lie among the dead letters, but no handler failed and no order waits behind them.
_LETTERS: Final = """(
  max by (job, consumer) (touchstone_bus_held_messages{state="dead"})
  - max by (job, consumer) (touchstone_bus_gaps{kind="unreadable"})
)"""


def _held(state: str) -> str:
    return f'touchstone_bus_held_messages{{{_OF_CRM},state="{state}"}}'


def _gaps(kind: str) -> str:
    return f'touchstone_bus_gaps{{{_OF_CRM},kind="{kind}"}}'


ALERTS: Final = (
    Alert(
        name="OutboxStuck",
        group=GROUP,
        # Every process of a service shows the same table: the largest is all of them.
        expr="max by (job, consumer) (touchstone_bus_outbox_oldest_age_seconds) > 300",
        for_="2m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="What {{ $labels.consumer }} says is not sent",
        description=(
            "The oldest message of {{ $labels.consumer }} has waited for {{ $value | humanizeDuration }} to be sent."
        ),
        dashboard="touchstone-bus",
        panel="Oldest unsent message",
        drill="outbox-stuck",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_AGE: "X"},
                quiet=("300",),
                loud="301",
                firing=(Firing("The oldest message of crm has waited for 5m 1s to be sent.", _CRM),),
            ),
        ),
    ),
    Alert(
        name="OutboxBacklog",
        group=GROUP,
        expr="max by (job, consumer) (touchstone_bus_outbox_pending_messages) > 1000",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.consumer }} says more than is sent",
        description=f"{COUNT} messages of {{{{ $labels.consumer }}}} wait to be sent.",
        dashboard="touchstone-bus",
        panel="Unsent messages",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_PENDING: "X"},
                quiet=("1000",),
                loud="1001",
                firing=(Firing("1001 messages of crm wait to be sent.", _CRM),),
            ),
        ),
    ),
    Alert(
        name="BusGap",
        group=GROUP,
        expr='max by (job, consumer) (touchstone_bus_gaps{kind="missing"}) > 0',
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="{{ $labels.consumer }} lacks an event",
        description=f"Streams of which {{{{ $labels.consumer }}}} lacks an event, so that later ones wait: {COUNT}.",
        dashboard="touchstone-bus",
        panel="Gaps",
        drill="messages-lost",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_gaps("missing"): "X", _gaps("unreadable"): "3"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Streams of which crm lacks an event, so that later ones wait: 1.", _CRM),),
            ),
        ),
    ),
    Alert(
        name="MessagesUnreadable",
        group=GROUP,
        expr='max by (job, consumer) (touchstone_bus_gaps{kind="unreadable"}) > 0',
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.consumer }} got messages that nobody can read",
        description=(
            f"Messages to {{{{ $labels.consumer }}}} that are none of ours (no JSON, no order or no sequence): {COUNT}."
        ),
        dashboard="touchstone-bus",
        panel="Gaps",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_gaps("unreadable"): "X", _gaps("missing"): "3"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Messages to crm that are none of ours (no JSON, no order or no sequence): 1.", _CRM),),
            ),
        ),
    ),
    Alert(
        name="DeadLetters",
        group=GROUP,
        expr=f"{_LETTERS} > 0 < 10",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.consumer }} gave messages up",
        description=(
            f"Messages that {{{{ $labels.consumer }}}} gave up: {COUNT}; what concerns their orders waits behind them."
        ),
        dashboard="touchstone-bus",
        panel="Given up",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_held("dead"): "X", _held("parked"): "5", _gaps("unreadable"): "0", _gaps("missing"): "1"},
                quiet=("0", "10"),
                loud="9",
                firing=(Firing("Messages that crm gave up: 9; what concerns their orders waits behind them.", _CRM),),
            ),
            Edge(  # what is parked was not given up, nor what nobody could read
                {_held("dead"): "X", _held("parked"): "50", _gaps("unreadable"): "3", _gaps("missing"): "0"},
                quiet=("3", "13"),
                loud="4",
                firing=(Firing("Messages that crm gave up: 1; what concerns their orders waits behind them.", _CRM),),
            ),
        ),
    ),
    Alert(
        name="DeadLettersPiling",
        group=GROUP,
        expr=f"{_LETTERS} >= 10",
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="{{ $labels.consumer }} gives up one message after the other",
        description=(
            f"Messages that {{{{ $labels.consumer }}}} gave up: {COUNT}; what concerns their orders waits behind them."
        ),
        dashboard="touchstone-bus",
        panel="Given up",
        drill="dead-letters-piling",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_held("dead"): "X", _held("parked"): "50", _gaps("unreadable"): "3", _gaps("missing"): "4"},
                quiet=("12",),
                loud="13",
                firing=(Firing("Messages that crm gave up: 10; what concerns their orders waits behind them.", _CRM),),
            ),
        ),
    ),
    Alert(
        name="MessagesRetrying",
        group=GROUP,
        # A message is tried for eight seconds before it is given up: what fails for longer fails again and again.
        expr='max by (job, consumer) (touchstone_bus_held_messages{state="retrying"}) > 0',
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="A handler of {{ $labels.consumer }} fails again and again",
        description=f"Messages to {{{{ $labels.consumer }}}} that failed and are tried again: {COUNT}.",
        dashboard="touchstone-bus",
        panel="Parked and retrying",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_held("retrying"): "X", _held("parked"): "5"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Messages to crm that failed and are tried again: 1.", _CRM),),
            ),
        ),
    ),
    Alert(
        name="MessagesParked",
        group=GROUP,
        # Behind a dead letter or a known gap messages wait for a reason that has an alert of its own.
        expr=f"""
max by (job, consumer) (touchstone_bus_held_messages{{state="parked"}}) > 0
unless {_LETTERS} > 0
unless max by (job, consumer) (touchstone_bus_gaps{{kind="missing"}}) > 0
""",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Messages to {{ $labels.consumer }} came too early and wait",
        description=f"Messages to {{{{ $labels.consumer }}}} that wait for one before them (no gap is known): {COUNT}.",
        dashboard="touchstone-bus",
        panel="Parked and retrying",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    _held("parked"): "X",
                    _held("retrying"): "3",
                    _held("dead"): "2",
                    _gaps("missing"): "0",
                    _gaps("unreadable"): "2",
                },
                quiet=("0",),
                loud="1",
                firing=(Firing("Messages to crm that wait for one before them (no gap is known): 1.", _CRM),),
            ),
            Edge(
                {_held("parked"): "X", _held("dead"): "3", _gaps("missing"): "0", _gaps("unreadable"): "2"},
                ("0",),
                "5",
                (),
            ),
            Edge(
                {_held("parked"): "X", _held("dead"): "0", _gaps("missing"): "1", _gaps("unreadable"): "0"},
                ("0",),
                "5",
                (),
            ),
        ),
    ),
)
