"""Statuses in the customer's words."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.contract import Status


class Words(NamedTuple):
    """What a customer reads of a status: a line, what it means for them, and where the order is."""

    title: str
    meaning: str
    place: str


_WITH_YOU: Final = "with you"
_DESK: Final = "with our sales managers"
_PRICING: Final = "in pricing"
_WORKSHOP: Final = "in the workshop"
_PACKING: Final = "in packing"

WORDS: Final[dict[Status, Words]] = {
    Status.INITIATED: Words("You began this order", "Send it to us when you are happy with it.", _WITH_YOU),
    Status.SUBMITTED: Words(
        "We have your order", "It is waiting for its price. There is nothing to do for you.", _PRICING
    ),
    Status.PRICE_CALCULATING: Words(
        "We are calculating your price", "We measure the model to see how much metal and work it needs.", _PRICING
    ),
    Status.PRICE_FAILED: Words(
        "We could not calculate your price yet",
        "Our people are looking at it. There is nothing to do for you.",
        _PRICING,
    ),
    Status.PRICE_CALCULATED: Words("Your price is ready", "A sales manager is checking your order.", _DESK),
    Status.AWAITING_CUSTOMER: Words("We have a question for you", "Your order waits until you answer.", _WITH_YOU),
    Status.MANUFACTURING_APPROVED: Words("Your order is approved", "Next, a goldsmith takes it on.", _WORKSHOP),
    Status.MANUFACTURING_STARTED: Words("Your piece is being made", "A goldsmith is at work on it.", _WORKSHOP),
    Status.MANUFACTURING_COMPLETED: Words("Your piece is finished", "It is waiting to be packed.", _PACKING),
    Status.PACKAGING: Words("We are packing your piece", "It leaves the house next.", _PACKING),
    Status.SHIPPED: Words("Your piece is on its way", "The carrier has it.", "with the carrier"),
    Status.CLOSED: Words("Your order is complete", "Enjoy your piece.", _WITH_YOU),
    Status.REJECTED: Words("We cannot make this piece", "You pay nothing.", "put aside"),
    Status.CANCELLED: Words("Your order is cancelled", "You pay nothing.", "put aside"),
}
