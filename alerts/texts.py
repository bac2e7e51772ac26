"""The words and links of an alert, as Go templates; and what those templates give that hold labels only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alerts.model import Alert
    from alerts.settings import Links

_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+)( \| urlquery)? \}\}")
# The variables of dashboards are called like the labels, so a link can carry one along.
_VARIABLES: Final = ("stage", "segment", "job", "consumer", "queue", "class")


def words(alert: Alert, links: Links) -> dict[str, str]:
    """Return an alert's annotations. All but the description are templates of labels only."""
    found = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{links.runbooks}{alert.runbook}",
        "dashboard_url": f"{links.grafana}/d/{alert.dashboard}{_variables(alert)}",
        "panel": alert.panel,
    }
    if alert.orders:
        found["orders_url"] = f"{links.collector}/orders?{alert.orders}"
    if alert.trace:
        expr = quote(f"sum(rate({alert.trace}[5m])) by (le)")
        found["traces_url"] = f"{links.prometheus}/graph?g0.expr={expr}&g0.tab=0&g0.show_exemplars=1"
    return found


def _variables(alert: Alert) -> str:
    """Return the dashboard variables that the alert's own words name."""
    named = [name for name in _VARIABLES if f"$labels.{name} " in alert.summary]
    return "".join(
        f"{'&' if place else '?'}var-{name}={{{{ $labels.{name} | urlquery }}}}" for place, name in enumerate(named)
    )


def rendered(template: str, labels: Mapping[str, str]) -> str:
    """Return what Prometheus makes of a template that holds labels only. Raises ValueError where it holds more."""
    text = _LABEL.sub(lambda found: _label(labels.get(found[1], ""), encoded=bool(found[2])), template)
    if "{{" in text:
        raise ValueError(f"`{template}` holds more than labels")
    return text


def _label(value: str, *, encoded: bool) -> str:
    return quote_plus(value) if encoded else value
