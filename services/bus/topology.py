"""What stands in the broker: exchanges, queues and their arguments (decision 005).

Events go to one topic exchange, and from there to one exchange for each consumer, which spreads subjects over its
queues by hash. Each of these queues has one active consumer, so that two processes seldom contend for one subject.
What is replayed goes to one of the consumers' exchanges alone, by its consumer's name.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from aio_pika import ExchangeType
from aio_pika.exceptions import ChannelNotFoundEntity

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractConnection

EVENTS_EXCHANGE: Final = "touchstone.events"
REPLAY_EXCHANGE: Final = "touchstone.replay"
COMMANDS_EXCHANGE: Final = "touchstone.commands"
DEAD_EXCHANGE: Final = "touchstone.dead"
HASHED_BY: Final = "subject"
# A backstop only: messages that a killed consumer held count as delivered too, so a low limit would bury innocent ones.
DELIVERY_LIMIT: Final = 1_000
_QUORUM: Final[dict[str, Any]] = {"x-queue-type": "quorum"}
_KEEPING: Final = _QUORUM | {
    "x-dead-letter-exchange": DEAD_EXCHANGE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


def events_exchange(consumer: str) -> str:
    """Return the exchange that spreads events over a consumer's queues."""
    return f"{EVENTS_EXCHANGE}.{consumer}"


def events_queue(consumer: str, number: int) -> str:
    """Return one of a consumer's queues."""
    return f"{consumer}.events.{number}"


def dead_queue(consumer: str) -> str:
    """Return where the broker puts what it gives up on the way to a consumer."""
    return f"{consumer}.dead"


def commands_queue(name: str) -> str:
    """Return the queue of a class of commands."""
    return f"commands.{name}"


async def declare_exchanges(channel: AbstractChannel) -> None:
    """Make the exchanges that all services share."""
    await channel.declare_exchange(EVENTS_EXCHANGE, ExchangeType.TOPIC, durable=True)
    await channel.declare_exchange(REPLAY_EXCHANGE, ExchangeType.DIRECT, durable=True)
    await channel.declare_exchange(COMMANDS_EXCHANGE, ExchangeType.DIRECT, durable=True)
    await channel.declare_exchange(DEAD_EXCHANGE, ExchangeType.DIRECT, durable=True)


async def declare_consumer(channel: AbstractChannel, consumer: str, queues: int, limit: int) -> None:
    """Make a consumer's exchange, queues of events and dead-letter queue. ``limit``: of deliveries of one message."""
    exchange = await channel.declare_exchange(
        events_exchange(consumer), "x-consistent-hash", durable=True, arguments={"hash-header": HASHED_BY}
    )
    await exchange.bind(EVENTS_EXCHANGE, "#")
    await exchange.bind(REPLAY_EXCHANGE, consumer)
    await declare_dead(channel, consumer)
    arguments = _keeping(consumer, limit) | {"x-single-active-consumer": True}
    for number in range(queues):
        queue = await channel.declare_queue(events_queue(consumer, number), durable=True, arguments=arguments)
        await queue.bind(exchange, "1")  # the routing key is the queue's weight in the hash ring


async def declare_dead(channel: AbstractChannel, consumer: str) -> None:
    """Make the queue of what the broker gives up on the way to a consumer."""
    queue = await channel.declare_queue(dead_queue(consumer), durable=True, arguments=_QUORUM)
    await queue.bind(DEAD_EXCHANGE, consumer)


async def declare_commands(channel: AbstractChannel, name: str, owner: str, limit: int) -> None:
    """Make the queue of a class of commands; what the broker gives up of it goes to the owner's dead letters."""
    arguments = _keeping(owner, limit)
    queue = await channel.declare_queue(commands_queue(name), durable=True, arguments=arguments)
    await queue.bind(COMMANDS_EXCHANGE, name)


def _keeping(consumer: str, limit: int) -> dict[str, Any]:
    return _KEEPING | {"x-delivery-limit": limit, "x-dead-letter-routing-key": consumer}


async def surplus(connection: AbstractConnection, consumer: str, queues: int) -> list[str]:
    """Return the consumer's queues beyond ``queues``: left by a larger setting, or made by another process."""
    found: list[str] = []
    for number in count(queues):
        # Asking for a queue that is not there closes the channel, so each question has its own.
        channel = await connection.channel()
        try:
            queue = await channel.declare_queue(events_queue(consumer, number), passive=True)
        except ChannelNotFoundEntity:
            return found
        found.append(queue.name)
        await channel.close()
    raise AssertionError
