"""What a process of the fault run is told."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tests.faults.board import Board

CONSUMER: Final = "crm"
SHOP, CRM = "/shop", "/crm"
STEPPED: Final = "order.stepped.v1"
FINISHED: Final = "order.finished.v1"
WRITER, RELAY, CONSUMING = "writer", "relay", "consumer"
BUS, NO_INBOX, DUAL_WRITE = "bus", "no_inbox", "dual_write"
# The dual write has no outbox, so nothing to relay.
ROLES: Final = {
    BUS: (WRITER, RELAY, CONSUMING),
    NO_INBOX: (WRITER, RELAY, CONSUMING),
    DUAL_WRITE: (WRITER, CONSUMING),
}
EACH: Final = 2


@dataclass(frozen=True)
class Job:
    """A scenario and where its servers are. ``broker`` leads through the proxy; ``queues`` changes under load."""

    scenario: str
    broker: str
    shop: str
    crm: str
    orders: int
    events: int
    seed: int
    queues: int = 4


class Place(NamedTuple):
    """One process of a job: its role, its slot on the board, and how many held this slot before."""

    role: str
    slot: int
    generation: int


@dataclass(frozen=True)
class Worker:
    """What the code of a process is given."""

    job: Job
    place: Place
    board: Board

    def chance(self) -> random.Random:
        """Return this process's own randomness, different after each restart."""
        return random.Random(f"{self.job.seed} {self.place}")  # noqa: S311 - a fault run, repeatable by its seed
