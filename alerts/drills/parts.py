"""The real programs that drills start, as whoever starts a drill hands them in: rooms import one way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from pathlib import Path


class Series(Protocol):
    """One series over a time."""

    @property
    def labels(self) -> dict[str, str]:
        """Its labels, the metric's name among them."""

    @property
    def points(self) -> list[tuple[datetime, float]]:
        """Its values."""


class Prometheus(Protocol):
    """A running Prometheus. ``kill`` ends it as a crash would and starts it again; so does Alertmanager's."""

    @property
    def address(self) -> str:
        """Where it listens: host:port."""

    def query_range(self, expression: str, begin: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """Return what an expression is at every step, both ends included. Raises TouchstoneError if refused."""

    def backfill(self, openmetrics: Path) -> None:
        """Write a history into the stopped server."""

    def reload(self, config: Any = None) -> None:
        """Read rules and configuration again. Raises TouchstoneError if refused."""

    def start(self) -> None:
        """Start it on its ports and data."""

    def stop(self) -> None:
        """Stop it; it can be started again."""


class Alertmanager(Protocol):
    """A running Alertmanager."""

    @property
    def pid(self) -> int | None:
        """Its process id; None while it is stopped."""

    @property
    def address(self) -> str:
        """Where it listens: host:port."""

    def start(self) -> None:
        """Start it on its ports and data."""

    def stop(self) -> None:
        """Stop it; it can be started again."""


class Process(Protocol):
    """A process that ends with whoever started it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def running(self) -> bool:
        """Whether it has not ended."""

    def end(self, how: signal.Signals = ...) -> None:
        """Send it a signal, and wait for its end."""

    def said(self) -> str:
        """Return the end of its output."""


class Broker(Protocol):
    """A running RabbitMQ."""

    @property
    def pid(self) -> int | None:
        """Its process id; None while it is stopped."""

    @property
    def address(self) -> str:
        """Where it takes messages: amqp://..."""

    @property
    def prometheus(self) -> str:
        """Where it shows its metrics."""

    def start(self) -> None:
        """Start it on its ports and data."""


@dataclass(frozen=True)
class Parts:
    """How each part is started, as ``deploy.servers`` does it; each raises TouchstoneError where there is none."""

    prometheus: Callable[..., AbstractContextManager[Prometheus]]
    alertmanager: Callable[..., AbstractContextManager[Alertmanager]]
    rabbitmq: Callable[..., AbstractContextManager[Broker]]
    configuration: Callable[..., dict[str, Any]]
    process: Callable[..., Process]
    free_port: Callable[[], int]
