"""For executives: whether the promise is kept, and what would keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors import conventions as names
from dashboards import panels, variables
from dashboards.board import board
from dashboards.colours import BAD, BLUE, GOOD, GREY, ORANGE, SKY, VERMILLION, WARN
from dashboards.conventions import COLLECTOR, EXECUTIVE, PROMETHEUS
from dashboards.layout import Row, even, row
from dashboards.look import Look
from dashboards.queries import Sql, latest, metric
from dashboards.sql.collector import CollectorSql

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

    from collectors.promise import PromiseFile

BUDGET = Look("percentunit", ((None, GOOD), (0.8, WARN), (1.0, BAD)), decimals=0)


def build(promise: PromiseFile) -> Dashboard:
    """Return the executive's dashboard; what lateness costs is on it where the promise file says what it costs."""
    sql = CollectorSql(promise)
    rows = [_now(promise), _by_month(sql, promise), _trend(sql), _ahead()]
    if (cost := sql.cost_by_month()) is not None:
        rows.append(row(8, (24, _cost(cost, promise))))
    about = f"Are we keeping the promise `{promise.name}`, which stage makes orders late, and what is ahead?"
    chosen = [
        variables.source(PROMETHEUS),
        variables.source(COLLECTOR),
        variables.labels("segment", "Segment", names.EXPECTED_BREAK_RATIO, first=names.ALL),
    ]
    return board(EXECUTIVE, "Executive: is the promise kept?", about, chosen, rows, since="now-6M", refresh="5m")


def _now(promise: PromiseFile) -> Row:
    objective = promise.promise.objective
    kept, broken = f"max({names.PROMISE_KEPT})", f"max({names.PROMISE_BROKEN})"
    share = Look("percentunit", ((None, BAD), (objective, GOOD)), decimals=1, least=0, most=1)
    return even(
        5,
        panels.single(
            1,
            "Promise kept",
            f"Share of all judged orders that kept the promise. The objective is {objective:.0%}."
            " Open orders whose moment has passed count as broken. Nothing is shown before the first is judged.",
            latest(f"{kept} / ({kept} + {broken} > 0)"),
            share,
        ),
        panels.single(
            2,
            "Error budget spent",
            "How much of the error budget (the broken promises that the objective allows) the present window has used."
            " From 100 % on, the objective of this window is missed.",
            latest(f"max({names.BUDGET_SPENT})"),
            BUDGET,
        ),
        panels.single(
            3,
            "Budget at the window's end",
            "The same at the end of the window, as forecast from the orders in flight.",
            latest(f"max({names.BUDGET_FORECAST})"),
            BUDGET,
        ),
        panels.single(
            4,
            "Open promises that will break",
            "Expected number among the orders in flight, from how long each has been in its stage.",
            latest(f"max({names.EXPECTED_BREAKS})"),
            Look("short", decimals=1),
        ),
        panels.single(
            5,
            "Culprit now",
            "The stage that would save most broken orders if it kept its budget. Empty where no stage would save any.",
            latest(f"max by ({names.STAGE}) ({names.CULPRIT}) == 1", f"{{{{{names.STAGE}}}}}"),
            Look("none", ((None, BAD),)),
            named=True,
        ),
        panels.single(
            6,
            "Broken orders it alone would save",
            "Share of the broken orders that would have been kept had the culprit kept its budget, all else as it was.",
            latest(f"max({names.CULPRIT_RESCUED})"),
            Look("percentunit", decimals=0, least=0, most=1),
        ),
    )


def _by_month(sql: CollectorSql, promise: PromiseFile) -> Row:
    objective = promise.promise.objective
    limits = ((None, BAD), (objective, GOOD))
    return even(
        9,
        panels.bars(
            7,
            "Promise kept by month",
            "Of the orders whose promise moment lies in the month and has passed, the share that kept it:"
            f" from the stored orders, so further back than the metrics reach. Objective {objective:.0%}.",
            Sql(COLLECTOR, sql.kept_by_month()),
            Look("percentunit", limits, decimals=0, least=0, most=1),
        ),
        panels.bars(
            8,
            "Orders by month of their promise moment",
            "How many orders stand behind the share: kept, and broken (ended late, or still open after their moment).",
            Sql(COLLECTOR, sql.verdicts_by_month()),
            Look("short", decimals=0, colours={"kept": BLUE, "broken": VERMILLION}),
            stacked=True,
        ),
    )


def _trend(sql: CollectorSql) -> Row:
    return even(
        9,
        panels.bars(
            9,
            "Lead time by month",
            "Days from the promise's start to its end, of the orders that ended in the month: half took at most the"
            " median, nine in ten at most P90.",
            Sql(COLLECTOR, sql.lead_by_month()),
            Look("d", decimals=1, colours={"median": SKY, "P90": BLUE, "promised": ORANGE}),
        ),
        panels.bars(
            10,
            "Late orders that each stage alone would have saved",
            "By the month in which they ended: orders that would have been in time had that stage kept its budget."
            " One order can count for several stages; orders that are late and still open are not in here.",
            Sql(COLLECTOR, sql.rescued_by_month()),
            Look("short", decimals=0, series=sql.codebook.stages),
        ),
    )


def _ahead() -> Row:
    ratio = f'max({names.EXPECTED_BREAK_RATIO}{{{names.SEGMENT}="$segment"}})'
    return even(
        8,
        panels.lines(
            11,
            "Error budget: spent and forecast",
            "What the window has used so far, and what it will have used at its end. At 100 % the objective is missed."
            " As far back as Prometheus keeps it.",
            [
                metric(f"max({names.BUDGET_SPENT})", "spent"),
                metric(f"max({names.BUDGET_FORECAST})", "forecast", ref="B"),
            ],
            Look("percentunit", ((None, GOOD), (1.0, BAD)), least=0, colours={"spent": BLUE, "forecast": ORANGE}),
        ),
        panels.lines(
            12,
            "Share of open promises that will break",
            "Of the chosen segment: expected, with the bounds of its interval; orders that wait in one queue wait"
            " together, and the interval knows that. As far back as Prometheus keeps it.",
            [metric(ratio, "expected"), _bound(names.LOWER, "B"), _bound(names.UPPER, "C")],
            Look("percentunit", least=0, colours={"expected": BLUE, names.LOWER: GREY, names.UPPER: GREY}),
        ),
    )


def _bound(bound: str, ref: str) -> Dataquery:
    where = f'{names.SEGMENT}="$segment",{names.BOUND}="{bound}"'
    return metric(f"max({names.EXPECTED_BREAK_BOUND}{{{where}}})", bound, ref=ref)


def _cost(query: str, promise: PromiseFile) -> Panel:
    return panels.bars(
        13,
        "Cost of lateness by month",
        f"Days late times {promise.cost_per_day_late} (`cost_per_day_late` of the promise file, in its currency), by"
        " the month of the promise moment. Orders that are late and still open count up to now.",
        Sql(COLLECTOR, query),
        Look("locale", ((None, BAD),), decimals=0),
    )
