"""Whoever asks for prices, as the MES adapter does: requests through an outbox, answers through an inbox."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from pricing.messages import (
    PARTNER,
    PRICE_CALCULATE,
    PRICE_CALCULATED,
    PRICE_PROGRESSED,
    PRICE_REFUSED,
    PriceCalculate,
    PriceClass,
)
from services.bus import BUS_MIGRATIONS, Bus, Database, RabbitTransport

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Message
    from tests.load.workers import Ground


@dataclass
class Asked:
    """A request and what came of it. Seconds of one monotonic clock; ``answers``: more than one is one too many."""

    order: str
    price_class: PriceClass
    model: str
    at: float
    answered: float | None = None
    answers: list[Decimal | str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long the first answer took. Only of what is answered."""
        assert self.answered is not None
        return self.answered - self.at


class Asker:
    """Asks and hears. All that was asked is in ``asked``, by the request's id."""

    def __init__(self, name: str, database: str, broker: str) -> None:
        # A queue of its own: what one before it had not yet confirmed would be delivered to it again.
        self.queue = name
        self.asked: dict[str, Asked] = {}
        self.progress: dict[str, list[float]] = {}
        self._heard = asyncio.Event()
        self._database = Database(database, BUS_MIGRATIONS)
        self._transport = RabbitTransport(broker)
        heard = {PRICE_CALCULATED: self._answered, PRICE_REFUSED: self._answered, PRICE_PROGRESSED: self._progressed}
        self._bus = Bus(self._database, self._transport, source="/asker", consumer=name, commands={name: heard})

    @classmethod
    async def begun(cls, ground: Ground, name: str) -> Asker:
        """Return one that is connected, with a database of its own."""
        asker = cls(name, await ground.database(name), ground.broker)
        await asker._database.start()
        await asker._bus.start(relay=False)
        await asker._transport.connected()
        return asker

    async def stop(self) -> None:
        """Hear no more."""
        await self._bus.stop()
        await self._transport.close()
        await self._database.close()

    async def ask(self, order: str, model: str, price_class: PriceClass, alloy: str | None = None) -> str:
        """Ask for a price; return the request's id."""
        channel = PARTNER if price_class == PriceClass.PARTNER else "online"
        wanted = PriceCalculate(model=model, reply_to=self.queue, channel=channel, alloy=alloy)
        send = partial(self._send, order, price_class, wanted)
        request: str = await self._database.write(send)
        self.asked[request].at = time.monotonic()
        # At once, and by nobody who looks again and again: the cores are for the workers.
        await self._bus.relay.once()
        return request

    async def _send(
        self, order: str, price_class: PriceClass, wanted: PriceCalculate, connection: AsyncConnection
    ) -> str:
        message = await self._bus.send(connection, price_class.queue, PRICE_CALCULATE, order, wanted.document())
        # Before it is committed: the answer may be here before ``ask`` goes on.
        self.asked[message.id] = Asked(order, price_class, wanted.model, time.monotonic())
        return message.id

    async def _answered(self, _connection: AsyncConnection, message: Message) -> None:
        asked = self.asked[message.data["request"]]
        asked.answered = asked.answered or time.monotonic()
        self._heard.set()
        asked.answers.append(Decimal(message.data["amount"]) if "amount" in message.data else message.data["code"])

    async def _progressed(self, _connection: AsyncConnection, message: Message) -> None:
        self.progress.setdefault(message.data["request"], []).append(message.data["progress"])

    def open(self) -> list[str]:
        """Return the requests that have no answer."""
        return [request for request, asked in self.asked.items() if asked.answered is None]

    async def settled(self, patience_s: float) -> bool:
        """Return when all is answered, or (False) when nothing was for so long."""
        while self.open():
            self._heard.clear()
            try:
                await asyncio.wait_for(self._heard.wait(), patience_s)
            except TimeoutError:
                return False
        return True
