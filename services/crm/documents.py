"""What the desk answers over HTTP, and what it is told."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from services.contract import Money, OrderFacts, Status
from services.crm.model import MAY, Action, Question, Tray
from services.crm.rules import Standing  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sqlalchemy import RowMapping

    from services.crm.model import File

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]


class Approval(BaseModel):
    """Approve, whatever the rules say."""

    reason: Text = "approved by hand"


class Reason(BaseModel):
    """Why."""

    reason: Text = Field(examples=["the customer's last two orders were not paid"])


class Ask(BaseModel):
    """What the customer is asked."""

    question: Text = Field(examples=["The band is 0.4 mm thin at the back. May we make it 0.8 mm?"])


class Closing(BaseModel):
    """Close before the time has come by itself."""

    reason: Text = "closed by hand"


class OrderLine(BaseModel):
    """An order as lists show it."""

    order: str = Field(examples=["4711"])
    status: Status
    since: datetime
    tray: Tray = Field(description="Where its file lies.")
    why: str | None = Field(description="Why it lies there, in words.")
    question: Question
    answer: str | None = Field(description="What the customer said to the desk's question, until it is decided.")
    price: Money | None
    valid_until: datetime | None
    promised_at: datetime | None
    due_at: datetime | None = Field(description="The promise moment, put off by the time that was the customer's turn.")
    channel: str
    product: str
    customer: str | None
    customer_name: str | None


class Orders(BaseModel):
    """A page of orders; ``next`` is the cursor of the next page, null on the last."""

    orders: list[OrderLine]
    next: str | None


class OnDesk(Orders):
    """A page of the orders that wait for a decision, and how many there are in all."""

    waiting: int
    oldest: datetime | None = Field(description="Since when the one that has waited longest has been in its status.")


class HistoryLine(BaseModel):
    """A status, as its owner said it."""

    status: Status
    time: datetime
    source: str
    sequence: int
    progress: float | None
    reason: str | None
    by: str | None


class DecisionLine(BaseModel):
    """A decision: who or what rule, why, about which amount, and the status that the desk said then."""

    time: datetime
    action: Action
    by: str
    automatic: bool
    reason: str
    price: Money | None
    says: Status | None


class DialogueLine(BaseModel):
    """What the desk or the customer said."""

    time: datetime
    kind: str = Field(examples=["question", "answer", "cancellation"])
    by: str
    said: str
    model: str | None = Field(description="SHA-256 of the model that came with it.")


class Order(OrderLine):
    """An order's whole file."""

    facts: OrderFacts
    standing: Standing
    shipped_at: datetime | None
    close_at: datetime | None
    asked_at: datetime | None = Field(description="Since when the promise's clock stands still for the customer.")
    problems: list[str] = Field(description="What pricing found on the model, in a customer's words.")
    picture: str | None = Field(description="SHA-256 of the picture of the model, at `/orders/{order}/picture`.")
    may: list[Action] = Field(description="What a person may decide now.")
    history: list[HistoryLine]
    decisions: list[DecisionLine]
    dialogue: list[DialogueLine]


class Judgement(BaseModel):
    """What the house thinks of a customer from now on, and why."""

    standing: Standing
    reason: Text = Field(examples=["paid five orders in time"])


class StandingLine(BaseModel):
    """A judgement of the past."""

    standing: Standing
    time: datetime
    by: str
    reason: str


class Customer(BaseModel):
    """A customer's standing now, and how it came to be."""

    customer: str
    name: str | None
    orders: int
    standing: Standing
    history: list[StandingLine]


class StatusLine(BaseModel):
    """What the desk believes of an order."""

    order: str
    status: Status
    since: datetime
    source: str
    sequence: int


class Statuses(BaseModel):
    """A page of what the desk believes; ``next`` is the cursor of the next page, null on the last."""

    orders: list[StatusLine]
    next: str | None


def order_line(file: File) -> dict[str, Any]:
    """Return what lists show of an order."""
    facts = file.known
    return {
        "order": file.order,
        "status": file.status,
        "since": file.status_at,
        "tray": file.tray,
        "why": file.why,
        "question": file.question,
        "answer": file.answer,
        "price": file.quote.price,
        "valid_until": file.quote.valid_until,
        "promised_at": facts.promised_at,
        "due_at": file.due_at,
        "channel": facts.channel,
        "product": facts.product,
        "customer": facts.customer,
        "customer_name": facts.customer_name,
    }


def order_document(
    file: File, standing: Standing, lines: tuple[Sequence[RowMapping], Sequence[RowMapping], Sequence[RowMapping]]
) -> Order:
    """Return an order's whole file. ``lines``: its history, decisions and dialogue."""
    history, decisions, dialogue = lines
    document = order_line(file) | {
        "facts": file.facts,
        "standing": standing,
        "shipped_at": file.shipped_at,
        "close_at": file.close_at,
        "asked_at": file.asked_at,
        "problems": list(file.problems),
        "picture": file.picture,
        "may": [action for action in MAY if file.may(action)],
        "history": [timed(row) for row in history],
        "decisions": [timed(row) | {"price": _price(row["amount"], row["currency"])} for row in decisions],
        "dialogue": [timed(row) for row in dialogue],
    }
    return Order.model_validate(document)


def timed(row: RowMapping) -> dict[str, Any]:
    """Return a row whose moment is called as the contracts call it."""
    return {"time" if name == "at" else name: value for name, value in row.items()}


def _price(amount: Decimal | None, currency: str | None) -> Money | None:
    return Money(amount=amount, currency=currency) if amount is not None and currency is not None else None
