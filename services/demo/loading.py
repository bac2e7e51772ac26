"""Putting the past into a house that has not opened yet: every service gets its own rows, in one transaction each."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from services.bus import BUS_MIGRATIONS, Database
from services.bus import history as bus_history
from services.contract import CRM, MES, SHOP
from services.crm import app as crm_app
from services.crm import history as crm_history
from services.crm import store as crm_store
from services.crm.rules import Standing
from services.demo.people import MANAGERS, PASSWORD
from services.mes import app as mes_app
from services.mes import history as mes_history
from services.mes.vendor.distribution import Operator
from services.shop import app as shop_app
from services.shop import history as shop_history

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.demo.house import House
    from services.demo.past import Past

CLOSE_AFTER: Final = timedelta(days=7)
# Shipped orders whose time to be closed has passed are closed one by one while the demo runs.
CLOSING_EVERY: Final = timedelta(seconds=20)
MEMBERS_FOR: Final = timedelta(days=60)


async def load(house: House, past: Past) -> None:
    """Write the past into the databases of a house: new ones, and nobody uses them yet."""
    for model in past.models:
        await house.shop.objects.put(_bytes(model.content))
    # One after the other: migrations have a context that all of a process share.
    for fill in (fill_shop, fill_crm, fill_mes):
        await fill(house, past)


async def _bytes(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def fill_shop(house: House, past: Past) -> None:
    """Give the shop what it heard and said."""
    hashed = await house.shop.customers.accounts.hashed(PASSWORD)
    began = past.until - MEMBERS_FOR
    people = [shop_history.Account(one.id, one.email, one.name, hashed, began) for one in past.buyers]

    async def work(connection: AsyncConnection) -> None:
        await bus_history.load(connection, SHOP, shop_app.NAME, past.messages)
        await shop_history.load(connection, past.messages, people, past.sizes)

    await _write(house.shop.settings.database, shop_app.MIGRATIONS, work)


async def fill_crm(house: House, past: Past) -> None:
    """Give the desk what it heard and said."""
    manager = next(iter(MANAGERS.values()))

    async def work(connection: AsyncConnection) -> None:
        await bus_history.load(connection, CRM, crm_app.NAME, past.messages)
        await crm_history.load(connection, past.messages, CLOSE_AFTER, _moments(past.until))
        for partner in (one for one in past.buyers if one.partner):
            reason = "a framework contract from today on"
            await crm_store.put_standing(connection, partner.id, Standing.GOOD, manager, reason, past.until)

    await _write(house.crm.settings.database, crm_app.MIGRATIONS, work)


async def fill_mes(house: House, past: Past) -> None:
    """Give vendor and adapter what they heard and said."""
    settings = house.mes.settings
    staff = [Operator(one.id, one.name, frozenset(one.skills), capacity=one.capacity) for one in settings.operators]

    async def work(connection: AsyncConnection) -> None:
        await bus_history.load(connection, MES, mes_app.NAME, past.messages)
        await mes_history.load(connection, past.messages, staff, past.sizes, settings.pricing_seconds, past.until)

    await _write(settings.database, mes_app.MIGRATIONS, work)


def _moments(start: datetime) -> Iterator[datetime]:
    while True:
        start += CLOSING_EVERY
        yield start


async def _write(address: str, versions: Path, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    database = Database(address, BUS_MIGRATIONS, versions)
    try:
        await database.start()
        await database.write(work)
    finally:
        await database.close()
