"""The services: requests by rate, errors and duration; resources by use and saturation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import conventions as names
from dashboards import panels, variables
from dashboards.board import board
from dashboards.colours import BAD, GOOD, WARN
from dashboards.layout import Row, even, row
from dashboards.look import Look
from dashboards.queries import buckets, latest, metric
from instrumentation.conventions import ACTIVE_REQUESTS, REQUEST_DURATION

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

RATE: Final = "[$__rate_interval]"
OF_JOB: Final = 'job=~"$job",instance=~"$instance"'
OF_ROUTE: Final = f'{OF_JOB},route=~"$route"'
LEGEND: Final = "{{job}} {{instance}}"
COUNT: Final = f"{REQUEST_DURATION}_count"
FAILED: Final = Look("percentunit", ((None, GOOD), (0.01, BAD)), least=0)


def build() -> Dashboard:
    """Return the dashboard of the services: requests above, resources below."""
    chosen = [
        variables.source(names.PROMETHEUS),
        # Not everything that is watched answers requests.
        variables.labels("job", "Service", "up"),
        variables.labels("instance", "Instance", 'up{job=~"$job"}'),
        variables.labels("route", "Route", f"{COUNT}{{{OF_JOB}}}"),
        variables.labels("sli", "Budget of", names.SLI_BUDGET),
        variables.labels("of", "For", f'{names.SLI_BUDGET}{{sli=~"$sli"}}'),
    ]
    about = "Requests of each service by rate, errors and duration, error budgets that burn, and what processes use."
    return board(
        names.SERVICES, "Services: requests and resources", about, chosen, [_up(), *_requests(), _burning(), *_use()]
    )


def failed(by: str, where: str) -> str:
    """Return the share of requests that failed: 0 where requests came and none did, nothing where none came."""
    all_of = f"sum by ({by}) (rate({COUNT}{{{where}}}{RATE}))"
    bad = f'sum by ({by}) (rate({COUNT}{{{where},status=~"5.."}}{RATE}))'
    return f"({bad} or 0 * {all_of}) / ({all_of} > 0)"


def _up() -> Row:
    about = "1 where Prometheus reaches the process, 0 where it does not."
    reached = metric(f"min by (job, instance) (up{{{OF_JOB}}})", LEGEND)
    look = Look("none", decimals=0, least=0, most=1)
    return row(5, (24, panels.lines(1, "Up", about, [reached], look, steps=True)))


def _requests() -> list[Row]:
    quantile = f"sum by (job, le) (rate({REQUEST_DURATION}_bucket{{{OF_ROUTE}}}{RATE}))"
    shown = f"sum by (job, route, le) (rate({REQUEST_DURATION}_bucket{{{OF_ROUTE}}}[$__range]))"
    by_route = f"topk(20, histogram_quantile(0.95, {shown}))"
    return [
        even(
            9,
            panels.lines(
                2,
                "Requests",
                "Requests per second, by service.",
                [metric(f"sum by (job) (rate({COUNT}{{{OF_ROUTE}}}{RATE}))", "{{job}}")],
                Look("reqps", least=0),
            ),
            panels.lines(
                3,
                "Requests that failed",
                "Share answered with 5xx, by service. Nothing is shown while nobody asks.",
                [metric(failed("job", OF_ROUTE), "{{job}}")],
                FAILED,
            ),
            panels.lines(
                4,
                "Time to an answer",
                "Median and P95 by service; a dot is one request and opens its trace.",
                [
                    metric(f"histogram_quantile(0.5, {quantile})", "{{job}} median"),
                    metric(f"histogram_quantile(0.95, {quantile})", "{{job}} P95", ref="B", exemplars=True),
                ],
                Look("s", ((None, GOOD), (1, BAD)), least=0),
            ),
        ),
        even(
            9,
            panels.heat(
                5,
                "Requests by how long they took",
                "Of the chosen services and routes; a dot is one request and opens its trace.",
                buckets(f"sum by (le) (increase({REQUEST_DURATION}_bucket{{{OF_ROUTE}}}{RATE}))"),
                "s",
            ),
            panels.rows(
                6,
                "Slowest routes",
                "The 20 routes with the longest P95 over the shown time.",
                [latest(by_route, table=True)],
                {"Value": Look("s", ((None, GOOD), (0.5, WARN), (1, BAD)))},
                transformations=[
                    panels.change(
                        "organize", excludeByName={"Time": True}, indexByName={}, renameByName={"Value": "P95"}
                    )
                ],
            ),
        ),
    ]


def _burning() -> Row:
    """Return how fast error budgets burn: of every service, and of the prices and stages that have one as well."""

    def burn(ratio: str) -> str:
        return f'{ratio}{{sli=~"$sli",of=~"$of"}} / on (sli, of) group_left () {names.SLI_BUDGET}'

    about = (
        "How many times faster than it may each error budget burns, over the times that alerts look at: errors and"
        " latency of a service, prices of a class, visits to a short stage. The rules of the alerts record it."
    )
    asked = [
        metric(burn(names.BAD_EVENTS_HOUR), "{{sli}} {{of}}, an hour"),
        metric(burn(names.BAD_EVENTS_SIX_HOURS), "{{sli}} {{of}}, six hours", ref="B"),
        metric(burn(names.BAD_EVENTS_DAY), "{{sli}} {{of}}, a day", ref="C"),
        metric(burn(names.BAD_EVENTS_THREE_DAYS), "{{sli}} {{of}}, three days", ref="D"),
    ]
    look = Look("none", ((None, GOOD), (1, WARN), (6, BAD)), decimals=1, least=0)
    return row(9, (24, panels.lines(12, "Error budgets that burn", about, asked, look)))


def _use() -> list[Row]:
    return [
        even(
            8,
            panels.lines(
                7,
                "Processor",
                "Cores that each process uses; Python runs on one at a time, so 1 is all that it has.",
                [metric(f"rate(process_cpu_seconds_total{{{OF_JOB}}}{RATE})", LEGEND)],
                Look("none", ((None, GOOD), (0.9, BAD)), decimals=2, least=0),
            ),
            panels.lines(
                8,
                "Memory",
                "Resident memory of each process.",
                [metric(f"process_resident_memory_bytes{{{OF_JOB}}}", LEGEND)],
                Look("bytes", least=0),
            ),
        ),
        even(
            8,
            panels.lines(
                9,
                "Open files",
                "Files and connections that each process has open, of as many as it may have.",
                [metric(f"process_open_fds{{{OF_JOB}}} / process_max_fds{{{OF_JOB}}}", LEGEND)],
                Look("percentunit", ((None, GOOD), (0.8, BAD)), decimals=1, least=0),
            ),
            panels.lines(
                10,
                "Requests under way",
                "Requests that are being answered: how saturated each process is.",
                [metric(f"sum by (job, instance) ({ACTIVE_REQUESTS}{{{OF_JOB}}})", LEGEND)],
                Look("short", decimals=0, least=0),
            ),
            panels.lines(
                11,
                "Running since",
                "How long each process has been running; it falls to 0 where one starts again.",
                [metric(f"time() - process_start_time_seconds{{{OF_JOB}}}", LEGEND)],
                Look("s", least=0),
            ),
        ),
    ]
