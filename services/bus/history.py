"""Loading the past: what services said before a database began, as if all of it had been sent and heard.

For demos, and for a move from another installation. What is said afterwards goes on with the sequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import insert

from services.bus.message import iso
from services.bus.tables import inbox, outbox, streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.message import Message, Stream

SECOND: Final = 1_000_000


async def load(connection: AsyncConnection, source: str, consumer: str, said: Sequence[Message]) -> None:
    """Note what all services said, in the order of time, in the tables of one: an empty database.

    What is of its own ``source`` goes into the outbox, with nothing left to send; of everybody's events its
    ``consumer`` has applied the last one. Commands (without a sequence) were done, too; nobody replays them.
    """
    own = [message for message in said if message.source == source]
    await _fill(connection, outbox, [_recorded(message) for message in own])
    await _fill(connection, streams, [_key(one) | {"last": last} for one, last in _last(own).items()])
    heard = [_key(one) | {"consumer": consumer, "applied": last} for one, last in _last(said).items()]
    await _fill(connection, inbox, heard)


async def _fill(connection: AsyncConnection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(table), rows)


def _recorded(message: Message) -> dict[str, Any]:
    return {
        "recorded_at": round(message.time.timestamp() * SECOND),
        "id": message.id,
        "type": message.type,
        "subject": message.subject,
        "source": message.source,
        "sequence": message.sequence,
        "time": iso(message.time),
        "traceparent": message.traceparent,
        "data": orjson.dumps(message.data).decode(),
    }


def _last(messages: Iterable[Message]) -> dict[Stream, int]:
    last: dict[Stream, int] = {}
    for message in messages:
        if message.sequence is not None:
            last[message.stream] = max(last.get(message.stream, 0), message.sequence)
    return last


def _key(stream: Stream) -> dict[str, Any]:
    return {"subject": stream.subject, "source": stream.source}
