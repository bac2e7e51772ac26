"""The data sources that the dashboards read, wired to each other: exemplar to trace, trace to logs, logs to trace.

The same definitions go to Grafana by file (provisioning) or by its API. Addresses and passwords come from the
environment: ``TOUCHSTONE_GRAFANA_...``, see docs/dashboards.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dashboards.conventions import COLLECTOR, CRM, LOGS, PROMETHEUS, TRACES, WORKSHOP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.conventions import Source

PREFIX: Final = "TOUCHSTONE_GRAFANA_"
# Fields that Elasticsearch holds of each log line (instrumentation.logs).
TRACE_FIELD: Final = "trace_id"
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


def sources() -> list[dict[str, Any]]:
    """Return all data sources as Grafana's API knows them; ``${NAME}`` stands for an environment variable."""
    return [
        _source(
            PROMETHEUS, {"httpMethod": "POST", "timeInterval": "15s", "exemplarTraceIdDestinations": [_to_trace()]}
        ),
        _source(
            TRACES,
            {
                "tracesToLogsV2": _to_logs(),
                "tracesToMetrics": {"datasourceUid": PROMETHEUS.uid, "queries": [_requests()], "tags": []},
                "nodeGraph": {"enabled": True},
            },
        ),
        _source(
            LOGS,
            {
                "index": "touchstone-logs-*",
                "timeField": "time",
                "logMessageField": "message",
                "logLevelField": "level",
                "dataLinks": [{"field": TRACE_FIELD, "url": "${__value.raw}", "datasourceUid": TRACES.uid}],
            },
        ),
        *(_database(source) for source in (COLLECTOR, CRM, WORKSHOP)),
    ]


def _source(source: Source, options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": source.name,
        "uid": source.uid,
        "type": source.kind,
        "access": "proxy",
        "url": f"${{{PREFIX}{source.variable.upper()}}}",
        "isDefault": False,
        "jsonData": dict(options),
    }


def _database(source: Source) -> dict[str, Any]:
    """Return a PostgreSQL data source. Its user must be one that can only read: Grafana runs any SQL it is given."""
    name = f"{PREFIX}{source.variable.upper()}"
    options = {
        "database": f"${{{name}_DATABASE}}",
        "sslmode": f"${{{PREFIX}SSLMODE}}",
        "postgresVersion": 1500,
        "maxOpenConns": 4,
    }
    user = {"user": f"${{{PREFIX}USER}}", "secureJsonData": {"password": f"${{{PREFIX}PASSWORD}}"}}
    return {**_source(source, options), **user}


def _to_trace() -> dict[str, str]:
    return {"name": TRACE_FIELD, "datasourceUid": TRACES.uid}


def _to_logs() -> dict[str, Any]:
    query = f'{TRACE_FIELD}:"${{__trace.traceId}}"'
    shifts = {"spanStartTimeShift": "-5m", "spanEndTimeShift": "5m"}
    return {"datasourceUid": LOGS.uid, "customQuery": True, "query": query, **shifts}


def _requests() -> dict[str, str]:
    rate = 'sum by (job) (rate(http_server_request_duration_seconds_count{job="${__span.tags["service.name"]}"}[5m]))'
    return {"name": "Requests of the service", "query": rate}


def provisioned() -> dict[str, Any]:
    """Return the document of Grafana's data source provisioning, which expands environment variables itself."""
    return {"apiVersion": 1, "datasources": [_escaped(source) for source in sources()]}


def provider(folder: str) -> dict[str, Any]:
    """Return the document of Grafana's dashboard provisioning. ``folder``: where the server finds the files."""
    one = {
        "name": "touchstone",
        "type": "file",
        "folder": "Touchstone",
        "folderUid": "touchstone",
        "disableDeletion": False,
        "allowUiUpdates": False,
        "options": {"path": folder},
    }
    return {"apiVersion": 1, "providers": [one]}


def resolved(source: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return a data source with its environment variables put in, and the names of those that are not set."""
    missing: list[str] = []

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if not name.startswith(PREFIX):
            return found[0]
        if not environment.get(name):
            missing.append(name)
        return environment.get(name, "")

    return _mapped(source, lambda text: _VARIABLE.sub(put, text)), missing


def _escaped(source: Mapping[str, Any]) -> dict[str, Any]:
    """Double the dollars that are Grafana's own variables: provisioning would take them for the environment's."""
    own = re.compile(r"\$(?!\{" + PREFIX + ")")
    escaped: dict[str, Any] = _mapped(source, lambda text: own.sub("$$", text))
    return escaped


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return value
