"""What an invariant is, and what came of checking one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from collectors.live.handlers import Collector
    from collectors.live.reports import Reports
    from collectors.pollers.systems import Systems

EXAMPLES = 20


class Asks(Protocol):
    """Whoever can ask a watched system something."""

    async def get(self, name: str, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that a system gives at a path. Raises TouchstoneError with the reason."""


class NotChecked(Exception):
    """The invariant cannot be checked here; the text says why."""


@dataclass
class House:
    """What checks look at. ``checked_to``: the last order number that a check over all orders has come to."""

    collector: Collector
    reports: Reports
    systems: Systems | None = None
    asks: Asks | None = None
    checked_to: int = 0


@dataclass(frozen=True)
class Invariant:
    """A fact of production. ``check`` returns one sentence for each violation; it may raise NotChecked."""

    name: str
    sentence: str
    severity: Literal["critical", "warning"]
    check: Callable[[House], Awaitable[list[str]]]


@dataclass(frozen=True)
class Result:
    """What came of a check: how many violations (None: it could not be checked, ``reason`` says why)."""

    invariant: Invariant
    violations: int | None
    examples: list[str] = field(default_factory=list)
    reason: str | None = None
