"""How the desk's pages say things."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from services.crm.model import Action

if TYPE_CHECKING:
    from services.contract import Money

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
DEEDS: Final = {
    Action.APPROVE: "Approved",
    Action.REJECT: "Rejected",
    Action.ASK: "Asked the customer",
    Action.CANCEL: "Cancelled",
    Action.CLOSE: "Closed",
    Action.HOLD: "Left to a person",
    Action.REPEAT: "Said again",
    Action.RESUME: "Taken up again",
    Action.DECLINE: "Came too late",
}


def moment(value: datetime | None) -> str:
    """Write a moment: 2 Mar 2026, 08:00 UTC."""
    if value is None:
        return "not set"
    return f"{value.day} {value.astimezone(UTC):%b %Y, %H:%M} UTC"


def day(value: datetime | None) -> str:
    """Write a day: Mon 2 Mar 2026."""
    return "no date" if value is None else f"{value:%a} {value.day} {value:%b %Y}"


def money(value: Money | None) -> str:
    """Write an amount: 1,412.50 EUR."""
    return "no price" if value is None else f"{value.amount:,f} {value.currency}"


def status(value: str) -> str:
    """Write a status: Price calculated."""
    return value.replace("_", " ").capitalize()


def capitalize_first(sentence: str) -> str:
    """Begin a sentence with a capital, and leave the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def deed(value: Action) -> str:
    """Write what was done."""
    return DEEDS[value]


def age(since: datetime | None, now: datetime) -> str:
    """Write how long ago something was, in its largest unit."""
    return "" if since is None else _length(max(now - since, timedelta()))


def left(due: datetime | None, now: datetime) -> str:
    """Write how much of the promise is left."""
    if due is None:
        return "nothing promised"
    return f"{_length(due - now)} left" if due > now else f"{_length(now - due)} over"


def mood(due: datetime | None, now: datetime) -> str:
    """Say how a promise looks: ``over``, ``near`` (less than a week), or ``fine``."""
    if due is None or due - now >= 7 * DAY:
        return "fine"
    return "near" if due > now else "over"


def _length(span: timedelta) -> str:
    for unit, word in ((DAY, "day"), (HOUR, "hour"), (timedelta(minutes=1), "minute")):
        count = span // unit
        if count:
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return "less than a minute"
