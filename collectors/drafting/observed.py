"""What was found out about a log: the lines of its ``log`` section and the history of its orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collectors.drafting.history import History


@dataclass(frozen=True)
class Line:
    """A key of the promise file, its value, and what the guess rests on."""

    key: str
    value: Any
    why: str = ""


@dataclass(frozen=True)
class Segment:
    """An attribute by which orders are told apart."""

    name: str
    why: str


@dataclass(frozen=True)
class Observed:
    """A log as far as it is understood. ``marks``: what a record says. ``notes``: what people should know of it.

    ``wide``: each order is a row of milestones. ``by``: the lines of the promise that name the order's own moment.
    ``owners``: who acts in each atom of the history.
    """

    name: str
    log: list[Line]
    history: History
    marks: str
    wide: bool = False
    segments: list[Segment] = field(default_factory=list)
    by: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
