"""A relay as a process of its own, for deployments in which a service's processes only answer and handle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Final

from instrumentation.errors import BadInput
from services.bus.bus import Bus
from services.bus.database import Database
from services.bus.rabbitmq import RabbitTransport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOG: Final = logging.getLogger("touchstone.bus")


async def serve_relay(
    name: str, database: str, versions: Sequence[Path], broker: str | None, topology: Mapping[str, int]
) -> None:
    """Send the outbox of the service ``name`` until told to stop (SIGTERM, SIGINT).

    ``topology``: every consumer and how many queues it has. Raises BadInput where database or broker cannot be used.
    """
    if broker is None:
        raise BadInput(f"the {name} has no broker to relay to; set TOUCHSTONE_{name.upper()}_BUS=amqp://...")
    store = Database(database, *versions)
    if store.embedded:
        raise BadInput(f"an embedded {name} relays in its own process; a relay of its own needs PostgreSQL")
    transport = RabbitTransport(broker, topology)
    await store.start()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        stack.push_async_callback(transport.close)
        bus = Bus(store, transport, source=f"/{name}")
        await bus.start()
        stack.push_async_callback(bus.stop)
        LOG.info("relaying for the %s", name)
        await told.wait()
