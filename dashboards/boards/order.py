"""One order: what happened to it, in every service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import panels, variables
from dashboards.board import board
from dashboards.colours import BAD, BLUE, GOOD, GREY, ORANGE, PALETTE
from dashboards.conventions import COLLECTOR, CRM, LOGS, ORDER, TRACES
from dashboards.layout import even, row
from dashboards.look import Look
from dashboards.queries import Sql, TraceSearch, log_lines
from dashboards.sql.collector import CollectorSql
from dashboards.sql.desk import DeskSql

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from collectors.promise import PromiseFile

# Jaeger searches in one service; whichever of them a trace went through, it is shown whole.
SERVICES: Final = ["shop", "crm", "mes", "pricing", "collector"]


def build(promise: PromiseFile) -> Dashboard:
    """Return the dashboard of one order's journey."""
    sql = CollectorSql(promise)
    chosen = [
        variables.source(COLLECTOR),
        variables.source(CRM),
        variables.source(TRACES),
        variables.source(LOGS),
        variables.typed("order", "Order", "An order's id."),
        variables.one_of("service", "Traces of", SERVICES),
    ]
    words = [*promise.statuses.all(), *sql.codebook.stages]
    colours = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(words)}
    summary = panels.rows(
        1,
        "Where it stands",
        "What the collector makes of all events of the order so far; days left count from its end where it has ended.",
        [Sql(COLLECTOR, sql.order_summary())],
        {"days left": Look("d", ((None, BAD), (0, GOOD)), decimals=1)},
    )
    states = panels.timeline(
        2,
        "Status and stage over time",
        "Every status the order was in, and the stage that it belongs to. Choose a time that holds its whole journey.",
        [Sql(COLLECTOR, sql.order_states(), over_time=False)],
        {**colours, sql.codebook.stages[-1]: GREY},
    )
    stages = panels.bars(
        3,
        "Days in each stage, and its budget",
        "Exactly as the collector counts: visits to a stage add up. A stage over its budget made the order later.",
        Sql(COLLECTOR, sql.order_stages()),
        Look("d", decimals=1, colours={"days": BLUE, "budget": ORANGE}),
    )
    people = panels.rows(
        4,
        "What people decided and said",
        "Decisions of the desk, with their reasons, and the dialogue with the customer, from the CRM.",
        [Sql(CRM, DeskSql(promise).about_order())],
        {},
    )
    events = panels.rows(
        5,
        "Events as they came",
        "Every stored event; those with a sequence number are in the order that their source gave them. Polled events"
        " know their time only within some seconds.",
        [Sql(COLLECTOR, sql.order_events())],
        {"may be wrong by": Look("s", decimals=1)},
    )
    found = panels.traces(
        6,
        "Traces",
        "Traces with a span of this order in the chosen service, within the shown time. Empty without a trace backend.",
        TraceSearch("${service}", "order.id=${order}"),
    )
    lines = panels.log(
        7,
        "Log lines",
        "What every service logged about the order within the shown time; a line's trace id opens its trace. Empty"
        " without a log store.",
        log_lines('order_id:"${order}"'),
    )
    rows = [
        row(4, (24, summary)),
        row(7, (24, states)),
        even(9, stages, people),
        row(9, (24, events)),
        even(10, found, lines),
    ]
    about = "One order's journey: its statuses and stages, what people decided, its events, traces and log lines."
    return board(ORDER, "Order: one order's journey", about, chosen, rows, since="now-90d", refresh="1m")
