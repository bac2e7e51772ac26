"""The dashboards, one module each, and all of them for one promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.boards import bus, executive, mes, operations, order, pricing, sales, services, telemetry

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from collectors.promise import PromiseFile


def boards(promise: PromiseFile) -> list[Dashboard]:
    """Return every dashboard. Raises BadInput where the promise holds what no database can answer."""
    return [
        executive.build(promise),
        sales.build(promise),
        operations.build(promise),
        order.build(promise),
        pricing.build(),
        bus.build(),
        mes.build(promise),
        services.build(),
        telemetry.build(promise),
    ]
