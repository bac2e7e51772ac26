"""Who does which work, and for how long: claims by lease, taken so that no two workers get the same.

The caller opens the transaction; nothing here commits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, case, delete, exists, func, or_, select, update

from pricing.messages import PriceClass
from pricing.workers.model import FARTHEST_US, LEASE_US, Claim, Slab, Stage
from pricing.workers.store import insert, measuring_of
from pricing.workers.tables import measurings, slabs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

_BEGINNING: Final = (Stage.MEASURE, Stage.PREPARE)
_ENDING: Final = (Stage.REDUCE, Stage.PICTURE)


def _due(now: int, price_class: PriceClass, stages: Sequence[Stage] = (*_BEGINNING, *_ENDING)) -> ColumnElement[bool]:
    columns = measurings.c
    wanted = columns.stage.in_([stage.value for stage in stages])
    return and_(columns.closed_at.is_(None), columns["class"] == price_class.value, wanted, _ripe(measurings, now))


def _slab_due(now: int) -> ColumnElement[bool]:
    return and_(slabs.c.closed_at.is_(None), _ripe(slabs, now))


def _ripe(table: Table, now: int) -> ColumnElement[bool]:
    """Whether work is due. A clock that was set back must not put it off for as long as it went back."""
    return or_(table.c.due_at <= now, table.c.due_at > now + FARTHEST_US)


async def waiting(connection: AsyncConnection, now: int) -> frozenset[PriceClass]:
    """Return the classes in which there is work that nobody does."""
    asked = [exists().where(_due(now, one)).label(one.value) for one in PriceClass]
    found = (await connection.execute(select(*asked, exists().where(_slab_due(now)).label("slab")))).one()
    classes = {one for one in PriceClass if getattr(found, one.value)}
    return frozenset(classes | {PriceClass.HEAVY} if found.slab else classes)


async def claim(connection: AsyncConnection, price_class: PriceClass, now: int, worker: str) -> Claim | None:
    """Take the oldest work of a class for a lease; None where there is none.

    What is nearly finished comes before what is begun, and that before what is new: so few models are in pieces.
    """
    if price_class is not PriceClass.HEAVY:
        return await _claim_measuring(connection, _due(now, price_class), now, worker)
    return (
        await _claim_measuring(connection, _due(now, price_class, _ENDING), now, worker)
        or await _claim_slab(connection, now, worker)
        or await _claim_measuring(connection, _due(now, price_class, _BEGINNING), now, worker)
    )


async def _claim_measuring(
    connection: AsyncConnection, due: ColumnElement[bool], now: int, worker: str
) -> Claim | None:
    query = _first(select(measurings).where(due).order_by(measurings.c.asked_at, measurings.c.key), measurings)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    losses = row.losses + (row.worker is not None)
    began = now if row.begun_at is None else row.begun_at
    values = {"worker": worker, "turn": row.turn + 1, "due_at": now + LEASE_US, "losses": losses, "begun_at": began}
    await connection.execute(update(measurings).where(measurings.c.key == row.key).values(values))
    measuring = replace(measuring_of(row), begun_at=began)
    return Claim(measuring, row.turn + 1, row.failures, losses, taken_over=row.worker is not None)


async def _claim_slab(connection: AsyncConnection, now: int, worker: str) -> Claim | None:
    query = _first(select(slabs).where(_slab_due(now)).order_by(slabs.c.asked_at, slabs.c.key, slabs.c.number), slabs)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    losses = row.losses + (row.worker is not None)
    values = {"worker": worker, "turn": row.turn + 1, "due_at": now + LEASE_US, "losses": losses}
    await connection.execute(update(slabs).where(slabs.c.key == row.key, slabs.c.number == row.number).values(values))
    of = (await connection.execute(select(measurings).where(measurings.c.key == row.key))).one()
    slab = Slab(row.number, row.first, row.last)
    return Claim(measuring_of(of), row.turn + 1, row.failures, losses, slab, taken_over=row.worker is not None)


def _first(query: Select[Any], table: Table) -> Select[Any]:
    return query.limit(1).with_for_update(of=table, skip_locked=True)


def _own(claim: Claim) -> tuple[Table, ColumnElement[bool]]:
    """Return the table of a claim's row, and the row as long as nobody has taken it since."""
    if claim.slab is None:
        return measurings, and_(measurings.c.key == claim.key, measurings.c.turn == claim.turn)
    own = and_(slabs.c.key == claim.key, slabs.c.number == claim.slab.number, slabs.c.turn == claim.turn)
    return slabs, own


async def renew(connection: AsyncConnection, claim: Claim, now: int) -> bool:
    """Prolong a lease; return False where it was lost: somebody else does the work, or it is done."""
    table, own = _own(claim)
    query = update(table).where(own, table.c.closed_at.is_(None), table.c.worker.is_not(None))
    return (await connection.execute(query.values(due_at=now + LEASE_US))).rowcount > 0


async def held(connection: AsyncConnection, claim: Claim) -> bool:
    """Whether nobody else has taken the work since, or has finished it."""
    table, own = _own(claim)
    return bool(await connection.scalar(select(exists().where(own, table.c.closed_at.is_(None)))))


async def put_back(connection: AsyncConnection, claim: Claim, due_at: int, **values: Any) -> bool:
    """Let go of work before it is done, with other columns to be written; return False where the lease was lost."""
    table, own = _own(claim)
    query = update(table).where(own, table.c.closed_at.is_(None))
    return (await connection.execute(query.values(worker=None, due_at=due_at, **values))).rowcount > 0


async def cut(connection: AsyncConnection, claim: Claim, parts: Sequence[Slab], now: int) -> None:
    """Make the slabs of a measuring claimable; those that are there already stay as they are."""
    of = {"key": claim.key, "asked_at": claim.measuring.asked_at, "due_at": now}
    rows = [of | {"number": slab.number, "first": slab.first, "last": slab.last} for slab in parts]
    await insert(connection, slabs, rows)


async def close_slab(connection: AsyncConnection, claim: Claim, output: str, now: int) -> float | None:
    """Note what came of a slab; return the share that is done, None where this slab was done or is not wanted."""
    if claim.slab is None:
        raise AssertionError(claim)
    open_slab = and_(slabs.c.key == claim.key, slabs.c.number == claim.slab.number, slabs.c.closed_at.is_(None))
    done = await connection.execute(update(slabs).where(open_slab).values(output=output, closed_at=now, worker=None))
    if not done.rowcount:
        return None
    counts = select(func.count(), func.sum(case((slabs.c.closed_at.is_(None), 0), else_=1)))
    every, closed = (await connection.execute(counts.where(slabs.c.key == claim.key))).one()
    return float(closed / every)


async def outputs(connection: AsyncConnection, key: str) -> list[str]:
    """Return what came of a measuring's slabs, in order."""
    query = select(slabs.c.output).where(slabs.c.key == key).order_by(slabs.c.number)
    return [output for output in (await connection.scalars(query)).all() if output is not None]


async def drop_slabs(connection: AsyncConnection, key: str) -> None:
    """Forget a measuring's slabs."""
    await connection.execute(delete(slabs).where(slabs.c.key == key))
