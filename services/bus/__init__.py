"""The bus: events and commands between services, never lost, ordered per subject, whatever breaks.

An event is written to the sender's outbox in the transaction of the change that it speaks of; a relay sends it; each
consumer's inbox applies it once and in its order (decision 005). Two transports carry it: RabbitMQ and the process.
"""

from pathlib import Path
from typing import Final

from services.bus.bus import Bus, settle
from services.bus.database import Database
from services.bus.embedded import EmbeddedTransport
from services.bus.inbox import Received, Retry
from services.bus.message import Message, Refusal, Unreadable, read
from services.bus.rabbitmq import RabbitTransport
from services.bus.transport import Handler, Outgoing, Transport

BUS_MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"

__all__ = [
    "BUS_MIGRATIONS",
    "Bus",
    "Database",
    "EmbeddedTransport",
    "Handler",
    "Message",
    "Outgoing",
    "RabbitTransport",
    "Received",
    "Refusal",
    "Retry",
    "Transport",
    "Unreadable",
    "read",
    "settle",
]
