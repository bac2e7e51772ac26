"""What services say to each other: statuses, message types and their data, as services/asyncapi.yaml describes them."""

from __future__ import annotations

from decimal import Decimal  # noqa: TC003 - pydantic reads the annotations
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

STATUS_CHANGED: Final = "order.status.changed.v1"
CATALOGUE_CHANGED: Final = "catalogue.changed.v1"
ORDER_ANSWERED: Final = "order.answered.v1"
ORDER_CANCEL: Final = "order.cancel.v1"
ORDER_REQUOTE: Final = "order.requote.v1"

# Who hears events, so that what is said before somebody first starts waits for him.
CONSUMERS: Final = ("shop", "crm", "mes", "collector")

SHOP: Final = "/shop"
CRM: Final = "/crm"
MES: Final = "/mes"
PRICING: Final = "/pricing"  # its messages are in pricing/messages.py


class Status(StrEnum):
    """What a system says an order is in."""

    INITIATED = "INITIATED"
    SUBMITTED = "SUBMITTED"
    PRICE_CALCULATING = "PRICE_CALCULATING"
    PRICE_FAILED = "PRICE_FAILED"
    PRICE_CALCULATED = "PRICE_CALCULATED"
    AWAITING_CUSTOMER = "AWAITING_CUSTOMER"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    MANUFACTURING_APPROVED = "MANUFACTURING_APPROVED"
    MANUFACTURING_STARTED = "MANUFACTURING_STARTED"
    MANUFACTURING_COMPLETED = "MANUFACTURING_COMPLETED"
    PACKAGING = "PACKAGING"
    SHIPPED = "SHIPPED"
    CLOSED = "CLOSED"

    @property
    def rank(self) -> float:
        """The place on the main line; of two events at one moment, the one that ranks higher came last."""
        return _RANKS[self]


MAIN_LINE: Final = (
    Status.INITIATED,
    Status.SUBMITTED,
    Status.PRICE_CALCULATING,
    Status.PRICE_CALCULATED,
    Status.MANUFACTURING_APPROVED,
    Status.MANUFACTURING_STARTED,
    Status.MANUFACTURING_COMPLETED,
    Status.PACKAGING,
    Status.SHIPPED,
    Status.CLOSED,
)
CANCELLING: Final = frozenset({Status.REJECTED, Status.CANCELLED})
FINAL: Final = CANCELLING | {Status.CLOSED}
# A status off the line ranks between those that it lies between.
_RANKS: Final = {status: float(rank) for rank, status in enumerate(MAIN_LINE)} | {
    Status.PRICE_FAILED: 2.5,
    Status.AWAITING_CUSTOMER: 3.5,
    Status.REJECTED: 10.0,
    Status.CANCELLED: 11.0,
}
# The system that owns each status: only its word moves the order.
OWNER: Final = {
    Status.INITIATED: SHOP,
    Status.SUBMITTED: SHOP,
    Status.PRICE_CALCULATING: MES,
    Status.PRICE_FAILED: MES,
    Status.PRICE_CALCULATED: MES,
    Status.AWAITING_CUSTOMER: CRM,
    Status.REJECTED: CRM,
    Status.CANCELLED: CRM,
    Status.MANUFACTURING_APPROVED: CRM,
    Status.MANUFACTURING_STARTED: MES,
    Status.MANUFACTURING_COMPLETED: MES,
    Status.PACKAGING: MES,
    Status.SHIPPED: MES,
    Status.CLOSED: CRM,
}


class _Contract(BaseModel):
    # Within a major version fields are only added: readers let pass what they do not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    def document(self) -> dict[str, Any]:
        """Return the JSON object that travels; what is unknown is left out."""
        return self.model_dump(mode="json", exclude_none=True)


# What a model may be drawn in, where its file does not say.
DrawnIn = Literal["mm", "cm", "m", "inch"]


class Money(_Contract):
    """An amount, written as a decimal text, and its currency (ISO 4217)."""

    amount: Decimal
    currency: str = Field(pattern="^[A-Z]{3}$")


class OrderFacts(_Contract):
    """What every event says of its order, so that whoever hears of it first can begin a file."""

    channel: str
    product: str
    customer: str | None = None
    customer_name: str | None = None
    model: str | None = Field(default=None, description="SHA-256 of the 3D model's bytes, in hex.")
    model_bytes: int | None = Field(default=None, ge=0, description="The size of that model, where it is known.")
    alloy: str | None = Field(default=None, description="What it is cast in; the house's own choice if left out.")
    unit: DrawnIn | None = Field(default=None, description="What the model is drawn in.")
    item: str | None = Field(default=None, description="The catalogue item, where the order is for one.")
    promised_at: AwareDatetime | None = None


class StatusChanged(_Contract):
    """The data of ``order.status.changed.v1``."""

    status: Status
    previous: Status | None = None
    order: OrderFacts
    progress: float | None = Field(default=None, ge=0, le=1, description="How much of the price is calculated.")
    price: Money | None = None
    valid_until: AwareDatetime | None = None
    reason: str | None = None
    by: str | None = Field(default=None, description="Who decided: a person's name, or the rule.")
    castable: bool | None = Field(default=None, description="Whether the priced model can be cast as it is.")
    problems: tuple[str, ...] = Field(default=(), description="What pricing found, in a customer's words.")
    picture: str | None = Field(default=None, description="SHA-256 of a PNG of the model with its problems marked.")

    def document(self) -> dict[str, Any]:
        """Return the JSON object that travels; what is unknown, and no problems, are left out."""
        return {name: value for name, value in super().document().items() if name != "problems" or value}


class CatalogueChanged(_Contract):
    """The data of ``catalogue.changed.v1``: cached copies older than this revision are stale."""

    revision: int


class OrderAnswered(_Contract):
    """The data of ``order.answered.v1``: what the customer said to the sales manager's question."""

    answer: str
    model: str | None = None
    answered_at: AwareDatetime


class OrderCancel(_Contract):
    """The data of ``order.cancel.v1``: the customer no longer wants it."""

    reason: str
    asked_at: AwareDatetime


class OrderRequote(_Contract):
    """The data of ``order.requote.v1``: confirm the quote, or price the new model."""

    model: str | None = None


MESSAGES: Final[dict[str, type[_Contract]]] = {
    STATUS_CHANGED: StatusChanged,
    CATALOGUE_CHANGED: CatalogueChanged,
    ORDER_ANSWERED: OrderAnswered,
    ORDER_CANCEL: OrderCancel,
    ORDER_REQUOTE: OrderRequote,
}
