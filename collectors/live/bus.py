"""The bus as a source: what services say of orders, taken in as it comes.

The collector needs no inbox: an event counts once by source and id, and orders are lined up by sequence and time,
whatever order events arrive in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import orjson

from collectors.live.reading import Intake
from collectors.sources.cloudevents_log import EVENT_TYPE, BadEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.live.handlers import Collector
    from services.bus import Transport

CONSUMER: Final = "collector"


class BusSource:
    """Hears every event of the bus from the transport's start on. Other types than status changes are passed over."""

    def __init__(self, transport: Transport, collector: Collector, queues: int, *, own: bool) -> None:
        """Register with a transport; ``own``: it is this collector's alone, and closed with it."""
        self.transport, self.collector, self.own = transport, collector, own
        self.ready = False
        # Before anything starts: an embedded transport does not keep events for those who come later.
        transport.consume(CONSUMER, self.receive, queues)
        transport.bury(CONSUMER, self.receive_buried)

    async def start(self) -> None:
        """Begin to hear; the collector is ready."""
        self.ready = True
        await self.transport.start()

    async def stop(self) -> None:
        """Hear nothing any more: what a shared transport still delivers is kept by its sender."""
        self.ready = False
        if self.own:
            await self.transport.close()

    async def receive(self, bodies: Sequence[bytes]) -> None:
        """Take in messages; all of them are stored when this returns, and none of them where it raises.

        Raises ConnectionError before the start and after the stop.
        """
        if not self.ready:
            raise ConnectionError("the collector is not running")
        intake = Intake()
        skipped = sum(not self._read(body, intake) for body in bodies)
        if len(intake):
            await self.collector.take_in(intake)
        self.collector.metrics.skipped.inc(skipped)

    async def receive_buried(self, body: bytes, _reason: str) -> None:
        """Take in what the broker gave up on the way here: an event that is good is as good as ever."""
        await self.receive([body])

    def _read(self, body: bytes, intake: Intake) -> bool:
        """Read a message into the intake; return False where it speaks of something else than an order's status."""
        try:
            message = orjson.loads(body)
            kind = message.get("type") if isinstance(message, Mapping) else None
            if isinstance(kind, str) and kind != EVENT_TYPE:
                return False
            intake.events.append(self.collector.reader.read(message))
        except orjson.JSONDecodeError:
            intake.refuse("the message is no JSON", body)
        except BadEvent as error:
            intake.refuse(str(error), body)
        return True
