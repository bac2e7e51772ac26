"""The pricing service's reactions on one screen: what each queue's messages do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pricing.messages import PRICE_CALCULATE, PriceClass
from pricing.workers.model import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pricing.workers.desk import Desk
    from services.bus import Handler

# How the queues share a batch. How the classes share the workers' time is for the scheduler.
QUEUE_WEIGHTS: Final[Mapping[str, int]] = {one.queue: WEIGHTS[one] for one in PriceClass}


def commands(desk: Desk) -> dict[str, dict[str, Handler]]:
    """Return for each queue its handlers by message type."""
    return {
        PriceClass.SHOP.queue: {PRICE_CALCULATE: desk.take},
        PriceClass.PARTNER.queue: {PRICE_CALCULATE: desk.take},
        PriceClass.HEAVY.queue: {PRICE_CALCULATE: desk.take},
    }
