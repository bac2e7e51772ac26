"""What is asked of the pricing workers, and what they answer: commands of the bus, in services/asyncapi.yaml too."""

from __future__ import annotations

from decimal import Decimal  # noqa: TC003 - pydantic reads the annotations
from enum import StrEnum
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pricing.units import Unit  # noqa: TC001 - pydantic reads the annotations

PRICE_CALCULATE: Final = "price.calculate.v1"
PRICE_PROGRESSED: Final = "price.progressed.v1"
PRICE_CALCULATED: Final = "price.calculated.v1"
PRICE_REFUSED: Final = "price.refused.v1"

PARTNER: Final = "b2b"  # the channel of orders that come from partners
# A file of this size holds some 300,000 triangles as binary STL: what is larger is heavy until it has been read.
HEAVY_BYTES: Final = 16 * 1024 * 1024


class PriceClass(StrEnum):
    """How urgent a price is, and how much work: each class has a queue of its own, so that none starves another."""

    SHOP = "shop"
    PARTNER = "partner"
    HEAVY = "heavy"

    @property
    def queue(self) -> str:
        """The queue of the class's commands."""
        return f"pricing-{self}"


def class_of(channel: str, model_bytes: int | None) -> PriceClass:
    """Return the class of a request by what is known before the model is read; the workers correct it."""
    if model_bytes is not None and model_bytes > HEAVY_BYTES:
        return PriceClass.HEAVY
    return PriceClass.PARTNER if channel == PARTNER else PriceClass.SHOP


class _Contract(BaseModel):
    # Within a major version fields are only added: readers let pass what they do not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    def document(self) -> dict[str, Any]:
        """Return the JSON object that travels; what is unknown is left out."""
        return self.model_dump(mode="json", exclude_none=True)


class PriceCalculate(_Contract):
    """The data of ``price.calculate.v1``; its subject is the order. Its id is the request that answers name."""

    model: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the 3D model's bytes, in hex.")
    reply_to: str = Field(description="The queue of commands that the answers go to.")
    channel: str
    alloy: str | None = Field(default=None, description="As materials.yaml names it; the house's default if left out.")
    unit: Unit | None = Field(default=None, description="What the model is drawn in, where the customer said so.")
    quantity: int = Field(default=1, ge=1)
    model_bytes: int | None = Field(default=None, ge=0, description="The model's size, where the sender knows it.")


class _Answer(_Contract):
    request: str = Field(description="The id of the command that is answered.")
    begun_at: AwareDatetime = Field(description="When a worker took it up.")


class PriceProgressed(_Answer):
    """The data of ``price.progressed.v1``: sent when work begins, and now and then while it lasts."""

    progress: float = Field(ge=0, le=1)


class PriceCalculated(_Answer):
    """The data of ``price.calculated.v1``."""

    done_at: AwareDatetime
    amount: Decimal
    currency: str = Field(pattern="^[A-Z]{3}$")
    valid_until: AwareDatetime
    production_s: float = Field(ge=0, description="How long the workshop needs, waiting in other queues apart.")
    castable: bool
    problems: tuple[str, ...] = ()
    picture: str | None = Field(default=None, description="SHA-256 of a PNG that shows the model and its problems.")
    materials: str = Field(description="The version of the materials that it was priced with.")


class PriceRefused(_Answer):
    """The data of ``price.refused.v1``. ``code`` is ``failed`` where our software failed: the model is not at fault."""

    done_at: AwareDatetime
    code: str
    detail: str = Field(description="One sentence that a customer understands.")
    problems: tuple[str, ...] = ()
    picture: str | None = None
