"""What makes orders late now: each stage's queue, age, rate and slow-down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors import conventions as names
from dashboards import panels, variables
from dashboards.board import board
from dashboards.boards.stage_map import stage_map
from dashboards.colours import BAD, BLUE, GOOD, GREY, ORANGE, PURPLE, VERMILLION
from dashboards.conventions import COLLECTOR, OPERATIONS, PROMETHEUS
from dashboards.layout import Row, even, row
from dashboards.links import to_order
from dashboards.look import Look
from dashboards.queries import Sql, buckets, latest, metric
from dashboards.sql.collector import CollectorSql

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

    from collectors.promise import PromiseFile

CHOSEN = f'{{{names.STAGE}=~"$stage",{names.SEGMENT}="$segment"}}'
OF_STAGE = f'{{{names.STAGE}=~"$stage"}}'
PER_DAY = "* 86400"


def build(promise: PromiseFile) -> Dashboard:
    """Return the dashboard of whoever runs the house."""
    sql = CollectorSql(promise)
    stages = sql.codebook.stages
    chosen = [
        variables.source(PROMETHEUS),
        variables.source(COLLECTOR),
        variables.labels("stage", "Stage", names.STAGE_ORDERS),
        variables.labels("segment", "Segment", f"{names.STAGE_ARRIVALS}{OF_STAGE}", first=names.ALL),
    ]
    rows = [
        row(11, (24, stage_map())),
        _slow(stages),
        _work(stages),
        _age(stages),
        _flow(stages),
        row(11, (24, _longest(sql))),
        _wrong(),
        row(8, (24, _firing())),
    ]
    about = "Each stage's orders, ages, rates and slow-down, and the orders that have been longest in it."
    return board(OPERATIONS, "Operations: the stage map", about, chosen, rows, since="now-7d")


def _by_stage(name: str, legend: str = "{{stage}}", *, ref: str = "A", more: str = "", times: str = "") -> Dataquery:
    selector = CHOSEN if not more else f"{CHOSEN[:-1]},{more}}}"
    return metric(f"max by ({names.STAGE}) ({name}{selector}) {times}", legend, ref=ref)


def _slow(stages: tuple[str, ...]) -> Row:
    bound = f"{{{{stage}}}} {names.LOWER}"
    upper = f"{{{{stage}}}} {names.UPPER}"
    least = metric(f"max({names.STAGE_EFFECT_MINIMUM})", "effect that an alert demands", ref="D")
    return even(
        9,
        panels.lines(
            2,
            "Slow-down against the reference",
            "How many times slower than in the frozen reference period orders leave the stage, with the bounds of its"
            " interval; orders that still wait are evidence too. Nothing is shown where the reference is empty.",
            [
                _by_stage(names.STAGE_SLOWDOWN),
                _by_stage(names.STAGE_SLOWDOWN_BOUND, bound, ref="B", more=f'{names.BOUND}="{names.LOWER}"'),
                _by_stage(names.STAGE_SLOWDOWN_BOUND, upper, ref="C", more=f'{names.BOUND}="{names.UPPER}"'),
                least,
            ],
            Look("none", decimals=2, least=0, series=stages, colours={"effect that an alert demands": GREY}),
        ),
        panels.lines(
            3,
            "Evidence: slower than the reference",
            "The test's statistic over its calibrated limit. From 1 on it is no chance any more; an alert demands the"
            " effect besides.",
            [_by_stage(names.STAGE_EVIDENCE)],
            Look("none", ((None, GOOD), (1, BAD)), decimals=2, least=0, series=stages),
        ),
        panels.lines(
            4,
            "Evidence: over its budget",
            "The second test of each stage, against its budget, over its calibrated limit. From 1 on it is no chance.",
            [_by_stage(names.STAGE_BUDGET_EVIDENCE)],
            Look("none", ((None, GOOD), (1, BAD)), decimals=2, least=0, series=stages),
        ),
        _since(),
    )


def _since() -> Panel:
    begun = f'max by ({names.STAGE}, {names.SEGMENT}) ({names.STAGE_SLOW_SINCE}{{{names.STAGE}=~"$stage"}})'
    return panels.rows(
        21,
        "Slow since",
        "Since when each stage and segment that is slow now, by evidence and effect, has been so, the earliest first:"
        " the hour from which on what left it speaks for a slow-down. Empty is good.",
        [latest(f"sort({begun} * 1000)", table=True)],
        {"slow since": Look("dateTimeAsIso")},
        transformations=[
            panels.change("organize", excludeByName={"Time": True}, renameByName={"Value": "slow since"}),
        ],
    )


def _work(stages: tuple[str, ...]) -> Row:
    inside = f"sum by ({names.STAGE}) (max by ({names.STAGE}, {names.RISK}) ({names.STAGE_ORDERS}{OF_STAGE}))"
    return even(
        9,
        panels.lines(
            5,
            "Work in progress",
            "Orders in each stage, of all segments.",
            [metric(inside, "{{stage}}")],
            Look("short", decimals=0, least=0, series=stages),
            stacked=True,
        ),
        panels.lines(
            6,
            "Over the stage's budget",
            "Orders that have been in the stage for longer than its budget.",
            [metric(f"max by ({names.STAGE}) ({names.STAGE_OVER_BUDGET}{OF_STAGE})", "{{stage}}")],
            Look("short", decimals=0, least=0, series=stages),
        ),
        panels.lines(
            7,
            "Open promises that will break, by stage",
            "Expected among the orders that are in the stage now.",
            [metric(f"max by ({names.STAGE}) ({names.STAGE_EXPECTED_BREAKS}{OF_STAGE})", "{{stage}}")],
            Look("short", decimals=1, least=0, series=stages),
        ),
    )


def _age(stages: tuple[str, ...]) -> Row:
    half, most = f'{names.QUANTILE}="0.5"', f'{names.QUANTILE}="0.9"'
    return even(
        9,
        panels.lines(
            8,
            "Age of what is in the stage, against the reference",
            "How long orders have been in the stage (median and P90), and how long they had been at any moment of the"
            " reference period. Choose one stage to read it.",
            [
                _by_stage(names.STAGE_AGE, "{{stage}} median", more=half),
                _by_stage(names.STAGE_AGE, "{{stage}} P90", ref="B", more=most),
                _by_stage(names.STAGE_REFERENCE_AGE, "{{stage}} median of the reference", ref="C", more=half),
                _by_stage(names.STAGE_REFERENCE_AGE, "{{stage}} P90 of the reference", ref="D", more=most),
            ],
            Look("s", least=0),
        ),
        panels.lines(
            9,
            "Oldest order in the stage",
            "How long the oldest order has been in each stage; dashed where colours run out.",
            [metric(f"max by ({names.STAGE}) ({names.STAGE_OLDEST_AGE}{OF_STAGE})", "{{stage}}")],
            Look("s", least=0, series=stages),
        ),
        panels.heat(
            10,
            "How long ended visits took",
            "Visits to the chosen stages that ended, by how long they took; those whose event came within an hour.",
            buckets(f"sum by (le) (increase({names.STAGE_DURATION}_bucket{OF_STAGE}[$__rate_interval]))"),
            "s",
        ),
    )


def _flow(stages: tuple[str, ...]) -> Row:
    return even(
        9,
        panels.lines(
            11,
            "Arrivals",
            "Orders that enter the stage, per day, over the last 7 days.",
            [_by_stage(names.STAGE_ARRIVALS, times=PER_DAY)],
            Look("short", decimals=1, least=0, series=stages),
        ),
        panels.lines(
            12,
            "Departures",
            "Orders that leave the stage, per day, over the last 7 days. Below the arrivals, the queue grows.",
            [_by_stage(names.STAGE_DEPARTURES, times=PER_DAY)],
            Look("short", decimals=1, least=0, series=stages),
        ),
        panels.lines(
            13,
            "Utilisation",
            "Arrivals over what the stage can do; close to 100 % queues grow without end.",
            [metric(f"max by ({names.STAGE}) ({names.STAGE_UTILISATION}{OF_STAGE})", "{{stage}}")],
            Look("percentunit", ((None, GOOD), (0.85, BAD)), decimals=0, least=0, series=stages),
        ),
        panels.lines(
            18,
            "Visits that the reference saw end",
            "Departures from the stage in the frozen reference period. Where there were none, the test for a slow-down"
            " is blind; `elsewhere` holds no order as long as every status has its stage, so none leaves it.",
            [_by_stage(names.STAGE_REFERENCE_DEPARTURES)],
            Look("short", ((None, BAD), (1, GOOD)), decimals=0, least=0, series=stages),
        ),
    )


def _longest(sql: CollectorSql) -> Panel:
    over = ((None, GOOD), (1.0, BAD))
    left = ((None, BAD), (0.0, GOOD))
    return panels.rows(
        14,
        "Orders to chase: longest in their stage",
        "Open orders in the chosen stages, those first that have been longest in their stage; at most 200. An order's"
        " id opens its journey.",
        [Sql(COLLECTOR, sql.longest_in_stage())],
        {
            "order": Look("string", links=[to_order()]),
            "days in stage": Look("d", decimals=1),
            "of budget": Look("percentunit", over, decimals=0),
            "days left": Look("d", left, decimals=1),
        },
    )


def _wrong() -> Row:
    return even(
        8,
        panels.lines(
            15,
            "Systems that disagree",
            "Orders that are stuck (longer in their stage than its P99), lost between systems, or told differently by"
            " two systems. Nothing is shown where systems are not reconciled.",
            [
                metric(f"max({names.RECONCILE_STUCK})", "stuck"),
                metric(f"max({names.RECONCILE_LOST})", "lost", ref="B"),
                metric(f"max({names.RECONCILE_MISMATCHES})", "mismatches", ref="C"),
            ],
            Look("short", decimals=0, least=0, colours={"stuck": ORANGE, "lost": VERMILLION, "mismatches": PURPLE}),
        ),
        panels.lines(
            16,
            "Business hours and maintenance",
            "1 while the calendar says that people work, and 1 within a maintenance window.",
            [
                metric(f"max({names.BUSINESS_HOURS})", "business hours"),
                metric(f"max({names.MAINTENANCE})", "maintenance", ref="B"),
            ],
            Look("none", decimals=0, least=0, most=1, colours={"business hours": BLUE, "maintenance": ORANGE}),
            steps=True,
        ),
        panels.lines(
            19,
            "Until the maintenance window ends",
            "What is left of the window that is open, also while no collector tells of it. Nothing is shown while none"
            " is open.",
            [metric(f"max(last_over_time({names.MAINTENANCE_UNTIL}[1d])) - time() > 0", "left")],
            Look("s", least=0, colours={"left": ORANGE}),
        ),
        panels.lines(
            20,
            "Since the systems were compared",
            "How long ago the last reconciliation was; it comes every few minutes where systems are polled.",
            [metric(f"time() - max({names.RECONCILE_LAST_RUN})", "since")],
            Look("s", ((None, GOOD), (1800, BAD)), least=0, colours={"since": BLUE}),
        ),
    )


def _firing() -> Panel:
    return panels.rows(
        17,
        "Alerts that fire now",
        "What Prometheus' rules say now: the alert, whom it is for, and which stage it names. Empty is good.",
        [latest('ALERTS{alertstate="firing"}', table=True)],
        {},
        transformations=[
            panels.change("organize", excludeByName=dict.fromkeys(("Time", "Value", "__name__", "alertstate"), True))
        ],
    )
