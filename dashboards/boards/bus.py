"""The bus: whether every message arrives, once and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collectors import conventions as collector
from dashboards import conventions as names
from dashboards import panels, variables
from dashboards.board import board
from dashboards.colours import BAD, BLUE, GOOD, ORANGE, PURPLE, VERMILLION
from dashboards.layout import Row, even
from dashboards.look import Look
from dashboards.queries import metric

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

OF_CONSUMER: Final = '{consumer=~"$consumer"}'
RATE: Final = "[$__rate_interval]"
BROKER: Final = '{job=~"rabbitmq.*"}'
QUEUE: Final = '{queue=~"$queue"}'
PER_SECOND: Final = Look("cps", least=0)
COUNT: Final = Look("short", decimals=0, least=0)


def build() -> Dashboard:
    """Return the dashboard of the bus: outboxes, inboxes and the broker between them."""
    chosen = [
        variables.source(names.PROMETHEUS),
        variables.labels("consumer", "Service", names.BUS_RECEIVED),
        variables.labels("queue", "Queue", "rabbitmq_detailed_queue_messages"),
    ]
    about = "Outboxes, inboxes and the broker between them: what waits, what is held back, what was given up."
    return board(
        names.BUS, "Bus: every message, once, in order", about, chosen, [_out(), _held(), _through(), *_broker()]
    )


def _out() -> Row:
    return even(
        8,
        panels.lines(
            1,
            "Oldest unsent message",
            "How long the oldest message of each outbox has waited for the relay; it is empty within seconds when all"
            " is well.",
            [metric(f"max by (consumer) ({names.BUS_OUTBOX_AGE}{OF_CONSUMER})", "{{consumer}}")],
            Look("s", ((None, GOOD), (60, BAD)), least=0),
        ),
        panels.lines(
            2,
            "Unsent messages",
            "Recorded in the outbox and not sent yet.",
            [metric(f"max by (consumer) ({names.BUS_OUTBOX_PENDING}{OF_CONSUMER})", "{{consumer}}")],
            COUNT,
        ),
        panels.lines(
            3,
            "Sent and stored",
            "Messages that the relays sent, and those that the broker confirmed. The gap is what is under way or was"
            " returned.",
            [
                metric(f"sum by (consumer) (rate({names.BUS_OFFERED}{OF_CONSUMER}{RATE}))", "{{consumer}} sent"),
                metric(
                    f"sum by (consumer) (rate({names.BUS_CONFIRMED}{OF_CONSUMER}{RATE}))",
                    "{{consumer}} stored",
                    ref="B",
                ),
            ],
            PER_SECOND,
        ),
    )


def _held() -> Row:
    held = f'max by (consumer) ({names.BUS_HELD}{{consumer=~"$consumer",state="%s"}})'
    return even(
        8,
        panels.lines(
            4,
            "Given up",
            "Messages that failed too often (the dead letters), and how many of them nobody can read; `touchstone dlq"
            " list` names them.",
            [
                metric(held % "dead", "{{consumer}}"),
                metric(
                    f'max by (consumer) ({names.BUS_GAPS}{{consumer=~"$consumer",kind="unreadable"}})',
                    "{{consumer}}, of them unreadable",
                    ref="B",
                ),
            ],
            Look("short", ((None, GOOD), (1, BAD)), decimals=0, least=0),
        ),
        panels.lines(
            5,
            "Parked and retrying",
            "Messages that came before their turn, and messages whose handler failed and is tried again.",
            [
                metric(held % "parked", "{{consumer}} parked"),
                metric(held % "retrying", "{{consumer}} retrying", ref="B"),
            ],
            COUNT,
        ),
        panels.lines(
            6,
            "Gaps",
            "Streams that have lacked an event for a minute while later ones wait, and messages that nobody can read.",
            [metric(f"max by (consumer, kind) ({names.BUS_GAPS}{OF_CONSUMER})", "{{consumer}} {{kind}}")],
            Look("short", ((None, GOOD), (1, BAD)), decimals=0, least=0),
        ),
    )


def _through() -> Row:
    return even(
        8,
        panels.lines(
            7,
            "Received",
            "Messages received per second, by what became of them; doubled ones are taken once.",
            [metric(f"sum by (outcome) (rate({names.BUS_RECEIVED}{OF_CONSUMER}{RATE}))", "{{outcome}}")],
            PER_SECOND,
        ),
        panels.lines(
            8,
            "Heard by the collector and passed over",
            "Messages of the bus that speak of something else than an order's status, per second.",
            [metric(f"sum(rate({collector.BUS_SKIPPED}{RATE}))", "passed over")],
            PER_SECOND,
        ),
        panels.lines(
            9,
            "Messages in the broker's queues",
            "Ready and unacknowledged, by queue.",
            [
                metric(f"sum by (queue) (rabbitmq_detailed_queue_messages_ready{QUEUE})", "{{queue}} ready"),
                metric(f"sum by (queue) (rabbitmq_detailed_queue_messages_unacked{QUEUE})", "{{queue}} taken", ref="B"),
            ],
            COUNT,
        ),
    )


def _broker() -> list[Row]:
    flow = {"received": BLUE, "delivered": ORANGE, "delivered again": VERMILLION}
    moved = [
        metric(f"sum(rate(rabbitmq_global_messages_received_total{RATE}))", "received"),
        metric(f"sum(rate(rabbitmq_global_messages_delivered_total{RATE}))", "delivered", ref="B"),
        metric(f"sum(rate(rabbitmq_global_messages_redelivered_total{RATE}))", "delivered again", ref="C"),
    ]
    ends = [
        metric("sum(rabbitmq_connections)", "connections"),
        metric("sum(rabbitmq_channels)", "channels", ref="B"),
        metric("sum(rabbitmq_consumers)", "consumers", ref="C"),
    ]
    memory = "rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes"
    files = "rabbitmq_process_open_fds / rabbitmq_process_max_fds"
    return [
        even(
            8,
            panels.lines(
                10,
                "Through the broker",
                "Messages that the broker took and gave out per second. Those given out again came back from a consumer"
                " that died or refused them.",
                moved,
                Look("cps", least=0, colours=flow),
            ),
            panels.lines(
                11,
                "Consumers by queue",
                "Who takes from each queue; a queue with none is not worked off.",
                [metric(f"sum by (queue) (rabbitmq_detailed_queue_consumers{QUEUE})", "{{queue}}")],
                COUNT,
            ),
        ),
        even(
            8,
            panels.lines(
                12,
                "Connections, channels, consumers",
                "Of the whole broker.",
                ends,
                Look("short", decimals=0, least=0, colours=dict(zip(_ENDS, (BLUE, ORANGE, PURPLE), strict=True))),
            ),
            panels.lines(
                13,
                "Memory and files used",
                "Of what the broker allows itself; at its memory limit it stops taking messages.",
                [metric(f"max({memory})", "memory"), metric(f"max({files})", "files", ref="B")],
                Look("percentunit", ((None, GOOD), (0.8, BAD)), least=0, most=1),
            ),
            panels.lines(
                14,
                "Free disk",
                "What is left on the broker's disk, and the limit below which it stops taking messages.",
                [
                    metric("min(rabbitmq_disk_space_available_bytes)", "free"),
                    metric("max(rabbitmq_disk_space_available_limit_bytes)", "limit", ref="B"),
                ],
                Look("bytes", least=0, colours={"free": BLUE, "limit": VERMILLION}),
            ),
            panels.lines(
                15,
                "Alarms of the broker",
                "1 while the broker takes no messages, because its memory, its disk or its files run out.",
                [
                    metric("max(rabbitmq_alarms_memory_used_watermark)", "memory"),
                    metric("max(rabbitmq_alarms_free_disk_space_watermark)", "disk", ref="B"),
                    metric("max(rabbitmq_alarms_file_descriptor_limit)", "files", ref="C"),
                ],
                Look("none", ((None, GOOD), (1, BAD)), decimals=0, least=0, most=1),
                steps=True,
            ),
        ),
    ]


_ENDS: Final = ("connections", "channels", "consumers")
