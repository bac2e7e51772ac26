"""The desk's own knowledge, without I/O: an order's file, where it may lie, and what may be decided about it.

What events, commands and people make of a file: turns.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from instrumentation.errors import TouchstoneError
from services.contract import Money, OrderFacts, Status, StatusChanged
from services.crm.rules import Quote, Rules, Standing

if TYPE_CHECKING:
    from datetime import datetime

RULE: Final = "rule"
CUSTOMER: Final = "the customer"


class Tray(StrEnum):
    """Where a file lies."""

    PRICING = "pricing"  # nothing to decide yet
    WAITING = "waiting"  # on the desk
    ASKED = "asked"  # the customer's turn
    APPROVED = "approved"
    MAKING = "making"  # the workshop has begun: what was decided stands
    SHIPPED = "shipped"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Question(StrEnum):
    """How things stand between the desk and the customer."""

    NONE = "none"
    OPEN = "open"
    ANSWERED = "answered"


class Action(StrEnum):
    """What a decision does."""

    APPROVE = "approve"
    REJECT = "reject"
    ASK = "ask"
    CANCEL = "cancel"
    CLOSE = "close"
    HOLD = "hold"  # the rules leave it to a person
    REPEAT = "repeat"  # said again, because another system had moved the order on meanwhile
    RESUME = "resume"  # the end came too late: it is being made
    DECLINE = "decline"  # what the customer said came too late to change anything


ENDED: Final = frozenset({Tray.REJECTED, Tray.CANCELLED})
UNDECIDED: Final = frozenset({Tray.PRICING, Tray.WAITING, Tray.ASKED})
PRICING: Final = frozenset({Status.PRICE_CALCULATING, Status.PRICE_FAILED, Status.PRICE_CALCULATED})
SAYS: Final = {
    Action.APPROVE: Status.MANUFACTURING_APPROVED,
    Action.REJECT: Status.REJECTED,
    Action.ASK: Status.AWAITING_CUSTOMER,
    Action.CANCEL: Status.CANCELLED,
    Action.CLOSE: Status.CLOSED,
}
LEADS_TO: Final = {
    Action.APPROVE: Tray.APPROVED,
    Action.REJECT: Tray.REJECTED,
    Action.ASK: Tray.ASKED,
    Action.CANCEL: Tray.CANCELLED,
    Action.CLOSE: Tray.CLOSED,
}
MAY: Final = {
    Action.APPROVE: frozenset({Tray.WAITING, Tray.ASKED}),
    Action.REJECT: UNDECIDED,
    Action.ASK: frozenset({Tray.WAITING}),
    Action.CANCEL: UNDECIDED | {Tray.APPROVED},
    Action.CLOSE: frozenset({Tray.SHIPPED}),
}
TRAYS: Final = {
    Tray.PRICING: "its price is not known yet",
    Tray.WAITING: "it waits for a decision",
    Tray.ASKED: "the customer was asked and has not answered",
    Tray.APPROVED: "it is approved",
    Tray.MAKING: "manufacturing has started",
    Tray.SHIPPED: "it is shipped",
    Tray.CLOSED: "it is closed",
    Tray.REJECTED: "it is rejected",
    Tray.CANCELLED: "it is cancelled",
}

NO_QUOTE: Final = Quote(None, None)
VERBS: Final = {
    Action.APPROVE: "approved",
    Action.REJECT: "rejected",
    Action.ASK: "sent back with a question",
    Action.CANCEL: "cancelled",
    Action.CLOSE: "closed",
}


class Unheard(TouchstoneError):
    """Nothing was heard of the order yet."""


class Unfitting(Exception):
    """A decision that does not fit where the file lies; the text says why."""


@dataclass(frozen=True)
class File:
    """What the desk knows of an order."""

    order: str
    facts: OrderFacts | None = None
    status: Status | None = None
    status_at: datetime | None = None
    source: str | None = None
    sequence: int | None = None
    tray: Tray = Tray.PRICING
    question: Question = Question.NONE
    answer: str | None = None
    why: str | None = None
    quote: Quote = NO_QUOTE
    problems: tuple[str, ...] = ()  # what pricing found on the model
    picture: str | None = None  # SHA-256 of a PNG that shows them
    asked_at: datetime | None = None
    paused: timedelta = timedelta()
    shipped_at: datetime | None = None
    close_at: datetime | None = None
    unwanted: str | None = None  # a cancellation that came before anything else was heard of the order

    @property
    def known(self) -> OrderFacts:
        """The order's facts. Raises Unheard where none came yet."""
        if self.facts is None:
            raise Unheard(f"nothing was heard yet of the order `{self.order}`")
        return self.facts

    @property
    def due_at(self) -> datetime | None:
        """The promise moment, put off by the time that was the customer's turn."""
        promised = self.facts.promised_at if self.facts else None
        return promised + self.paused if promised else None

    def may(self, action: Action) -> bool:
        """Whether a person may decide so now."""
        return self.tray in MAY[action] and (action is not Action.APPROVE or self.quote.price is not None)


@dataclass(frozen=True)
class Heard:
    """A status event."""

    source: str
    sequence: int
    time: datetime
    said: StatusChanged


@dataclass(frozen=True)
class Decision:
    """What was decided: by whom, on what ground, for which amount, and the status that the desk then says."""

    action: Action
    by: str
    reason: str
    automatic: bool = False
    price: Money | None = None
    says: Status | None = None


@dataclass(frozen=True)
class Ground:
    """What decisions rest on besides the file."""

    rules: Rules
    now: datetime
    standing: Standing
    close_after: timedelta
