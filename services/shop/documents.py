"""What the shop's HTTP requests and answers look like: the schemas of its OpenAPI document."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from services.contract import DrawnIn, Money, Status  # noqa: TC001 - pydantic reads the annotations
from services.shop.model import Product, in_order
from services.shop.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.shop import model as known

DEAREST: Final = 10_000_000
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Key = Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Alloy = Annotated[str, StringConstraints(max_length=100)]
Story = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000, pattern=r"^[^\x00]*$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ItemContent(_Request):
    """A piece as staff write it."""

    name: Line
    product: Product
    description: Story
    model: Sha256 | None = None
    price: Money | None = Field(default=None, description="Guides only; an order's price is calculated.")
    active: bool = True

    @field_validator("price")
    @classmethod
    def _plausible(cls, price: Money | None) -> Money | None:
        if price is not None and not 0 <= price.amount <= DEAREST:
            raise ValueError(f"a price lies between 0 and {DEAREST:,}")
        return price


class Item(ItemContent):
    """A piece of the catalogue."""

    id: str = Field(examples=["plain-band"])

    @classmethod
    def of(cls, item: known.Item) -> Self:
        """Describe a piece."""
        return cls.model_validate(vars(item))


class Items(BaseModel):
    """The catalogue."""

    items: list[Item]


class Revision(BaseModel):
    """The state of the catalogue after a change."""

    revision: int = Field(description="Counts the changes of the catalogue.", examples=[2])


class Model(BaseModel):
    """An uploaded 3D model."""

    model: Sha256 = Field(description="SHA-256 of its bytes; the same bytes are the same model.")
    bytes: int
    format: str = Field(description="By its content: stl, obj, 3mf, ply or glb.", examples=["stl"])


class NewOrder(_Request):
    """What is ordered: a piece from an uploaded model, or one of the catalogue."""

    model: Sha256 | None = None
    item: Key | None = Field(default=None, examples=["plain-band"])
    product: Product
    channel: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_-]{0,31}$")] = "online"
    note: Story | None = None
    alloy: Alloy | None = Field(
        default=None, description="What it is cast in; ours to choose if left out.", examples=["14k-yellow-gold"]
    )
    unit: DrawnIn | None = Field(default=None, description="What the model is drawn in, if the file does not say it.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.model is None) == (self.item is None):
            raise ValueError("an order names either a `model` or an `item`")
        return self


class Answer(_Request):
    """The answer to the sales manager's question, with a better model if need be."""

    answer: Story
    model: Sha256 | None = None


class Cancellation(_Request):
    """Why the customer steps back."""

    reason: Story = "the customer changed their mind"


class Event(BaseModel):
    """A status of an order, since when, and what a customer reads of it."""

    status: Status
    time: datetime
    title: str
    progress: float | None
    price: Money | None
    reason: str | None


class OrderLine(BaseModel):
    """An order in a list. What is not known yet is null."""

    order: str = Field(examples=["R7K2-M4QF"])
    status: Status
    title: str = Field(description="The status in the customer's words.")
    meaning: str
    place: str = Field(description="Where it is, in the customer's words.")
    since: datetime
    product: str
    item: str | None
    placed_at: datetime
    promised_at: datetime | None
    progress: float | None = Field(description="How much of the price is calculated, while it is.")
    price: Money | None
    settled: bool

    @classmethod
    def of(cls, order: known.Order) -> Self:
        """Describe an order."""
        return cls.model_validate(_told(order))


class Order(OrderLine):
    """An order, and everything that happened to it."""

    channel: str
    model: str | None
    alloy: str | None = Field(default=None, description="What it is cast in, where that was chosen.")
    unit: DrawnIn | None = Field(default=None, description="What the model is drawn in, where that was said.")
    note: str | None
    valid_until: datetime | None = Field(description="Until when the price holds.")
    problems: list[str] = Field(default=[], description="What pricing found on the model.")
    picture: str | None = Field(
        default=None, description="SHA-256 of the picture of the model, which is at `/orders/{order}/picture`."
    )
    reason: str | None = Field(description="The question, or why it was refused.")
    answer: str | None
    asked: bool = Field(description="A sales manager waits for the customer's answer.")
    cancelling: bool = Field(description="The customer has asked to cancel, and the desk has not decided yet.")
    cancellable: bool
    events: list[Event]

    @classmethod
    def whole(cls, order: known.Order, heard: Sequence[known.Heard]) -> Self:
        """Describe an order with its history."""
        events = [_event(one) for one in in_order(heard)]
        seen = {"problems": list(order.problems), "events": events}
        return cls.model_validate(_told(order) | {name: getattr(order, name) for name in _MORE} | seen)


_MORE: Final = (
    "channel",
    "model",
    "alloy",
    "unit",
    "note",
    "valid_until",
    "picture",
    "reason",
    "answer",
    "asked",
    "cancelling",
    "cancellable",
)


def _told(order: known.Order) -> dict[str, object]:
    same = ("status", "since", "product", "item", "placed_at", "promised_at", "progress", "price", "settled")
    words = WORDS[order.status]._asdict()
    return {"order": order.id, **words, **{name: getattr(order, name) for name in same}}


def _event(one: known.Heard) -> Event:
    return Event(
        status=one.status,
        time=one.at,
        title=WORDS[one.status].title,
        progress=one.progress,
        price=one.price,
        reason=one.reason,
    )


class Orders(BaseModel):
    """A page of the customer's own orders, newest first. ``next`` is the cursor of the page after this one."""

    orders: list[OrderLine]
    next: str | None


class Believed(BaseModel):
    """What the shop believes of an order."""

    order: str
    status: Status
    since: datetime
    source: str = Field(description="The system that said so.")
    sequence: int


class Statuses(BaseModel):
    """A page of what the shop believes, by order id. ``next`` is the cursor of the page after this one."""

    orders: list[Believed]
    next: str | None


class Credentials(_Request):
    """What a customer signs in with."""

    email: Line = Field(examples=["ada@example.com"])
    password: SecretStr = Field(examples=["correct horse battery"])


class NewAccount(Credentials):
    """What an account is opened with."""

    name: Line = Field(examples=["Ada"])


class Account(BaseModel):
    """A customer's account."""

    customer: str
    name: str


class Session(BaseModel):
    """A sign-in, good for 30 days."""

    token: str
