"""The catalogue: read from memory, for it rarely changes; every change is told to all who hold a copy."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from instrumentation.problems import ProblemError
from services.contract import CATALOGUE_CHANGED, CatalogueChanged
from services.shop import store
from services.shop.seed import PIECES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Bus, Database, Message
    from services.shop.model import Item

SUBJECT: Final = "catalogue"


class Catalogue:
    """The pieces on offer. ``age_s``: how old the copy may get should no event say that it is stale."""

    def __init__(self, database: Database, bus: Bus, age_s: float, seconds: Callable[[], float]) -> None:
        self._database, self._bus, self._age_s, self._seconds = database, bus, age_s, seconds
        self._copy: dict[str, Item] | None = None
        self._read_at = 0.0
        self._drops = 0
        self._reading = asyncio.Lock()
        self.reads = 0

    def drop(self, _message: Message | None = None) -> None:
        """Forget the copy."""
        self._copy = None
        self._drops += 1

    async def items(self) -> dict[str, Item]:
        """Return every piece by id, withdrawn ones too, in the order of their names."""
        async with self._reading:
            if self._copy is None or self._seconds() - self._read_at > self._age_s:
                return await self._read()
            return self._copy

    async def _read(self) -> dict[str, Item]:
        drops, read_at = self._drops, self._seconds()
        async with self._database.reading() as connection:
            found = {item.id: item for item in await store.all_items(connection)}
        self.reads += 1
        # What was dropped while this was read may be missing in it: then it serves once, and is not kept.
        if drops == self._drops:
            self._copy, self._read_at = found, read_at
        return found

    async def put(self, item: Item, kept: Callable[[str], Awaitable[bool]]) -> int:
        """Write a piece; return the catalogue's new revision. ``kept``: whether there is a model of a name.

        Raises ProblemError where its model is not there.
        """

        async def work(connection: AsyncConnection) -> int:
            if item.model is not None:
                await store.hold_model(connection, item.model)  # nobody deletes it from under the piece
                if not await kept(item.model):
                    detail = f"the model `{item.model}` is not in the store; upload it first"
                    raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
            await store.save_item(connection, item)
            return await self._changed(connection)

        revision: int = await self._database.write(work)
        self.drop()
        return revision

    async def remove(self, item: str) -> int | None:
        """Remove a piece; return the catalogue's new revision, None where there was no such piece."""

        async def work(connection: AsyncConnection) -> int | None:
            return await self._changed(connection) if await store.remove_item(connection, item) else None

        revision: int | None = await self._database.write(work)
        self.drop()
        return revision

    async def fill(self) -> None:
        """Put the first pieces into a catalogue that has never been touched."""

        async def work(connection: AsyncConnection) -> None:
            if await store.revision(connection) == 0 and not await store.all_items(connection):
                for item in PIECES:
                    await store.save_item(connection, item)
                await self._changed(connection)

        await self._database.write(work)
        self.drop()

    async def _changed(self, connection: AsyncConnection) -> int:
        revision = await store.next_revision(connection)
        data = CatalogueChanged(revision=revision).document()
        await self._bus.publish(connection, CATALOGUE_CHANGED, SUBJECT, data)
        return revision
