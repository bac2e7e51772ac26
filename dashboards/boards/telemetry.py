"""Telemetry itself: whether it arrives, whether the collector is up to date, whether Prometheus copes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collectors import conventions as names
from dashboards import panels, variables
from dashboards.board import board
from dashboards.colours import BAD, BLUE, GOOD, ORANGE, PALETTE, PURPLE, SKY, VERMILLION
from dashboards.conventions import COLLECTOR, PROMETHEUS, TELEMETRY
from dashboards.layout import Row, even, row
from dashboards.look import Look
from dashboards.queries import Sql, latest, metric
from dashboards.sql.collector import CollectorSql
from instrumentation import conventions as spans

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from collectors.promise import PromiseFile

RATE: Final = "[$__rate_interval]"
ALERTED: Final = "[15m]"  # the window of the alerts that link here, so that one sees their figures
OF_JOB: Final = '{job=~"$job"}'
_WAY: Final = "{{integration}}"
_TARGET: Final = "{{job}} {{instance}}"
NONE_WANTED: Final = Look("short", ((None, GOOD), (1, BAD)), decimals=0, least=0)


def build(promise: PromiseFile) -> Dashboard:
    """Return the dashboard of telemetry itself."""
    chosen = [
        variables.source(PROMETHEUS),
        variables.source(COLLECTOR),
        variables.labels("job", "Job", "up"),
    ]
    rows = [_scraping(), _events(), _signals(), _wrong(CollectorSql(promise)), _kept(), _rules(), _told()]
    about = "Whether what the other dashboards show can be believed."
    return board(TELEMETRY, "Telemetry health", about, chosen, rows)


def _scraping() -> Row:
    return even(
        8,
        panels.lines(
            1,
            "Targets that cannot be read",
            "By job: how many targets Prometheus could not scrape.",
            [metric(f"sum by (job) (1 - up{OF_JOB})", "{{job}}")],
            NONE_WANTED,
        ),
        panels.lines(
            2,
            "Time to scrape",
            "How long the slowest target of each job takes to tell its metrics.",
            [metric(f"max by (job) (scrape_duration_seconds{OF_JOB})", "{{job}}")],
            Look("s", ((None, GOOD), (5, BAD)), least=0),
        ),
        panels.lines(
            3,
            "Series told by job",
            "Samples in one scrape, of the target of each job that tells most. It grows with stages and routes, never"
            " with orders; where it climbs for days, a label holds something that it should not.",
            [metric(f"max by (job) (scrape_samples_post_metric_relabeling{OF_JOB})", "{{job}}")],
            Look("short", decimals=0, least=0),
        ),
    )


def _events() -> Row:
    lag = f"sum by (le) (rate({names.EVENT_LAG}_bucket{RATE}))"
    colours = dict(zip(names.OUTCOMES, (BLUE, SKY, VERMILLION, ORANGE), strict=True))
    return even(
        8,
        panels.lines(
            4,
            "Events at the collector",
            "Per second, by what became of them; late ones were accepted too.",
            [metric(f"sum by ({names.OUTCOME}) (rate({names.EVENTS}{RATE}))", "{{outcome}}")],
            Look("cps", least=0, colours=colours),
        ),
        panels.lines(
            5,
            "From happening to arriving",
            "Median and P95 of how long events took to reach the collector; events older than an hour are left out.",
            [
                metric(f"histogram_quantile(0.5, {lag})", "median"),
                metric(f"histogram_quantile(0.95, {lag})", "P95", ref="B"),
            ],
            Look("s", ((None, GOOD), (60, BAD)), least=0, colours={"median": SKY, "P95": BLUE}),
        ),
        panels.lines(
            6,
            "Since the last event, by source",
            "How long ago the newest event of each source happened. Silence in business hours is an alarm.",
            [metric(f"time() - max by ({names.SOURCE}) ({names.LAST_EVENT})", "{{source}}")],
            Look("s", least=0),
        ),
    )


def _signals() -> Row:
    unseen = f'max by ({names.STAGE}) ({names.STAGE_REFERENCE_DEPARTURES}{{{names.SEGMENT}="{names.ALL}"}})'
    inside = f"sum by ({names.STAGE}) (max by ({names.STAGE}, {names.RISK}) ({names.STAGE_ORDERS}))"
    told = (
        panels.single(
            7,
            "Signals computed",
            "How long ago the collector last computed slow-downs and expected breaks.",
            latest(f"time() - max({names.SIGNALS_LAST_RUN})"),
            Look("s", ((None, GOOD), (300, BAD)), decimals=0),
        ),
        panels.single(
            8,
            "Time to compute them",
            "How long the computation took, the last time that it ran.",
            latest(f"max({names.SIGNALS_DURATION})"),
            Look("s", ((None, GOOD), (10, BAD)), decimals=2),
        ),
        panels.single(
            9,
            "Reference frozen",
            "When the period ended that slow-downs are measured against. Only a recorded decision replaces it.",
            latest(f"max({names.REFERENCE_TIMESTAMP}) * 1000"),
            Look("dateTimeAsIso"),
        ),
        panels.single(
            10,
            "Stages without a reference",
            "Stages that hold orders, and that nothing left in the reference period: the test for a slow-down is blind"
            " there.",
            latest(f"count({unseen} == 0 and on ({names.STAGE}) {inside} > 0)"),
            Look("short", ((None, GOOD), (1, ORANGE)), decimals=0),
        ),
        panels.single(
            18,
            "Collectors that tell the signals",
            "Of several collectors on one database one tells them; the others take events in for it.",
            latest(f"sum({names.SIGNALS_LEADER})"),
            Look("short", ((None, BAD), (1, GOOD), (2, BAD)), decimals=0),
        ),
    )
    return row(6, *zip((5, 5, 5, 5, 4), told, strict=True))


def _wrong(sql: CollectorSql) -> Row:
    unusable = {"unusable": VERMILLION, "clock ran backwards": ORANGE, "lack an event": PURPLE}
    watched = {"sources that cannot be read": ORANGE, "systems that did not answer": VERMILLION}
    return even(
        9,
        panels.lines(
            11,
            "Events that are wrong",
            "Events that could not be used, events whose time ran backwards within their source, and orders that lack a"
            " sequence number now.",
            [
                metric(f"max({names.QUARANTINED_EVENTS})", "unusable"),
                metric(f"max({names.CLOCK_SKEW})", "clock ran backwards", ref="B"),
                metric(f"max({names.SEQUENCE_GAPS})", "lack an event", ref="C"),
            ],
            Look("short", decimals=0, least=0, colours=unusable),
        ),
        panels.lines(
            12,
            "Sources and systems that do not answer",
            "Followed logs and polled systems that cannot be read now, and systems that said nothing at the last"
            " reconciliation.",
            [
                metric(f"max({names.FAILING_SOURCES})", "sources that cannot be read"),
                metric(f"max({names.RECONCILE_SILENT})", "systems that did not answer", ref="B"),
            ],
            Look("short", decimals=0, least=0, colours=watched),
        ),
        panels.rows(
            13,
            "What could not be used, and why",
            "Records that the collector quarantined in the shown time, the newest first; at most 200.",
            [Sql(COLLECTOR, sql.quarantined())],
            {},
        ),
    )


def _kept() -> Row:
    ended = {"ended": BLUE, "delivered": PALETTE[2], "given up": VERMILLION}
    return even(
        8,
        panels.lines(
            14,
            "Invariants violated",
            "What must be true at every moment and is not, by invariant; nothing where it was not checked.",
            [metric(f"max by ({names.INVARIANT}) ({names.INVARIANT_VIOLATIONS})", "{{invariant}}")],
            NONE_WANTED,
        ),
        panels.lines(
            15,
            "Spans",
            "Per second, of the chosen jobs: ended, delivered to the trace backend, and given up because it did not"
            " take them. All the same without a backend: nothing.",
            [
                metric(f"sum(rate({spans.SPANS_ENDED}{OF_JOB}{RATE}))", "ended"),
                metric(f"sum(rate({spans.SPANS_DELIVERED}{OF_JOB}{RATE}))", "delivered", ref="B"),
                metric(f"sum(rate({spans.SPANS_DROPPED}{OF_JOB}{RATE}))", "given up", ref="C"),
            ],
            Look("cps", least=0, colours=ended),
        ),
        panels.lines(
            16,
            "Series that Prometheus holds",
            "In memory now; it is what Prometheus' own memory goes for.",
            [metric("max(prometheus_tsdb_head_series)", "series")],
            Look("short", decimals=0, least=0, colours={"series": BLUE}),
        ),
    )


def _rules() -> Row:
    refused = "prometheus_target_scrapes_"
    return even(
        8,
        panels.lines(
            17,
            "Rules and notifications that fail",
            "In the 15 minutes before: rule evaluations that failed, and notifications to Alertmanager that were"
            " dropped.",
            [
                metric(f"sum(increase(prometheus_rule_evaluation_failures_total{ALERTED}))", "rules"),
                metric(f"sum(increase(prometheus_notifications_dropped_total{ALERTED}))", "notifications", ref="B"),
            ],
            Look("short", decimals=0, least=0, colours={"rules": BLUE, "notifications": ORANGE}),
        ),
        panels.lines(
            19,
            "Time to evaluate rules",
            "How long each group of rules took the last time, and the shortest interval of any. Above its interval, a"
            " group is not evaluated as often as its alerts believe.",
            [
                metric("max by (rule_group) (prometheus_rule_group_last_duration_seconds)", "{{rule_group}}"),
                metric("min(prometheus_rule_group_interval_seconds)", "interval", ref="B"),
            ],
            Look("s", least=0, colours={"interval": VERMILLION}),
        ),
        panels.lines(
            20,
            "Samples refused",
            "In the 15 minutes before: scrapes with more samples than Prometheus takes, and samples that it refused"
            " because of their time.",
            [
                metric(f"sum(increase({refused}exceeded_sample_limit_total{ALERTED}))", "too many"),
                metric(f"sum(increase({refused}sample_duplicate_timestamp_total{ALERTED}))", "twice", ref="B"),
                metric(f"sum(increase({refused}sample_out_of_order_total{ALERTED}))", "out of order", ref="C"),
                metric(f"sum(increase({refused}sample_out_of_bounds_total{ALERTED}))", "out of bounds", ref="D"),
            ],
            Look("short", decimals=0, least=0),
        ),
    )


def _told() -> Row:
    taken = {"Alertmanagers known": BLUE, "alerts given up": VERMILLION}
    reloaded = "config_last_reload_successful"
    return even(
        8,
        panels.lines(
            21,
            "From Prometheus to Alertmanager",
            "How many Alertmanagers Prometheus knows, and alerts that none of them took, in the 15 minutes before.",
            [
                metric("min(prometheus_notifications_alertmanagers_discovered)", "Alertmanagers known"),
                metric(f"sum(increase(prometheus_notifications_dropped_total{ALERTED}))", "alerts given up", ref="B"),
            ],
            Look("short", decimals=0, least=0, colours=taken),
        ),
        panels.lines(
            22,
            "Notifications that reach nobody",
            "By way of telling: notifications of Alertmanager that failed in the 15 minutes before.",
            [metric(f"sum by (integration) (increase(alertmanager_notifications_failed_total{ALERTED}))", _WAY)],
            NONE_WANTED,
        ),
        panels.lines(
            23,
            "Configuration in force",
            "1 where the configuration was read the last time, 0 where it was refused and the old one goes on.",
            [
                metric(f"min by (job, instance) (prometheus_{reloaded}{OF_JOB})", _TARGET),
                metric(f"min by (job, instance) (alertmanager_{reloaded}{OF_JOB})", _TARGET, ref="B"),
            ],
            Look("none", ((None, BAD), (1, GOOD)), decimals=0, least=0, most=1),
            steps=True,
        ),
    )
