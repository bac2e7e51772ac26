"""The words and links of an alert, as Go templates; and what those templates give that hold labels only."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, quote_plus

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alerts.model import Alert
    from alerts.settings import Links

DASHBOARDS: Final = Path(__file__).parents[1] / "dashboards" / "generated"
_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+)( \| urlquery)? \}\}")
_TEMPLATE: Final = re.compile(r"(\{\{.*?\}\})")
_NAMED: Final = re.compile(r"\$labels\.(\w+)")
# The variables of dashboards that are called like the labels, so that a link can carry one along.
_VARIABLES: Final = ("stage", "segment", "job", "instance", "consumer", "queue", "class", "sli", "of")


class Board(NamedTuple):
    """What a link to a dashboard can name: the numbers of its panels by their titles, and its variables."""

    panels: Mapping[str, int]
    variables: frozenset[str]


def words(alert: Alert, links: Links) -> dict[str, str]:
    """Return an alert's annotations. All but the description are templates of labels only.

    Raises BadInput where an address of the settings is a template itself.
    """
    found = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{_plain('runbooks', links.runbooks)}{alert.runbook}",
        "dashboard_url": panel_url(alert, links, *_variables(alert)),
        "panel": alert.panel,
    }
    if alert.orders:
        found["orders_url"] = orders_url(alert, links)
    if alert.traces:
        expr = " or ".join(f"sum(rate({one}[5m])) by (le)" for one in alert.traces)
        found["traces_url"] = f"{graph_url(expr, links)}&g0.tab=0&g0.show_exemplars=1"
    return found


def panel_url(alert: Alert, links: Links, *chosen: str) -> str:
    """Return the link to an alert's panel, or to its dashboard where the committed file has no such panel yet."""
    number = _board(alert.dashboard).panels.get(alert.panel)
    query = "&".join((*([] if number is None else [f"viewPanel={number}"]), *chosen))
    return f"{_base('grafana', links.grafana)}/d/{alert.dashboard}{'?' if query else ''}{query}"


def orders_url(alert: Alert, links: Links) -> str:
    """Return the link to whom to chase."""
    return f"{_base('collector', links.collector)}/orders?{alert.orders}"


def graph_url(expr: str, links: Links) -> str:
    """Return the link to Prometheus' page that asks an expression, in which labels may stand as templates."""
    encoded = "".join(part if part.startswith("{{") else quote(part) for part in _TEMPLATE.split(expr))
    return f"{_base('prometheus', links.prometheus)}/graph?g0.expr={encoded}"


def _base(name: str, address: str) -> str:
    """Return an address of the settings that paths can follow: without a slash at its end."""
    return _plain(name, address).rstrip("/")


def _plain(name: str, address: str) -> str:
    if "{{" in address:
        raise BadInput(f"links.{name}: `{address}` holds `{{{{`, which Prometheus reads as a template; name an address")
    return address


def _variables(alert: Alert) -> list[str]:
    """Return what a link chooses besides the panel: those of the dashboard's variables that the alert's words name."""
    said = set(_NAMED.findall(f"{alert.summary} {alert.description}")) & _board(alert.dashboard).variables
    return [f"var-{name}={{{{ $labels.{name} | urlquery }}}}" for name in _VARIABLES if name in said]


def _board(uid: str) -> Board:
    return _read(DASHBOARDS / f"{uid}.json")


@cache
def _read(path: Path) -> Board:
    document = json.loads(path.read_text(encoding="utf-8"))
    variables = frozenset(variable["name"] for variable in document["templating"]["list"])
    return Board({panel["title"]: panel["id"] for panel in document["panels"]}, variables)


def rendered(template: str, labels: Mapping[str, str]) -> str:
    """Return what Prometheus makes of a template that holds labels only. Raises ValueError where it holds more."""
    text = _LABEL.sub(lambda found: _label(labels.get(found[1], ""), encoded=bool(found[2])), template)
    if "{{" in text:
        raise ValueError(f"`{template}` holds more than labels")
    return text


def _label(value: str, *, encoded: bool) -> str:
    return quote_plus(value) if encoded else value
