"""(f) Scrapes: slow ones, refused samples, series that grow in number, and spans that nobody takes."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "scrapes"
_DASHBOARD: Final = "touchstone-telemetry"
_SHOP: Final = '{job="shop",instance="a:8401"}'
_OF_SHOP: Final = {"job": "shop", "instance": "a:8401"}
_PROMETHEUS: Final = '{job="prometheus",instance="p:9090"}'
_SAMPLES: Final = f"scrape_samples_post_metric_relabeling{_SHOP}"
_GROWN: Final = "a:8401 of shop shows {} series: a label may hold ids."


def _refused(why: str) -> Edge:
    """Return the boundary of one reason for which samples are refused."""
    said = "Refusals of samples by p:9090 in 15 minutes: {}."
    labels = {"job": "prometheus", "instance": "p:9090"}
    reasons = ("exceeded_sample_limit", "sample_duplicate_timestamp", "sample_out_of_order", "sample_out_of_bounds")
    series = {f"prometheus_target_scrapes_{reason}_total{_PROMETHEUS}": "0" for reason in reasons}
    series[f"prometheus_target_scrapes_{why}_total{_PROMETHEUS}"] = "X"
    return Edge(series, ("0",), "1", (Firing(said.format(1), labels),), "15m")


ALERTS: Final = (
    Alert(
        name="ScrapeSlow",
        group=GROUP,
        expr="scrape_duration_seconds > 5",
        for_="10m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.job }} is slow to show its metrics",
        description=(
            "A scrape of {{ $labels.instance }} of {{ $labels.job }} takes {{ $value | humanizeDuration }}; "
            "at 10s it fails."
        ),
        dashboard=_DASHBOARD,
        panel="Time to scrape",
        muted_by=(Cause.SAME_JOB,),
        scenes=(
            Edge(
                {f"scrape_duration_seconds{_SHOP}": "X"},
                quiet=("5",),
                loud="6",
                firing=(Firing("A scrape of a:8401 of shop takes 6s; at 10s it fails.", _OF_SHOP),),
            ),
        ),
    ),
    Alert(
        name="SamplesRefused",
        group=GROUP,
        expr="""
            increase(prometheus_target_scrapes_exceeded_sample_limit_total[15m])
              + increase(prometheus_target_scrapes_sample_duplicate_timestamp_total[15m])
              + increase(prometheus_target_scrapes_sample_out_of_order_total[15m])
              + increase(prometheus_target_scrapes_sample_out_of_bounds_total[15m])
              > 0
        """,
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Prometheus refuses samples",
        description=f"Refusals of samples by {{{{ $labels.instance }}}} in 15 minutes: {COUNT}.",
        dashboard=_DASHBOARD,
        panel="Samples refused",
        muted_by=(),
        scenes=(
            _refused("exceeded_sample_limit"),
            _refused("sample_duplicate_timestamp"),
            _refused("sample_out_of_order"),
            _refused("sample_out_of_bounds"),
        ),
    ),
    Alert(
        name="SeriesGrowing",
        group=GROUP,
        # Ours are bounded by construction: what doubles within a day has a label that it should not have.
        expr="""
            scrape_samples_post_metric_relabeling > 20000
            or (
              scrape_samples_post_metric_relabeling > 2 * (scrape_samples_post_metric_relabeling offset 1d)
              and scrape_samples_post_metric_relabeling > 2000
            )
        """,
        for_="30m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.job }} shows ever more series",
        description=f"{{{{ $labels.instance }}}} of {{{{ $labels.job }}}} shows {COUNT} series: a label may hold ids.",
        dashboard=_DASHBOARD,
        panel="Series told by job",
        drill="label-holds-ids",
        muted_by=(),
        scenes=(
            Edge({_SAMPLES: "X"}, ("20000",), "20001", (Firing(_GROWN.format(20001), _OF_SHOP),)),
            Scene(
                "twice as many as a day ago are the limit itself",
                {_SAMPLES: "1500+0x48 3000+0x10"},
                {"1560m": ()},
                step="30m",
            ),
            Scene(
                "more than twice as many as a day ago, for half an hour, until a day has gone by",
                {_SAMPLES: "1000+0x48 2001+0x60"},
                {
                    "1470m": (),
                    "1500m": (Firing(_GROWN.format(2001), _OF_SHOP),),
                    "2880m": (Firing(_GROWN.format(2001), _OF_SHOP),),
                    "2910m": (),
                },
                step="30m",
            ),
            Scene("two thousand are few", {_SAMPLES: "100+0x48 2000+0x10"}, {"1560m": ()}, step="30m"),
        ),
    ),
    Alert(
        name="SpansDropped",
        group=GROUP,
        expr="sum by (job) (increase(touchstone_spans_dropped_total[15m])) > 0",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Traces of {{ $labels.job }} are lost",
        description=f"Spans of {{{{ $labels.job }}}} given up in 15 minutes, since nobody took them: {COUNT}.",
        dashboard=_DASHBOARD,
        panel="Spans",
        muted_by=(Cause.MAINTENANCE,),
        scenes=(
            Scene(
                "spans are given up for a quarter of an hour",
                {
                    'touchstone_spans_dropped_total{job="shop",instance="a"}': "0+0x20 10+10x40",
                    'touchstone_spans_dropped_total{job="shop",instance="b"}': "0+0x20 10+10x40",
                },
                {
                    "35m": (),
                    "36m": (
                        Firing("Spans of shop given up in 15 minutes, since nobody took them: 300.", {"job": "shop"}),
                    ),
                },
            ),
            Scene(
                "a span is given up every ten minutes",
                {'touchstone_spans_dropped_total{job="shop",instance="a"}': "0+0x20 1+0x9 2+0x9 3+0x20"},
                {
                    "35m": (),
                    "36m": (
                        Firing("Spans of shop given up in 15 minutes, since nobody took them: 1.", {"job": "shop"}),
                    ),
                    "55m": (
                        Firing("Spans of shop given up in 15 minutes, since nobody took them: 1.", {"job": "shop"}),
                    ),
                    "56m": (),
                },
            ),
            Scene(
                "a backend that restarts",
                {'touchstone_spans_dropped_total{job="shop",instance="a"}': "0+0x20 10+0x40"},
                {"36m": (), "60m": ()},
            ),
        ),
    ),
)
