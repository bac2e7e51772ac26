"""The MES and its operators: what lies on whose bench, and whether the bought-in system answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from collectors import conventions as collector
from dashboards import conventions as names
from dashboards import panels, variables
from dashboards.board import board
from dashboards.boards.services import failed
from dashboards.colours import BAD, BLUE, GOOD, ORANGE, PURPLE, SKY, WARN
from dashboards.layout import Row, even, row
from dashboards.links import to_order
from dashboards.look import Look
from dashboards.queries import Sql, metric
from dashboards.sql import workshop

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

    from collectors.promise import PromiseFile

REQUESTS: Final = "http_server_request_duration_seconds"
OF_MES: Final = 'job="mes",route=~"$route"'
RATE: Final = "[$__rate_interval]"
BENCHES: Final = dict(zip(workshop.STATES.values(), (SKY, BLUE, ORANGE, PURPLE), strict=True))


def build(promise: PromiseFile) -> Dashboard:
    """Return the dashboard of the MES and the people at its benches."""
    chosen = [
        variables.source(names.PROMETHEUS),
        variables.source(names.WORKSHOP),
        variables.found("operator", "Operator", names.WORKSHOP, workshop.operators()),
        variables.labels("route", "Route", f'{REQUESTS}_count{{job="mes"}}'),
    ]
    about = "The benches and who is at them, the stages that the MES owns, and how its interface answers."
    rows = [_benches(), row(11, (24, _pieces())), _stages(promise), _interface(), _vendor()]
    return board(names.MES, "MES and operators", about, chosen, rows)


def _benches() -> Row:
    return even(
        9,
        panels.bars(
            1,
            "Pieces by operator",
            "What lies with each operator, by what is to be done with it. From the tables of the MES that comes with"
            " this house; a bought-in one has tables of its own.",
            Sql(names.WORKSHOP, workshop.benches()),
            Look("short", decimals=0, colours=BENCHES),
            stacked=True,
        ),
        panels.rows(
            2,
            "Operators",
            "Who is at work, what they can do, how many pieces they take at once, and how many they have.",
            [Sql(names.WORKSHOP, workshop.attendance())],
            {"capacity": panels.COUNT, "in hand": panels.COUNT},
        ),
    )


def _pieces() -> Panel:
    left = Look("d", ((None, BAD), (0, WARN), (3, GOOD)), decimals=1)
    return panels.rows(
        3,
        "Pieces in the workshop",
        "With the chosen operators, the nearest promise first; at most 200. An order's id opens its journey.",
        [Sql(names.WORKSHOP, workshop.pieces())],
        {"order": Look("string", links=[to_order()]), "days left": left},
    )


def _stages(promise: PromiseFile) -> Row:
    owned = [stage.name for stage in promise.stages if stage.owner in ("mes", "workshop", "logistics")]
    # What PromQL or Grafana would read as something else stands for any one character.
    here = "|".join(re.sub(r"[^\w '-]", ".", name) for name in owned or [stage.name for stage in promise.stages])
    chosen = f'{{{collector.STAGE}=~"{here}"}}'
    inside = f"max by ({collector.STAGE}, {collector.RISK}) ({collector.STAGE_ORDERS}{chosen})"
    return even(
        8,
        panels.lines(
            4,
            "Work in progress",
            "Orders in the stages that the workshop, the MES and logistics own.",
            [metric(f"sum by ({collector.STAGE}) ({inside})", "{{stage}}")],
            Look("short", decimals=0, least=0, series=owned),
            stacked=True,
        ),
        panels.lines(
            5,
            "Oldest order",
            "How long the oldest order has been in each of these stages.",
            [metric(f"max by ({collector.STAGE}) ({collector.STAGE_OLDEST_AGE}{chosen})", "{{stage}}")],
            Look("s", least=0, series=owned),
        ),
        panels.lines(
            6,
            "Last event of the MES",
            "How long ago the newest event that the MES told of happened.",
            [metric(f'time() - max({collector.LAST_EVENT}{{{collector.SOURCE}="/mes"}})', "since the last event")],
            Look("s", least=0),
        ),
    )


def _interface() -> Row:
    return even(
        8,
        panels.lines(
            7,
            "Requests",
            "Requests per second, by route: the operators' work lists and the vendor's own interface.",
            [metric(f"sum by (route) (rate({REQUESTS}_count{{{OF_MES}}}{RATE}))", "{{route}}")],
            Look("reqps", least=0),
        ),
        panels.lines(
            8,
            "Requests that failed",
            "Share of requests answered with 5xx. Nothing is shown while nobody asks.",
            [metric(failed("job", OF_MES), "failed")],
            Look("percentunit", ((None, GOOD), (0.01, BAD)), least=0),
        ),
        panels.lines(
            9,
            "Time to an answer",
            "P95 by route; a dot is one request and opens its trace.",
            [
                metric(
                    f"histogram_quantile(0.95, sum by (route, le) (rate({REQUESTS}_bucket{{{OF_MES}}}{RATE})))",
                    "{{route}}",
                    exemplars=True,
                )
            ],
            Look("s", ((None, GOOD), (1, BAD)), least=0),
        ),
    )


def _vendor() -> Row:
    return even(
        8,
        panels.lines(
            10,
            "Without an answer of the vendor",
            "How long ago the vendor's system last let the adapter read its journal, which is asked for all the time,"
            " and how long the oldest call has been owed to it. Both are a few seconds when all is well.",
            [
                metric(f"min by (job) ({names.MES_VENDOR_FEED_AGE})", "journal"),
                metric(f"max by (job) ({names.MES_VENDOR_OLDEST})", "oldest call", ref="B"),
            ],
            Look("s", ((None, GOOD), (300, BAD)), least=0),
        ),
        panels.lines(
            11,
            "Calls owed to the vendor",
            "Orders to take, to release, to withdraw or to quote again, which the vendor has not answered yet. What it"
            " refused for good is not among them.",
            [metric(f"max by (job) ({names.MES_VENDOR_OWED})", "owed")],
            Look("short", decimals=0, least=0),
        ),
    )
