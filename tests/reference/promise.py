"""What the reference needs to know of a promise file: ranks, stages, terms and budgets, in microseconds.

Nothing is validated here beyond what reading needs; refusing a wrong file is the job of the real one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from .worktime import Calendar

DONE = ":done"
ELSEWHERE = "elsewhere"
SECOND = 1_000_000
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Stage:
    """A named set of statuses; its budget is in microseconds, of working time where `working`."""

    name: str
    statuses: tuple[str, ...]
    kind: str
    budget: int | None
    working: bool
    pauses: bool


@dataclass(frozen=True)
class Terms:
    """One way to reckon the promise moment: `within` (microseconds) of the start, or `by` an attribute."""

    when: Mapping[str, str | None]
    within: int | None
    by: str | None
    by_day: bool


@dataclass(frozen=True)
class Promise:
    """A promise file, read: what the definitions refer to, and nothing derived from any log."""

    name: str
    main: tuple[str, ...]
    known: frozenset[str]
    cancelled: frozenset[str]
    stages: tuple[Stage, ...]
    start: str
    end: str
    terms: tuple[Terms, ...]
    segments: tuple[str, ...]
    calendar: Calendar | None
    reported_by: Mapping[str, str]
    log: Mapping[str, Any]

    @property
    def timezone(self) -> ZoneInfo:
        """The zone of the log's naive times."""
        return ZoneInfo(self.log.get("timezone", "UTC"))

    @property
    def completions(self) -> bool:
        """Whether an event of the log says that its activity is finished."""
        return bool(self.log.get("marks", "status") == "completion")

    def is_known(self, status: str) -> bool:
        """Whether the status, or the activity that it comes after, is listed."""
        return status in self.known or activity_of(status) in self.known

    def is_cancelling(self, status: str) -> bool:
        """Whether the status, or the activity that it comes after, cancels an order."""
        return status in self.cancelled or activity_of(status) in self.cancelled

    def rank(self, status: str) -> float:
        """Place on the main line; `A:done` comes just after `A`; all else after the whole line."""
        if status in self.main:
            return self.main.index(status)
        if activity_of(status) in self.main:
            return self.main.index(activity_of(status)) + 0.5
        return inf

    def names(self, end: str, status: str) -> bool:
        """Whether `from` or `to`, given as `end`, names this status."""
        return status == end or (self.completions and status == end + DONE)

    def stage_of(self, status: str) -> int:
        """Index of the stage that holds the status; one past the last where none does."""
        for index, stage in enumerate(self.stages):
            if status in stage.statuses:
                return index
        return len(self.stages)

    def column_of(self, attribute: str) -> str:
        """Where the log keeps an attribute: the column mapped to it, or else the one of its own name."""
        return str((self.log.get("attributes") or {}).get(attribute, attribute))


def activity_of(status: str) -> str:
    """Name the activity that a status is, or comes after."""
    return status.removesuffix(DONE)


def text(value: Any) -> str:
    """Write a scalar of YAML or JSON as the text that a CSV would hold."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def duration(value: str | float, day_s: int = UNITS_S["d"], week_s: int = UNITS_S["w"]) -> int:
    """Microseconds of `1d12h`; a bare number is seconds. Raises ValueError on anything else."""
    if isinstance(value, int | float):
        return round(value * SECOND)
    if not re.fullmatch(r"(\d+[smhdw])+", value):
        raise ValueError(f"{value!r} is no duration; write it like 30s, 15m, 2h, 21d, 3w or 1d12h")
    units = {**UNITS_S, "d": day_s, "w": week_s}
    return SECOND * sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([smhdw])", value))


class _Loader(yaml.SafeLoader):
    """YAML whose only booleans are true and false: to YAML 1.1 the key `off` of `statuses` is one, too."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$", re.IGNORECASE), list("tTfF"))


def load(path: Path) -> Promise:
    """Read a promise file."""
    raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader, see above
    statuses = {group: tuple(raw["statuses"].get(group) or ()) for group in ("main", "off", "cancelled")}
    calendar = Calendar.of(raw["calendar"]) if raw.get("calendar") else None
    promised = raw["promise"]
    return Promise(
        name=raw["name"],
        main=statuses["main"],
        known=frozenset(status for group in statuses.values() for status in group),
        cancelled=frozenset(statuses["cancelled"]),
        stages=tuple(_stage(stage, calendar) for stage in raw["stages"]),
        start=promised["from"],
        end=promised["to"],
        # The promise itself comes last, as the terms of those that no override matches.
        terms=tuple(_terms(terms) for terms in [*(promised.get("overrides") or []), promised]),
        segments=tuple(raw.get("segments") or ()),
        calendar=calendar,
        reported_by=raw.get("reported_by") or {},
        log=raw["log"],
    )


def _flag(value: Any) -> bool:
    # The spellings that the loader leaves as text.
    return text(value).lower() in {"true", "yes", "on"}


def _stage(raw: Mapping[str, Any], calendar: Calendar | None) -> Stage:
    working = _flag(raw.get("working"))
    budget = raw.get("budget")
    if budget is not None and working:
        if calendar is None:
            raise ValueError(f"stage {raw['name']} counts working time, but the promise has no calendar")
        budget = duration(budget, calendar.day_s, calendar.week_s)
    elif budget is not None:
        budget = duration(budget)
    return Stage(
        name=raw["name"],
        statuses=tuple(raw["in"]),
        kind=raw.get("kind", "wait"),
        budget=budget,
        working=working,
        pauses=_flag(raw.get("pauses")),
    )


def _terms(raw: Mapping[str, Any]) -> Terms:
    within = raw.get("within")
    return Terms(
        when={name: text(value) or None for name, value in (raw.get("when") or {}).items()},
        within=None if within is None else duration(within),
        by=raw.get("by"),
        by_day=_flag(raw.get("by_day")),
    )
