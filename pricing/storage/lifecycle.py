"""What becomes of models with time: rules only. Whoever knows the orders applies them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from pricing.storage.store import Area

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class Need(StrEnum):
    """What an order needs its model for."""

    OPEN = "open"
    """It is under way."""
    MADE = "made"
    """It is closed: the piece may be asked for again."""
    DROPPED = "dropped"
    """It was cancelled or rejected."""


class Use(NamedTuple):
    """An order that names a model, and since when it stands as it does."""

    need: Need
    since: datetime


class Step(StrEnum):
    """What is due."""

    COOL = "cool"
    DELETE = "delete"


@dataclass(frozen=True)
class Terms:
    """How long models are kept."""

    cold_after: timedelta = timedelta(days=90)
    """From the last closed order to the cold area."""
    quarantined_for: timedelta = timedelta(days=30)
    """What was never measured, or refused."""
    dropped_for: timedelta = timedelta(days=90)
    """What was measured, and no order needs any more."""
    working_for: timedelta = timedelta(days=1)
    """Working objects, and uploads that did not come to their end."""


def due(area: Area, brought_at: datetime | None, uses: Sequence[Use], now: datetime, terms: Terms) -> Step | None:
    """Return what is due for a model, None where it stays as it is.

    ``brought_at``: when it was last uploaded; one of which nobody knows that is never deleted. A model that any open
    order names is never touched, and one from which a piece was made is never deleted.
    """
    needs = {use.need for use in uses}
    if Need.OPEN in needs or area is Area.WORK:
        return None
    last = max((use.since for use in uses), default=None)
    if Need.MADE in needs and last is not None:
        return Step.COOL if area is not Area.COLD and now - last >= terms.cold_after else None
    if brought_at is None:
        return None
    unneeded_since = max(brought_at, last or brought_at)
    kept_for = terms.quarantined_for if area is Area.QUARANTINE else terms.dropped_for
    return Step.DELETE if now - unneeded_since >= kept_for else None
