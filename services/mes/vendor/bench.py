"""Queries of the workshop: operators, who has what on the bench, and who gave it to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import func, insert, select, update

from services.mes.vendor.distribution import Operator, Piece
from services.mes.vendor.model import State
from services.mes.vendor.tables import OPEN_WORK, moves, operators, orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_NEAREST: Final = (orders.c.due_ms.is_(None), orders.c.due_ms, orders.c.number)
_LINE: Final = (orders.c.reference, orders.c.product, orders.c.state, orders.c.due_ms, orders.c.operator)


def _operator(row: Row[Any]) -> Operator:
    found = row._asdict()
    return Operator(**{**found, "skills": frozenset(orjson.loads(found["skills"])), "at_work": bool(found["at_work"])})


async def add_operator(connection: AsyncConnection, operator: Operator) -> None:
    """Store an operator who is not known yet; one who is known stays as is."""
    if await find_operator(connection, operator.id) is None:
        skills = orjson.dumps(sorted(operator.skills)).decode()
        await connection.execute(insert(operators).values(operator.__dict__ | {"skills": skills}))


async def find_operator(connection: AsyncConnection, key: str) -> Operator | None:
    """Return an operator, None where nobody has this id."""
    found = (await connection.execute(select(operators).where(operators.c.id == key))).first()
    return _operator(found) if found else None


async def all_operators(connection: AsyncConnection) -> list[Operator]:
    """Return everybody in the workshop, by name."""
    return [_operator(row) for row in (await connection.execute(select(operators).order_by(operators.c.name))).all()]


async def set_presence(connection: AsyncConnection, key: str, *, at_work: bool) -> None:
    """Note who is there."""
    await connection.execute(update(operators).where(operators.c.id == key).values(at_work=at_work))


async def loads(connection: AsyncConnection) -> dict[str, int]:
    """Return how many unfinished pieces each operator has."""
    query = select(orders.c.operator, func.count()).where(OPEN_WORK, orders.c.operator.is_not(None))
    return {str(key): int(count) for key, count in await connection.execute(query.group_by(orders.c.operator))}


async def waiting(connection: AsyncConnection) -> list[Piece]:
    """Return released pieces that nobody has."""
    query = select(orders.c.number, orders.c.product, orders.c.due_ms).where(
        OPEN_WORK, orders.c.state == State.RELEASED, orders.c.operator.is_(None)
    )
    return [Piece(*row) for row in (await connection.execute(query)).all()]


async def unstarted_of(connection: AsyncConnection, operator: str) -> list[int]:
    """Return the numbers of an operator's pieces that are not begun."""
    query = select(orders.c.number).where(OPEN_WORK, orders.c.state == State.RELEASED, orders.c.operator == operator)
    return list((await connection.scalars(query.order_by(*_NEAREST))).all())


async def work_of(connection: AsyncConnection, operator: str) -> Sequence[Row[Any]]:
    """Return an operator's unfinished pieces, nearest promise first: reference, product, state, due_ms, operator."""
    query = select(*_LINE).where(OPEN_WORK, orders.c.operator == operator).order_by(*_NEAREST)
    return (await connection.execute(query)).all()


async def all_work(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Return all pieces in the workshop, nearest promise first; columns as in ``work_of``."""
    return (await connection.execute(select(*_LINE).where(OPEN_WORK).order_by(*_NEAREST))).all()


async def give(connection: AsyncConnection, number: int, operator: str | None, why: dict[str, Any]) -> None:
    """Give a piece to an operator (or to nobody), and note who did so, why and when."""
    order = (
        await connection.execute(select(orders.c.reference, orders.c.operator).where(orders.c.number == number))
    ).one()
    await connection.execute(update(orders).where(orders.c.number == number).values(operator=operator))
    noted = {"reference": order.reference, "previous": order.operator, "operator": operator}
    await connection.execute(insert(moves).values(noted | why))


async def moves_of(connection: AsyncConnection, reference: str) -> Sequence[Row[Any]]:
    """Return how a piece came to who has it, oldest first."""
    return (
        await connection.execute(select(moves).where(moves.c.reference == reference).order_by(moves.c.number))
    ).all()
