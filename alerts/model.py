"""What an alert is: what it asks, whom it tells, in which words, and the scenes that prove it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


PROMISE: Final = "promise"
SERVICES: Final = "services"
# How every count is told: an increase is 3.01 where it is 3, and Prometheus writes a million as 1e+06.
COUNT: Final = '{{ $value | printf "%.0f" }}'
# What the collector last showed: while it restarts, or one scrape of it fails, an alert neither ends nor begins anew.
KNOWN: Final = "last_over_time({}[10m])"


class Severity(StrEnum):
    """How an alert is brought: a page wakes somebody, a ticket waits for the morning, `none` tells nobody."""

    PAGE = "page"
    TICKET = "ticket"
    NONE = "none"


class Cause(StrEnum):
    """What mutes its symptoms while it lasts; routing.py says which alert each one is."""

    MAINTENANCE = "maintenance"
    SAME_JOB = "same job"
    MES = "mes"
    VENDOR = "vendor"
    OWNER = "the stage's owner, where it is a service"
    BROKER = "broker"
    COLLECTOR = "collector"
    PRICING = "pricing"


@dataclass(frozen=True)
class Firing:
    """One alert that must fire in a scene: its labels beyond severity, and its description, both written by hand.

    ``owner`` stands among the labels only where the series brings it.
    """

    description: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """Series over time (promtool's notation, a value a step) and what fires at moments such as `15m`."""

    says: str
    series: Mapping[str, str]
    moments: Mapping[str, tuple[Firing, ...]]
    step: str = "1m"


@dataclass(frozen=True)
class Edge:
    """The boundary of an alert, as series in which ``X`` stands for a value that is quiet, then loud, then quiet again.

    Each ``quiet`` value makes a scene of its own: nothing fires, nor does it while the loud value is younger than the
    alert's `for`, and the firings hold from that minute on until it is quiet again. With ``window``, X is a counter
    that stands at 0 for so long and then jumps to the value; it is quiet again once the jump has left the window.
    """

    series: Mapping[str, str]
    quiet: tuple[str, ...]
    loud: str
    firing: tuple[Firing, ...]
    window: str = ""


@dataclass(frozen=True)
class Alert:
    """One alerting rule. ``owner`` None: the series' own label `owner` says who is told.

    In the modules of rules ``owner`` is a role (PROMISE, SERVICES), which the catalogue replaces by who plays it.

    ``orders`` is the query of the collector's `GET /orders` that lists whom to chase, empty where there is none.
    ``traces`` are selectors of histograms with exemplars; one with a label that the alert lacks finds nothing.
    ``drill`` names the fault that must make it fire. ``keep_firing_for``: for how long it still fires once its
    expression no longer holds, so that a signal which comes and goes is one page.
    """

    name: str
    group: str
    expr: str
    for_: str
    severity: Severity
    owner: str | None
    summary: str
    description: str
    dashboard: str
    panel: str
    scenes: tuple[Scene | Edge, ...]
    orders: str = ""
    traces: tuple[str, ...] = ()
    drill: str | None = None
    keep_firing_for: str = "0s"
    muted_by: tuple[Cause, ...] = (Cause.MAINTENANCE,)

    @property
    def slug(self) -> str:
        """The name as files have it: `stage-slow`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", self.name).lower()

    @property
    def runbook(self) -> str:
        """The page that says what to do."""
        return f"docs/runbooks/{self.slug}.md"


@dataclass(frozen=True)
class Recording:
    """One recording rule: a target from the promise file or the settings, or a sum that several alerts share."""

    name: str
    group: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
