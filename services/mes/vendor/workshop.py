"""The workshop: released pieces are distributed, made, packed and shipped by the operators who have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from services.mes.vendor import bench, store
from services.mes.vendor.distribution import distribute
from services.mes.vendor.model import (
    IN_WORKSHOP,
    STEPS,
    Kind,
    State,
    Step,
    VendorOrder,
    VendorRefusal,
    milliseconds,
    moment_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus.database import Database
    from services.mes.vendor.distribution import Operator

SYSTEM: Final = "distribution"
_NEXT: Final = {before: step for step, (before, _after) in STEPS.items()}


@dataclass(frozen=True)
class Line:
    """One piece on a work list."""

    order: str
    product: str
    state: State
    promised_at: datetime | None
    next: Step
    operator: str | None


async def distribute_waiting(connection: AsyncConnection, now_ms: int, reason: str = "released") -> None:
    """Give the pieces that nobody has to whoever can take them. The caller has locked the journal."""
    pieces = await bench.waiting(connection)
    if not pieces:
        return
    operators, loads = await bench.all_operators(connection), await bench.loads(connection)
    for piece, operator in distribute(pieces, operators, loads):
        why = {"moved_by": SYSTEM, "reason": reason, "at_ms": now_ms}
        await bench.give(connection, piece.number, operator.id, why)


class Workshop:
    """What operators and their lead do."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database, self.clock = database, clock

    async def hire(self, operators: Sequence[Operator]) -> None:
        """Add the operators who are not known yet."""

        async def work(connection: AsyncConnection) -> None:
            await store.lock(connection)
            for operator in operators:
                await bench.add_operator(connection, operator)
            await distribute_waiting(connection, self._now_ms)

        await self.database.write(work)

    @property
    def _now_ms(self) -> int:
        return milliseconds(self.clock())

    async def operator(self, key: str) -> Operator | None:
        """Return an operator, None where nobody has this id."""
        async with self.database.reading() as connection:
            return await bench.find_operator(connection, key)

    async def list_of(self, operator: str) -> list[Line]:
        """Return an operator's work, nearest promise first; what is shipped or withdrawn is not in it."""
        async with self.database.reading() as connection:
            return [_line(row) for row in await bench.work_of(connection, operator)]

    async def overview(self) -> tuple[list[tuple[Operator, int]], list[Line]]:
        """Return operators with their load, and all work, nearest promise first."""
        async with self.database.reading() as connection:
            loads = await bench.loads(connection)
            staff = [(operator, loads.get(operator.id, 0)) for operator in await bench.all_operators(connection)]
            return staff, [_line(row) for row in await bench.all_work(connection)]

    async def history(self, order: str) -> Sequence[Row[Any]]:
        """Return how a piece came to who has it: previous, operator, moved_by, reason, at_ms; oldest first."""
        async with self.database.reading() as connection:
            await store.by_reference(connection, order)
            return await bench.moves_of(connection, order)

    async def advance(self, operator: str, order: str, step: Step) -> VendorOrder:
        """Take a piece one step on; a repeat changes nothing.

        Raises VendorRefusal where the piece is not this operator's, or not in the state for that step.
        """
        before, after = STEPS[step]

        async def work(connection: AsyncConnection) -> VendorOrder:
            await store.lock(connection)
            found = await store.find(connection, order)
            if found is None or found.operator != operator:
                raise VendorRefusal(Kind.UNKNOWN, f"the order `{order}` is not on your work list")
            if found.state == after:
                return found
            if found.state != before:
                raise VendorRefusal(
                    Kind.CONFLICT, f"`{step}` needs an order that is {before.name}, not {found.state.name}"
                )
            moved = await store.move(connection, found, after, self._now_ms)
            if after == State.SHIPPED:
                await distribute_waiting(connection, moved.changed_ms, "a bench became free")
            return moved

        moved: VendorOrder = await self.database.write(work)
        return moved

    async def reassign(self, order: str, operator: str, by: str, reason: str) -> None:
        """Give a piece to somebody else by hand. Raises VendorRefusal where that makes no sense."""

        async def work(connection: AsyncConnection) -> None:
            await store.lock(connection)
            found = await store.by_reference(connection, order)
            if found.state not in IN_WORKSHOP:
                raise VendorRefusal(Kind.CONFLICT, f"the order `{order}` is {found.state.name}: not in the workshop")
            target = await _known(connection, operator)
            if not target.at_work:
                raise VendorRefusal(Kind.CONFLICT, f"{target.name} is absent; choose somebody who is at work")
            if not target.makes(found.product):
                raise VendorRefusal(Kind.CONFLICT, f"{target.name} has not learned to make: {found.product}")
            if found.operator == operator:
                return
            why = {"moved_by": by, "reason": reason, "at_ms": self._now_ms}
            await bench.give(connection, found.number, operator, why)
            await distribute_waiting(connection, self._now_ms, "a bench became free")

        await self.database.write(work)

    async def set_presence(self, operator: str, by: str, *, at_work: bool) -> Operator:
        """Note that somebody came or is absent; unstarted work of an absent operator goes to others.

        What nobody else can take now waits for somebody who can. Raises VendorRefusal for an unknown operator.
        """

        async def work(connection: AsyncConnection) -> Operator:
            await store.lock(connection)
            person = await _known(connection, operator)
            await bench.set_presence(connection, operator, at_work=at_work)
            if not at_work:
                why = {"moved_by": by, "reason": f"{person.name} is absent", "at_ms": self._now_ms}
                for number in await bench.unstarted_of(connection, operator):
                    await bench.give(connection, number, None, why)
            reason = f"{person.name} is back" if at_work else f"{person.name} is absent"
            await distribute_waiting(connection, self._now_ms, reason)
            return await _known(connection, operator)

        changed: Operator = await self.database.write(work)
        return changed


async def _known(connection: AsyncConnection, operator: str) -> Operator:
    found = await bench.find_operator(connection, operator)
    if found is None:
        raise VendorRefusal(Kind.UNKNOWN, f"nobody in the workshop has the id `{operator}`")
    return found


def _line(row: Row[Any]) -> Line:
    state = State(row.state)
    due = None if row.due_ms is None else moment_of(row.due_ms)
    return Line(row.reference, row.product, state, due, _NEXT[state], row.operator)
