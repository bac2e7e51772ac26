"""Every metric and label name of the bus: Prometheus naming, base units, no label holds an id."""

from __future__ import annotations

from typing import Final

CONSUMER: Final = "consumer"
STATE: Final = "state"
OUTCOME: Final = "outcome"
KIND: Final = "kind"

OUTBOX_PENDING: Final = "touchstone_bus_outbox_pending_messages"
OUTBOX_AGE: Final = "touchstone_bus_outbox_oldest_age_seconds"
HELD: Final = "touchstone_bus_held_messages"
GAPS: Final = "touchstone_bus_gaps"
RECEIVED: Final = "touchstone_bus_received_messages_total"
OFFERED: Final = "touchstone_bus_offered_messages_total"
CONFIRMED: Final = "touchstone_bus_confirmed_messages_total"

PARKED: Final = "parked"
RETRYING: Final = "retrying"
DEAD: Final = "dead"
MISSING: Final = "missing"
UNREADABLE: Final = "unreadable"
