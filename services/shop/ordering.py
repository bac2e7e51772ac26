"""What customers do with orders: place, submit, answer, cancel, look."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from instrumentation import order_context
from instrumentation.problems import ProblemError
from services.contract import (
    CANCELLING,
    ORDER_ANSWERED,
    ORDER_CANCEL,
    STATUS_CHANGED,
    OrderAnswered,
    OrderCancel,
    OrderFacts,
    Status,
    StatusChanged,
)
from services.shop import documents, store
from services.shop.handlers import status_changed
from services.shop.model import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.bus import Bus, Database
    from services.shop.catalogue import Catalogue
    from services.shop.model import Customer, Heard, Item, Order, Wish

DESK: Final = "crm"
_ATTEMPTS: Final = 5


@dataclass(frozen=True)
class Ordering:
    """Orders, from the customer's side. ``promise``: from submission to shipping; ``alloys``: what they are called."""

    database: Database
    bus: Bus
    catalogue: Catalogue
    alloys: Mapping[str, str]
    clock: Callable[[], datetime]
    new_order: Callable[[], str]
    promise: timedelta
    remember: timedelta

    async def place(self, customer: Customer, key: str, wish: Wish) -> documents.Order:
        """Begin an order; the same key and wish again give the first answer again, and no second order.

        Raises ProblemError where the wish cannot be met, or the key was used for another one.
        """
        item = (await self.catalogue.items()).get(wish.item) if wish.item else None
        print_ = fingerprint(asdict(wish))

        async def work(connection: AsyncConnection) -> str:
            now = self.clock()
            await store.forget_requests(connection, customer.id, now - self.remember)
            row = {"customer": customer.id, "key": key, "fingerprint": print_, "at": now}
            if not await store.begin_request(connection, row):
                return await _first_answer(connection, customer, key, print_)
            await _check(connection, customer, wish, item)
            self._check_alloy(wish.alloy)
            size = await store.model_bytes(connection, item.model if item else wish.model)
            order = await self._begin(connection, _facts(customer, wish, item, size), wish.note)
            answer = (await _described(connection, customer, order)).model_dump_json()
            await store.end_request(connection, customer.id, key, answer)
            return answer

        return documents.Order.model_validate_json(await self.database.write(work))

    def _check_alloy(self, alloy: str | None) -> None:
        if alloy is not None and alloy not in self.alloys:
            detail = f"no alloy of ours is called `{alloy}`; choose one of {', '.join(self.alloys)}"
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)

    async def _begin(self, connection: AsyncConnection, facts: OrderFacts, note: str | None) -> str:
        now = self.clock()
        row = facts.model_dump(exclude={"model_bytes"}) | {"note": note, "placed_at": now}
        for _ in range(_ATTEMPTS):
            order = self.new_order()
            if await store.add_order(connection, row | {"id": order}):
                with order_context(order):
                    await self._say(connection, order, StatusChanged(status=Status.INITIATED, order=facts), now)
                return order
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no free order id was found; try again")

    async def _say(self, connection: AsyncConnection, order: str, said: StatusChanged, now: datetime) -> None:
        message = await self.bus.publish(connection, STATUS_CHANGED, order, said.document(), time=now)
        # The shop need not wait for the bus to hear itself: customers see at once what they did.
        await status_changed(connection, message)

    async def submit(self, customer: Customer, order: str) -> documents.Order:
        """Send an order off; the promise begins. Sending it again changes nothing."""

        async def work(connection: AsyncConnection, own: Order) -> None:
            if own.status in CANCELLING or own.cancelling:
                raise _conflict(f"the order `{order}` is cancelled; begin a new one")
            if own.status is not Status.INITIATED:
                return
            now = self.clock()
            promised_at = now + self.promise
            await store.promise(connection, order, promised_at)
            size = await store.model_bytes(connection, own.model)
            facts = own.facts.model_copy(update={"promised_at": promised_at, "model_bytes": size})
            said = StatusChanged(status=Status.SUBMITTED, previous=own.status, order=facts)
            await self._say(connection, order, said, now)

        return await self._change(customer, order, work)

    async def answer(self, customer: Customer, order: str, answer: str, model: str | None) -> documents.Order:
        """Send the customer's answer to the sales manager who asked. The same answer again changes nothing."""

        async def work(connection: AsyncConnection, own: Order) -> None:
            if own.status is not Status.AWAITING_CUSTOMER:
                raise _conflict(f"nobody waits for an answer about the order `{order}`")
            if not own.asked:
                if own.answer != answer or model not in (None, own.model):
                    raise _conflict("you have answered already; the sales manager reads it now")
                return
            await _check_model(connection, customer, model)
            said = OrderAnswered(answer=answer, model=model, answered_at=self.clock())
            await self.bus.send(connection, DESK, ORDER_ANSWERED, order, said.document())
            await store.change_order(
                connection, order, answer=answer, answered_to=own.sequence, model=model or own.model
            )

        return await self._change(customer, order, work)

    async def cancel(self, customer: Customer, order: str, reason: str) -> documents.Order:
        """Ask the desk to cancel an order. Asking again changes nothing."""

        async def work(connection: AsyncConnection, own: Order) -> None:
            if own.status is Status.CANCELLED or own.cancelling:
                return
            if own.settled:
                raise _conflict(f"the order `{order}` is settled already; there is nothing left to cancel")
            if not own.cancellable:
                raise _conflict("your piece is being made already, so the order can no longer be cancelled; call us")
            now = self.clock()
            said = OrderCancel(reason=reason, asked_at=now)
            await self.bus.send(connection, DESK, ORDER_CANCEL, order, said.document())
            await store.change_order(connection, order, cancel_asked_at=now)

        return await self._change(customer, order, work)

    async def _change(self, customer: Customer, order: str, change: _Change) -> documents.Order:
        async def work(connection: AsyncConnection) -> documents.Order:
            own = await store.lock_order(connection, order)
            if own is None or own.customer != customer.id:
                raise unknown(order)
            await change(connection, own)
            return await _described(connection, customer, order)

        changed: documents.Order = await self.database.write(work)
        return changed

    async def look(self, customer: Customer, order: str) -> documents.Order:
        """Return an order of the customer's own. Others' orders are unknown to them."""
        async with self.database.reading() as connection:
            return await _described(connection, customer, order)

    async def picture(self, customer: Customer, order: str, of: str | None) -> str | None:
        """Return the name of the picture of an order of the customer's own, None where there is none.

        ``of``: one that the order has or had: a page may ask for it when the order is priced anew already.
        """
        async with self.database.reading() as connection:
            own = await store.order_of(connection, customer.id, order)
            if own is None:
                raise unknown(order)
            if of is None:
                return own.picture
            return of if of in {one.picture for one in await store.heard_of(connection, order)} else None

    async def history(
        self, customer: Customer, before: tuple[datetime, str] | None, limit: int
    ) -> list[documents.OrderLine]:
        """Return the customer's own orders, newest first, after a place in that list."""
        async with self.database.reading() as connection:
            found = await store.orders_of(connection, customer.id, before, limit)
        return [documents.OrderLine.of(order) for order in found]


if TYPE_CHECKING:
    from collections.abc import Awaitable

    _Change = Callable[[AsyncConnection, Order], Awaitable[None]]


async def _first_answer(connection: AsyncConnection, customer: Customer, key: str, print_: str) -> str:
    known, answer = await store.request_of(connection, customer.id, key)
    if known != print_:
        detail = "this Idempotency-Key was used for another order; take a new key for a new order"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return answer


async def _check(connection: AsyncConnection, customer: Customer, wish: Wish, item: Item | None) -> None:
    await _check_model(connection, customer, wish.model)
    if wish.item is None:
        return
    if item is None or not item.active:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"there is no piece `{wish.item}` in the catalogue")
    if item.product != wish.product:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"`{wish.item}` is no {wish.product}; it is {item.product}")


async def _check_model(connection: AsyncConnection, customer: Customer, model: str | None) -> None:
    if model is not None and not await store.brought(connection, customer.id, model):
        detail = f"you have not uploaded the model `{model}`; send it to POST /models first"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)


def _facts(customer: Customer, wish: Wish, item: Item | None, model_bytes: int | None) -> OrderFacts:
    return OrderFacts(
        channel=wish.channel,
        product=wish.product,
        customer=customer.id,
        customer_name=customer.name,
        model=item.model if item else wish.model,
        model_bytes=model_bytes,
        alloy=wish.alloy,
        unit=wish.unit,
        item=wish.item,
    )


async def _described(connection: AsyncConnection, customer: Customer, order: str) -> documents.Order:
    own = await store.order_of(connection, customer.id, order)
    if own is None:
        raise unknown(order)
    heard: list[Heard] = await store.heard_of(connection, order)
    return documents.Order.whole(own, heard)


def unknown(order: str) -> ProblemError:
    """Return the problem of an order that is none of the customer's, whether it exists or not."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"you have no order `{order}`")


def _conflict(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, detail)
