"""A made-to-order jewellery shop as a discrete-event queueing network: a log of status changes, by seed.

It knows the house (settings.py), not the promise file: what goes wrong here is for the collectors to find.
"""

from collectors.simulation.house import StatusChange, simulate
from collectors.simulation.logs import cloudevents, write_cloudevents, write_csv
from collectors.simulation.scenario import Scenario, Slowdown, parse_slowdown
from collectors.simulation.settings import BUSY, FREE, HOUSE, REPORTED_BY, STAGES, House, Status

__all__ = [
    "BUSY",
    "FREE",
    "HOUSE",
    "REPORTED_BY",
    "STAGES",
    "House",
    "Scenario",
    "Slowdown",
    "Status",
    "StatusChange",
    "cloudevents",
    "parse_slowdown",
    "simulate",
    "write_cloudevents",
    "write_csv",
]
