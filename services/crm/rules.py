"""The rules of automatic approval: limits per channel, product and standing, and the reason of each answer in words."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 - pydantic reads the annotations
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from datetime import datetime

    from services.contract import Money, OrderFacts

DEFAULT_RULES: Final = Path(__file__).parent / "rules.yaml"
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


class Standing(StrEnum):
    """What the house thinks of a customer."""

    GOOD = "good"
    NEW = "new"
    WATCH = "watch"


_STANDINGS: Final = {
    Standing.GOOD: "customers in good standing",
    Standing.NEW: "new customers",
    Standing.WATCH: "customers on watch",
}
_WHY_NOT: Final = {
    Standing.GOOD: "no limit is set for this order",
    Standing.NEW: "the customer is new",
    Standing.WATCH: "the customer is on watch",
}


class Limit(BaseModel):
    """Up to which amount orders of a kind are approved without a person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str | None = None
    product: str | None = None
    standing: Standing = Standing.GOOD
    up_to: dict[Currency, Annotated[Decimal, Field(gt=0)]] = Field(min_length=1)

    def fits(self, facts: OrderFacts, standing: Standing) -> bool:
        """Whether it speaks of such an order."""
        return (
            self.channel in (None, facts.channel)
            and self.product in (None, facts.product)
            and self.standing is standing
        )

    @property
    def meant(self) -> str:
        """Whom it speaks of, in words."""
        words = [_STANDINGS[self.standing]]
        words += [f"by channel {self.channel}"] if self.channel else []
        words += [f"for product {self.product}"] if self.product else []
        return " ".join(words)


class Rules(BaseModel):
    """All limits; the first that fits an order decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class Quote:
    """A price, and until when it holds; None where the quote does not say."""

    price: Money | None
    valid_until: datetime | None


@dataclass(frozen=True)
class Verdict:
    """Whether the rules approve, and why or why not, in words."""

    approved: bool
    reason: str


def load_rules(path: Path = DEFAULT_RULES) -> Rules:
    """Read a rules file. Raises BadInput, which says what is wrong and where."""
    try:
        return Rules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name another rules file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is no YAML ({' '.join(str(error).split())}); mend it there") from error
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(map(str, found["loc"])) or "the file"
        raise BadInput(f"{path}: {place}: {found['msg']}; see docs/crm.md for what rules look like") from error


def judge(rules: Rules, facts: OrderFacts, quote: Quote, standing: Standing, now: datetime) -> Verdict:
    """Say whether an order is approved without a person; where not, everything that speaks against it."""
    limit = next((limit for limit in rules.limits if limit.fits(facts, standing)), None)
    against = [*_against_customer(facts, limit, standing), *_against_quote(quote, now)]
    if limit is not None and quote.price is not None:
        against += _against_amount(quote.price, limit)
    if against or limit is None or quote.price is None:
        return Verdict(approved=False, reason=f"on the desk: {'; '.join(against)}")
    most = limit.up_to[quote.price.currency]
    reason = f"approved automatically: {shown(quote.price)} is within {most:f} {quote.price.currency} for {limit.meant}"
    return Verdict(approved=True, reason=reason)


def _against_customer(facts: OrderFacts, limit: Limit | None, standing: Standing) -> list[str]:
    if facts.customer is None:
        return ["the customer is not known"]
    return [_WHY_NOT[standing]] if limit is None else []


def _against_quote(quote: Quote, now: datetime) -> list[str]:
    if quote.price is None:
        return ["the quote has no price"]
    if quote.valid_until is None:
        return ["the quote does not say until when it is valid"]
    if quote.valid_until <= now:
        return [f"the quote was valid until {quote.valid_until:%Y-%m-%d %H:%M} UTC"]
    return []


def _against_amount(price: Money, limit: Limit) -> list[str]:
    most = limit.up_to.get(price.currency)
    if most is None:
        return [f"no limit is set in {price.currency}"]
    if price.amount <= 0:
        return [f"{shown(price)} is no price to approve unseen"]
    if price.amount > most:
        return [f"{shown(price)} is over {most:f} {price.currency} for {limit.meant}"]
    return []


def shown(price: Money) -> str:
    """Write an amount as people read it."""
    return f"{price.amount:f} {price.currency}"
