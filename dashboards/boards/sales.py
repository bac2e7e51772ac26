"""Whom must I warn today: orders at risk by manager and customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors import conventions as names
from collectors.stages.eta import RISKS
from dashboards import panels, variables
from dashboards.board import board
from dashboards.colours import BAD, BLUE, GOOD, ORANGE, VERMILLION, WARN
from dashboards.conventions import CRM, PROMETHEUS, SALES
from dashboards.layout import Row, even, row
from dashboards.links import to_order
from dashboards.look import Look
from dashboards.queries import Sql, latest, metric
from dashboards.sql.desk import DeskSql

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from collectors.promise import PromiseFile

STANDING = {"late": VERMILLION, "short of time": ORANGE}
DAYS_LEFT = Look("d", ((None, BAD), (0, WARN), (3, GOOD)), decimals=1)


def build(promise: PromiseFile) -> Dashboard:
    """Return the sales managers' dashboard."""
    sql = DeskSql(promise)
    chosen = [
        variables.source(PROMETHEUS),
        variables.source(CRM),
        variables.found("manager", "Manager", CRM, sql.managers()),
        variables.found("customer", "Customer", CRM, sql.customers()),
    ]
    rows = [_counts(sql), _list(sql), _people(sql), _desk(sql)]
    about = "Which open orders are late or short of time, whose they are, and what lies on the desk."
    return board(SALES, "Sales: orders at risk", about, chosen, rows, since="now-30d", refresh="5m")


def _counts(sql: DeskSql) -> Row:
    some = ((None, GOOD), (1, WARN))
    return even(
        4,
        panels.single(
            1,
            "Late",
            "Open orders of the chosen people whose promise moment has passed.",
            Sql(CRM, sql.count_of("late")),
            Look("short", ((None, GOOD), (1, BAD)), decimals=0),
        ),
        panels.single(
            2,
            "Short of time",
            "Open orders with less time left than the budgets of the stages still ahead of them.",
            Sql(CRM, sql.count_of("short of time")),
            Look("short", some, decimals=0),
        ),
        panels.single(
            3,
            "On the desk",
            "Priced orders of everybody that wait for a decision.",
            Sql(CRM, sql.waiting()),
            panels.COUNT,
        ),
        panels.single(
            4,
            "Open promises that will break",
            "The collector's own estimate over all open orders, whoever's they are.",
            latest(f"max({names.EXPECTED_BREAKS})"),
            Look("short", decimals=1),
        ),
    )


def _list(sql: DeskSql) -> Row:
    chase = panels.rows(
        5,
        "Orders to chase",
        "Open orders that are late or short of time, the nearest promise first; at most 200. An order's id opens its"
        " journey. The manager is whoever decided on it last.",
        [Sql(CRM, sql.at_risk())],
        {"order": Look("string", links=[to_order()]), "days left": DAYS_LEFT},
    )
    return row(12, (24, chase))


def _people(sql: DeskSql) -> Row:
    return even(
        9,
        panels.bars(
            6,
            "At risk by manager",
            "Open orders that are late or short of time, by whoever decided on them last.",
            Sql(CRM, sql.risk_by("manager")),
            Look("short", decimals=0, colours=STANDING),
            stacked=True,
        ),
        panels.bars(
            7,
            "At risk by customer",
            "The 15 customers with most orders that are late or short of time.",
            Sql(CRM, sql.risk_by("customer_name")),
            Look("short", decimals=0, colours=STANDING),
            stacked=True,
        ),
    )


def _desk(sql: DeskSql) -> Row:
    colours = dict(zip(RISKS, (BLUE, ORANGE, VERMILLION), strict=True))
    return even(
        8,
        panels.rows(
            8,
            "Decisions in the shown time",
            "What each manager decided, and how long half of those orders had waited since they had their price.",
            [Sql(CRM, sql.decided())],
            {"median days waited": Look("d", decimals=1)},
        ),
        panels.lines(
            9,
            "Orders in flight by risk",
            "By the collector's estimate: on track (P90 inside the promise), at risk (only the median), late.",
            [
                metric(
                    f"sum by ({names.RISK}) (max by ({names.STAGE}, {names.RISK}) ({names.STAGE_ORDERS}))", "{{risk}}"
                )
            ],
            Look("short", decimals=0, least=0, colours=colours),
            stacked=True,
        ),
    )
