"""Every name that the dashboards give themselves, and the metric names of rooms that this one may not import.

A test holds the latter against the rooms that export them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TAG: Final = "touchstone"
FOLDER_UID: Final = "touchstone"
FOLDER: Final = "Touchstone"

EXECUTIVE: Final = "touchstone-executive"
SALES: Final = "touchstone-sales"
OPERATIONS: Final = "touchstone-operations"
ORDER: Final = "touchstone-order"
PRICING: Final = "touchstone-pricing"
BUS: Final = "touchstone-bus"
MES: Final = "touchstone-mes"
SERVICES: Final = "touchstone-services"
TELEMETRY: Final = "touchstone-telemetry"

POSTGRES: Final = "grafana-postgresql-datasource"


class Source(NamedTuple):
    """A data source: its stable uid, its name, Grafana's plugin, and the variable by which dashboards choose it."""

    uid: str
    name: str
    kind: str
    variable: str


PROMETHEUS: Final = Source("touchstone-prometheus", "Touchstone Prometheus", "prometheus", "prometheus")
TRACES: Final = Source("touchstone-traces", "Touchstone traces", "jaeger", "traces")
LOGS: Final = Source("touchstone-logs", "Touchstone logs", "elasticsearch", "logs")
COLLECTOR: Final = Source("touchstone-collector", "Touchstone collector", POSTGRES, "collector")
CRM: Final = Source("touchstone-crm", "Touchstone CRM", POSTGRES, "crm")
WORKSHOP: Final = Source("touchstone-mes", "Touchstone MES", POSTGRES, "mes")
SOURCES: Final = (PROMETHEUS, TRACES, LOGS, COLLECTOR, CRM, WORKSHOP)

# alerts, as its rules record them
BAD_EVENTS_HOUR: Final = "touchstone:bad_events:ratio_1h"
BAD_EVENTS_SIX_HOURS: Final = "touchstone:bad_events:ratio_6h"
BAD_EVENTS_DAY: Final = "touchstone:bad_events:ratio_1d"
BAD_EVENTS_THREE_DAYS: Final = "touchstone:bad_events:ratio_3d"
SLI_BUDGET: Final = "touchstone:sli_budget:ratio"

# services/bus
BUS_OUTBOX_PENDING: Final = "touchstone_bus_outbox_pending_messages"
BUS_OUTBOX_AGE: Final = "touchstone_bus_outbox_oldest_age_seconds"
BUS_HELD: Final = "touchstone_bus_held_messages"
BUS_GAPS: Final = "touchstone_bus_gaps"
BUS_RECEIVED: Final = "touchstone_bus_received_messages_total"
BUS_OFFERED: Final = "touchstone_bus_offered_messages_total"
BUS_CONFIRMED: Final = "touchstone_bus_confirmed_messages_total"

# pricing/workers
PRICING_CALCULATION: Final = "touchstone_pricing_calculation_seconds"
PRICING_ANSWERS: Final = "touchstone_pricing_answers_total"
PRICING_REFUSALS: Final = "touchstone_pricing_refusals_total"
PRICING_LOOKUPS: Final = "touchstone_pricing_cache_lookups_total"
PRICING_SLABS: Final = "touchstone_pricing_slabs_total"
PRICING_KILLED: Final = "touchstone_pricing_children_killed_total"
PRICING_LOST: Final = "touchstone_pricing_leases_lost_total"
PRICING_WAITING: Final = "touchstone_pricing_waiting_requests"
PRICING_OLDEST: Final = "touchstone_pricing_oldest_request_age_seconds"

# services/mes
MES_FALLBACKS: Final = "touchstone_mes_pricing_fallbacks_total"
MES_VENDOR_OWED: Final = "touchstone_mes_vendor_calls_owed"
MES_VENDOR_OLDEST: Final = "touchstone_mes_vendor_calls_oldest_seconds"
MES_VENDOR_FEED_AGE: Final = "touchstone_mes_vendor_feed_age_seconds"
