"""A dashboard as a whole: what all of them have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as model

from dashboards.conventions import TAG
from dashboards.layout import laid_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.models.dashboard import VariableModel

    from dashboards.layout import Row


def board(
    uid: str,
    title: str,
    about: str,
    variables: Sequence[VariableModel],
    rows: Sequence[Row],
    *,
    since: str = "now-6h",
    refresh: str = "1m",
) -> model.Dashboard:
    """Return a dashboard with its links to all others, which keep the time and the variables."""
    links = builders.DashboardLink("Touchstone").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    links = (
        links.as_dropdown(as_dropdown=True)
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
        .icon("external link")
    )
    shape = builders.Dashboard(title).uid(uid).description(about).tags([TAG]).timezone("browser").readonly()
    shape = shape.time(since, "now").refresh(refresh).tooltip(model.DashboardCursorSync.CROSSHAIR).link(links)
    made = shape.build()
    made.templating = model.DashboardDashboardTemplating(list(variables))
    made.annotations = model.AnnotationContainer([])
    made.panels = list(laid_out(rows))
    return made
