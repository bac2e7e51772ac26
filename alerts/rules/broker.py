"""(e) RabbitMQ, by its own Prometheus plugin: alarms, and queues from `/metrics/detailed`."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "broker"
_MUTED: Final = (Cause.MAINTENANCE,)
_QUEUE: Final = {"queue": "crm.events.0", "job": "crm"}
# A queue is called after whoever reads it: `crm.events.0`, `crm.dead`, `commands.pricing-shop`.
_OF_JOB: Final = 'label_replace({}, "job", "$1", "queue", "(?:commands[.])?([a-z]+).*")'


def _detailed(what: str, queue: str = "crm.events.0") -> str:
    return f'rabbitmq_detailed_queue_{what}{{vhost="/",queue="{queue}"}}'


_UNACKED: Final = 'rabbitmq_detailed_queue_messages_unacked{queue="crm.events.0",instance="a"}'
_UNACKED_THERE: Final = 'rabbitmq_detailed_queue_messages_unacked{queue="crm.events.0",instance="b"}'
_REDELIVERED: Final = 'rabbitmq_global_messages_redelivered_total{{job="rabbitmq",instance="{}",queue_type="{}"}}'


def _alarm(name: str, instance: str = "a:15692") -> str:
    return f'{name}{{job="rabbitmq",instance="{instance}"}}'


def _raised(name: str) -> Edge:
    """Return the boundary of one of the broker's alarms, the others being quiet."""
    others = {
        _alarm(other): "0"
        for other in (
            "rabbitmq_alarms_memory_used_watermark",
            "rabbitmq_alarms_free_disk_space_watermark",
            "rabbitmq_alarms_file_descriptor_limit",
        )
    }
    said = "The broker a:15692 raised an alarm and takes no more messages until memory, disk or files are free again."
    labels = {"job": "rabbitmq", "instance": "a:15692"}
    return Edge({**others, _alarm(name): "X"}, ("0",), "1", (Firing(said, labels),))


_HELD: Final = Firing(
    "At least 100 messages of crm.events.0 have been with a consumer for 15 minutes: a handler hangs, or "
    "cannot keep up.",
    _QUEUE,
)

ALERTS: Final = (
    Alert(
        name="BrokerAlarm",
        group=GROUP,
        expr="""
            rabbitmq_alarms_memory_used_watermark
              + on (job, instance) rabbitmq_alarms_free_disk_space_watermark
              + on (job, instance) rabbitmq_alarms_file_descriptor_limit
              > 0
        """,
        for_="1m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="RabbitMQ takes no messages",
        description=(
            "The broker {{ $labels.instance }} raised an alarm and takes no more messages until memory, disk or files "
            "are free again."
        ),
        dashboard="touchstone-bus",
        panel="Alarms of the broker",
        muted_by=_MUTED,
        scenes=(
            _raised("rabbitmq_alarms_memory_used_watermark"),
            _raised("rabbitmq_alarms_free_disk_space_watermark"),
            _raised("rabbitmq_alarms_file_descriptor_limit"),
        ),
    ),
    Alert(
        name="QueueBacklog",
        group=GROUP,
        expr=_OF_JOB.format("max by (queue) (rabbitmq_detailed_queue_messages_ready)") + " > 1000",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="The queue {{ $labels.queue }} grows",
        description=f"{COUNT} messages wait in the queue {{{{ $labels.queue }}}}.",
        dashboard="touchstone-bus",
        panel="Messages in the broker's queues",
        drill="partner-flood",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {_detailed("messages_ready"): "X", _detailed("messages_ready", "mes.events.0"): "5"},
                quiet=("1000",),
                loud="1001",
                firing=(Firing("1001 messages wait in the queue crm.events.0.", _QUEUE),),
            ),
        ),
    ),
    Alert(
        name="QueueUnconsumed",
        group=GROUP,
        expr=(
            _OF_JOB.format("max by (queue) (rabbitmq_detailed_queue_messages)")
            + " > 0\nand on (queue) max by (queue) (rabbitmq_detailed_queue_consumers) == 0"
        ),
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Nobody reads the queue {{ $labels.queue }}",
        description=f"Messages in the queue {{{{ $labels.queue }}}}, which nobody reads: {COUNT}.",
        dashboard="touchstone-bus",
        panel="Consumers by queue",
        muted_by=(*_MUTED, Cause.SAME_JOB),
        scenes=(
            Edge(
                {_detailed("messages"): "X", _detailed("consumers"): "0"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Messages in the queue crm.events.0, which nobody reads: 1.", _QUEUE),),
            ),
            Edge(
                {
                    _detailed("messages"): "7",
                    _detailed("consumers"): "X",
                    _detailed("messages", "mes.events.0"): "7",
                    _detailed("consumers", "mes.events.0"): "2",
                },
                quiet=("1",),
                loud="0",
                firing=(Firing("Messages in the queue crm.events.0, which nobody reads: 7.", _QUEUE),),
            ),
        ),
    ),
    Alert(
        name="QueueUnacknowledged",
        group=GROUP,
        # A handler that hangs keeps its batch; after 30 minutes the broker closes its channel.
        expr=_OF_JOB.format("min by (queue) (min_over_time(rabbitmq_detailed_queue_messages_unacked[15m]))")
        + " >= 100",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Messages of {{ $labels.queue }} are taken and not acknowledged",
        description=(
            f"At least {COUNT} messages of {{{{ $labels.queue }}}} have been with a consumer for 15 minutes: "
            "a handler hangs, or cannot keep up."
        ),
        dashboard="touchstone-bus",
        panel="Messages in the broker's queues",
        muted_by=(*_MUTED, Cause.SAME_JOB),
        scenes=(
            Scene(
                "a hundred are with a consumer for 15 minutes, and for 5 more",
                {_UNACKED: "99+0x20 100+0x30 99+0x5", _UNACKED_THERE: "200"},
                {
                    "40m": (),
                    "41m": (_HELD,),
                    "51m": (_HELD,),
                    "52m": (),
                },
            ),
            Scene(
                "ninety-nine are a batch that goes on",
                {_UNACKED: "99+0x60", _UNACKED_THERE: "200"},
                {"60m": ()},
            ),
        ),
    ),
    Alert(
        name="MessagesRedelivered",
        group=GROUP,
        expr=(
            "sum by (job) "
            '(increase(rabbitmq_global_messages_redelivered_total{queue_type="rabbit_quorum_queue"}[15m])) > 500'
        ),
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="RabbitMQ delivers messages again and again",
        description=f"{COUNT} messages were delivered again in 15 minutes: consumers die or give batches back.",
        dashboard="touchstone-bus",
        panel="Through the broker",
        drill="messages-doubled",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    _REDELIVERED.format("a", "rabbit_quorum_queue"): "X",
                    _REDELIVERED.format("b", "rabbit_quorum_queue"): "0+0x15 250+0x40",
                    _REDELIVERED.format("a", "rabbit_classic_queue"): "0+0x15 900+0x40",
                },
                quiet=("250",),
                loud="251",
                firing=(
                    Firing(
                        "501 messages were delivered again in 15 minutes: consumers die or give batches back.",
                        {"job": "rabbitmq"},
                    ),
                ),
                window="15m",
            ),
        ),
    ),
)
