"""Queries of panels: PromQL, SQL, traces and logs, each against the data source that the dashboard's variable names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import elasticsearch, prometheus
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from dashboards.conventions import LOGS, PROMETHEUS, TRACES

if TYPE_CHECKING:
    from dashboards.conventions import Source


def reference(source: Source) -> DataSourceRef:
    """Return the reference to whichever data source the dashboard's variable names."""
    return DataSourceRef(source.kind, f"${{{source.variable}}}")


def metric(expr: str, legend: str = "", *, ref: str = "A", exemplars: bool = False) -> Dataquery:
    """Return a PromQL query over the shown time. ``exemplars``: show which trace stands behind a slow bucket."""
    query = _promql(expr, ref).range().legend_format(legend or "__auto")
    return (query.exemplar(exemplar=True) if exemplars else query).build()


def latest(expr: str, legend: str = "", *, ref: str = "A", table: bool = False) -> Dataquery:
    """Return a PromQL query of the last moment shown. ``table``: as rows of labels and value."""
    query = _promql(expr, ref).instant().legend_format(legend or "__auto")
    return (query.format(PromQueryFormat.TABLE) if table else query).build()


def buckets(expr: str) -> Dataquery:
    """Return a PromQL query of a histogram's buckets (labels `le`), for a heat map."""
    return (
        _promql(expr, "A")
        .range()
        .legend_format("{{le}}")
        .format(PromQueryFormat.HEATMAP)
        .exemplar(exemplar=True)
        .build()
    )


def _promql(expr: str, ref: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(" ".join(expr.split())).ref_id(ref).editor_mode(QueryEditorMode.CODE)
    return query.datasource(reference(PROMETHEUS))


@dataclass(frozen=True)
class Sql(Dataquery):
    """A query of Grafana's built-in PostgreSQL data source, for which the builder library has no type."""

    source: Source
    text: str
    ref: str = "A"
    over_time: bool = False

    def to_json(self) -> dict[str, object]:
        """Return it as the data source's query editor writes it."""
        return {
            "refId": self.ref,
            "datasource": reference(self.source),
            "editorMode": "code",
            "format": "time_series" if self.over_time else "table",
            "rawQuery": True,
            "rawSql": self.text,
        }


@dataclass(frozen=True)
class TraceSearch(Dataquery):
    """A search for traces in Jaeger by span attributes (logfmt), for which the builder library has no type."""

    service: str
    tags: str
    limit: int = 20

    def to_json(self) -> dict[str, object]:
        """Return it as the data source's query editor writes it."""
        search = {"queryType": "search", "service": self.service, "tags": self.tags, "limit": self.limit}
        return {"refId": "A", "datasource": reference(TRACES), **search}


def log_lines(query: str) -> Dataquery:
    """Return a Lucene query for log lines in Elasticsearch, the newest first."""
    lines = elasticsearch.Dataquery().query(query).ref_id("A").time_field("time").datasource(reference(LOGS))
    return lines.metrics([elasticsearch.Logs().id("1")]).bucket_aggs([]).build()
