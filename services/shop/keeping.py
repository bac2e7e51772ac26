"""What becomes of customers' models with time: the shop knows the orders, and so which models are still needed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, exists, or_, select, update

from pricing.storage import Area
from pricing.storage.lifecycle import Need, Step, Terms, Use, due
from pricing.storage.store import is_name
from services.columns import EPOCH, inserting
from services.contract import FINAL, Status
from services.shop.tables import direct_uploads, items, models, orders, uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pricing.storage import Kept, ModelStore
    from services.bus import Database

LOG: Final = logging.getLogger("touchstone.shop")
UNKNOWN: Final = "unknown"  # the format of what nobody says to have brought


@dataclass(frozen=True)
class Keeping:
    """Looks through the models every so often; ``at_once``: how many in one query. Any number of processes may."""

    database: Database
    objects: ModelStore
    clock: Callable[[], datetime]
    terms: Terms
    every_s: float
    at_once: int

    async def once(self) -> dict[Step, int]:
        """Do all that is due now; return how much was done of what."""
        await self.objects.tidy(self.clock() - self.terms.working_for)
        await self._expire()
        await self._adopt()
        done = dict.fromkeys(Step, 0)
        after = ""
        while found := await self._unneeded(after):
            for model in found:
                if (step := await self.settle(model)) is not None:
                    done[step] += 1
            after = found[-1]
        return done

    async def run(self) -> None:
        """Do so until cancelled."""
        while True:
            try:
                done = await self.once()
            except Exception as error:  # noqa: BLE001 - whatever it is, what is due stays due and the loop goes on
                LOG.warning("models cannot be looked through now: %s: %s", type(error).__name__, error)
            else:
                if any(done.values()):
                    LOG.info("moved %d models to the cold area, deleted %d", done[Step.COOL], done[Step.DELETE])
            await asyncio.sleep(self.every_s)

    async def _expire(self) -> None:
        """Forget uploads whose time is over; what arrived of those that are not complete goes with `tidy`."""
        over = delete(direct_uploads).where(direct_uploads.c.expires_at < self.clock())

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(over)

        await self.database.write(work)

    async def _adopt(self) -> None:
        """Note what lies in quarantine without a note, since its upload was cut short: it ages as any other."""
        some: list[Kept] = []
        async for one in self.objects.kept(Area.QUARANTINE):
            some.append(one)
            if len(some) == self.at_once:
                await self._note(some)
                some = []
        await self._note(some)

    async def _note(self, found: Sequence[Kept]) -> None:
        async def work(connection: AsyncConnection) -> None:
            query = select(models.c.model).where(models.c.model.in_([one.name for one in found]))
            known = set(await connection.scalars(query))
            rows = [
                {"model": one.name, "bytes": one.size, "format": UNKNOWN, "at": one.at}
                for one in found
                if one.name not in known
            ]
            if rows:
                await connection.execute(inserting(connection, models).values(rows).on_conflict_do_nothing())

        if found:
            await self.database.write(work)

    async def _unneeded(self, after: str) -> list[str]:
        """Return the next models by name that no order under way needs, and no piece of the catalogue."""
        async with self.database.reading() as connection:
            open_ = exists().where(orders.c.model == models.c.model, _under_way())
            offered = exists().where(items.c.model == models.c.model)
            query = select(models.c.model).where(models.c.model > after, ~models.c.cold, ~open_, ~offered)
            return list(await connection.scalars(query.order_by(models.c.model).limit(self.at_once)))

    async def settle(self, model: str) -> Step | None:
        """Do what is due for one model; return what that was."""
        # The store is asked first: where it does not answer, no transaction waits for it.
        area = await self._area(model)
        return await self.database.write(partial(self._decide, model=model, area=area))

    async def _area(self, model: str) -> Area | None:
        try:
            return await self.objects.area(model)
        except KeyError:
            return None  # a sweep that was cut short deleted it, and has still to say so

    async def _decide(self, connection: AsyncConnection, model: str, area: Area | None) -> Step | None:
        """Do what is due for a model, of which nobody can begin an order meanwhile: its rows are locked."""
        locked = select(models.c.at).where(models.c.model == model).with_for_update()
        noted = (await connection.execute(locked)).first()
        if noted is None or await connection.scalar(select(exists().where(items.c.model == model))):
            return None
        brought = await _brought(connection, model, noted.at)
        uses = await _uses(connection, model)
        step = due(area or Area.QUARANTINE, brought, uses, self.clock(), self.terms)
        if step is Step.COOL and area is not None:
            await self.objects.cool(model)
        elif step is Step.DELETE:
            for name in (model, *await _pictures(connection, model)):
                await self.objects.delete(name)
            await connection.execute(delete(uploads).where(uploads.c.model == model))
            await connection.execute(delete(models).where(models.c.model == model))
        if step is Step.COOL or area is Area.COLD:
            await connection.execute(update(models).where(models.c.model == model).values(cold=True))
        return step


async def _brought(connection: AsyncConnection, model: str, at: datetime | None) -> datetime | None:
    """Return when a model was last brought; who brought it cannot order from it until the transaction ends."""
    rows = await connection.scalars(select(uploads.c.at).where(uploads.c.model == model).with_for_update())
    return max((moment for moment in (at, *rows) if moment is not None), default=None)


async def _uses(connection: AsyncConnection, model: str) -> list[Use]:
    rows = await connection.execute(select(orders.c.status, orders.c.since).where(orders.c.model == model))
    return [Use(_need(row.status), row.since or EPOCH) for row in rows]


async def _pictures(connection: AsyncConnection, model: str) -> list[str]:
    """Return the pictures of a model's orders, but for those of another's too: the same mesh in another file."""
    drawn = (orders.c.model == model) & orders.c.picture.is_not(None)
    other = orders.alias("other")
    shared = exists().where(other.c.picture == orders.c.picture, other.c.model.is_distinct_from(model))
    brought = exists().where(models.c.model == orders.c.picture)
    query = select(orders.c.picture).where(drawn, ~shared, ~brought).distinct()
    return [picture for picture in await connection.scalars(query) if is_name(picture)]


def _need(status: str | None) -> Need:
    if status == Status.CLOSED:
        return Need.MADE
    return Need.DROPPED if status in FINAL else Need.OPEN


def _under_way() -> ColumnElement[bool]:
    return or_(orders.c.status.is_(None), orders.c.status.not_in([status.value for status in FINAL]))
