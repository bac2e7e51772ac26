"""What a promise file says, as types. Cross-checks between sections live in ``checking``."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from collectors.promise.durations import DURATION_PATTERN, UNIT_SECONDS, parse_duration
from collectors.promise.values import Day, Duration, Hours, Share, Zone, hours_length

DONE: Final = ":done"
FIRST: Final = "first"
LAST: Final = "last"
ELSEWHERE: Final = "elsewhere"
AUTO: Final = "auto"
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Name = Annotated[str, Field(min_length=1, max_length=200)]
Cost = Annotated[Decimal, Field(ge=0)]


class Section(BaseModel):
    """A part of the promise file: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Statuses(Section):
    """Every status that a system may name."""

    main: list[Name] = Field(min_length=1, description="The main line, in its order.")
    off: list[Name] = Field(default=[], description="Statuses off the main line, such as a failed pricing.")
    cancelled: list[Name] = Field(default=[], description="Statuses that cancel an order.")

    def all(self) -> list[str]:
        """Return every status once, the main line first."""
        return list(dict.fromkeys([*self.main, *self.off, *self.cancelled]))


class Stage(Section):
    """A named set of statuses with an owner, a kind and a budget."""

    name: Name = Field(description="What people call the stage.")
    statuses: list[Name] = Field(
        alias="in",
        min_length=1,
        description="The statuses that make up the stage; `STATUS:done` is the wait after an activity.",
    )
    kind: Literal["wait", "work"] = Field(
        description="wait: the order lies in a queue; work: someone or something is at it."
    )
    owner: Name | None = Field(default=None, description="Who answers for the stage and is told about it.")
    budget: str | None = Field(
        default=None,
        description="Its share of the promise: a duration, or `auto` for an equal part of what is left.",
        json_schema_extra={
            "anyOf": [{"const": AUTO}, {"type": "string", "pattern": DURATION_PATTERN}, {"type": "null"}],
            "examples": ["4h", "3d", AUTO],
        },
    )
    working: StrictBool = Field(
        default=False, description="The budget is working time of `calendar`, where 1d is one working day."
    )
    pauses: StrictBool = Field(
        default=False, description="Time here moves the promise moment back: the customer's turn."
    )

    @model_validator(mode="after")
    def _budget_reads(self) -> Stage:
        if self.budget not in (None, AUTO):
            parse_duration(self.budget)
        return self


class Override(Section):
    """A promise of another length for some orders: `{when: {channel: b2b}, within: 14d}`."""

    when: dict[Name, str] = Field(min_length=1, description="Attributes and the value each must have.")
    within: Duration = Field(description="The promise of these orders.")


class Terms(Section):
    """The promise: from one status to another, within a duration or by a moment that the order carries."""

    start: Name = Field(alias="from", description="The status that starts the clock, or `first`.")
    end: Name = Field(alias="to", description="The status that ends the clock, or `last`.")
    within: Duration | None = Field(default=None, description="The promised lead time.")
    by: Name | None = Field(default=None, description="The order's attribute that holds its promise moment.")
    by_day: StrictBool = Field(default=False, description="`by` names a day, and the whole day counts.")
    objective: Share = Field(default=0.95, description="The share of orders that must keep the promise.")
    overrides: list[Override] = Field(default=[], description="Other lengths for some orders.")

    @model_validator(mode="after")
    def _one_length(self) -> Terms:
        if (self.within is None) == (self.by is None):
            raise ValueError("needs either `within` (a duration) or `by` (an attribute of the order)")
        if self.by_day and self.by is None:
            raise ValueError("`by_day` says that `by` names a day; there is no `by`, so remove it")
        if self.overrides and self.by is not None:
            raise ValueError("`overrides` change `within`; there is none beside `by`, so remove them")
        return self


class LogReading(Section):
    """How a log is read: its format, its columns and what its times mean."""

    format: Literal["csv", "wide", "xes", "cloudevents"] = Field(
        default="csv",
        description="csv: a row per event or activity; wide: a row per order; xes: process mining's XML;"
        " cloudevents: JSON lines.",
    )
    order: Name | None = Field(default=None, description="The column of the order's id.")
    status: Name | None = Field(default=None, description="The column of the status or activity.")
    time: Name | None = Field(default=None, description="The column of the event's time.")
    start: Name | None = Field(default=None, description="The column of an activity's start; goes with `end`.")
    end: Name | None = Field(default=None, description="The column of an activity's end; goes with `start`.")
    statuses: dict[Name, Name] = Field(default={}, description="Wide logs: the column of each status's time.")
    attributes: dict[Name, Name] = Field(
        default={}, description="The column of each order attribute whose column has another name."
    )
    timezone: Zone = Field(default="UTC", description="The zone of times that name none.")
    time_format: str | None = Field(
        default=None,
        description="How times are written, in strptime's directives; ISO 8601 if absent.",
        examples=["%d.%m.%Y %H:%M"],
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        default=None, description="What parts the columns; found out if absent."
    )
    lifecycle: Name | None = Field(default=None, description="XES: the only transition that counts.")
    marks: Literal["status", "completion"] = Field(
        default="status", description="What an event says: its status begins, or its activity is complete."
    )
    cancelled_when: dict[Name, list[str]] = Field(
        default={}, description="Columns and the values that cancel an order.", examples=[{"state": ["void"]}]
    )

    @model_validator(mode="after")
    def _columns_given(self) -> LogReading:
        if (self.start is None) != (self.end is None):
            raise ValueError("a log of activities needs both `start` and `end`; a log of events needs `time`")
        if self.start is not None and self.time is not None:
            raise ValueError("give `time` (a log of events) or `start` and `end` (a log of activities)")
        if self.format == "wide" and not self.statuses:
            raise ValueError("a wide log needs `statuses: {STATUS: column, ...}`")
        if self.marks == "completion" and (self.start is not None or self.format == "wide"):
            raise ValueError("`marks: completion` is for logs of events; remove it")
        return self

    @property
    def has_intervals(self) -> bool:
        """Whether each record is an activity with a start and an end."""
        return self.start is not None

    def column(self, attribute: str) -> str:
        """Return the log's column that holds an attribute; an unnamed one has the attribute's own name."""
        return self.attributes.get(attribute, attribute)


class Calendar(Section):
    """When people work: for budgets in working time."""

    weekdays: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=["mon", "tue", "wed", "thu", "fri"], min_length=1, description="The days of work."
    )
    hours: Hours = Field(
        default=(timedelta(hours=9), timedelta(hours=17)),
        description="The hours of work on each of them.",
        json_schema_extra={"default": "09:00-17:00"},
    )
    timezone: Zone = Field(default="UTC", description="The zone of these hours.")
    closed: list[Day] = Field(default=[], description="Days without work, such as holidays.")

    def units(self) -> dict[str, int]:
        """Return the seconds of each duration unit where a day is a working day and a week a working week."""
        day = hours_length(self.hours) // timedelta(seconds=1)
        return {**UNIT_SECONDS, "d": day, "w": day * len(set(self.weekdays))}


class PromiseFile(Section):
    """A whole promise file."""

    touchstone: Literal[1] = Field(description="The version of this format.")
    name: Name = Field(description="What the promise is called.", examples=["three-weeks"])
    statuses: Statuses
    stages: list[Stage] = Field(
        min_length=1, description="Every status between the promise's ends belongs to exactly one of them."
    )
    promise: Terms
    segments: list[Name] = Field(
        default=[],
        description="Attributes by which orders are told apart.",
        examples=[["channel", "product"]],
    )
    log: LogReading = LogReading(format="cloudevents")
    calendar: Calendar | None = None
    reported_by: dict[Name, Name] = Field(
        default={}, description="The system that owns each status.", examples=[{"SUBMITTED": "/shop"}]
    )
    cost_per_day_late: Cost | None = Field(default=None, description="What one order late by one day costs.")

    def budget(self, stage: Stage) -> timedelta | None:
        """Return a stage's budget, elapsed or (``working``) in working time; None where it has none.

        ``auto`` budgets share equally what the elapsed budgets leave of ``within``.
        """
        if stage.budget is None:
            return None
        if stage.budget != AUTO:
            units = self.calendar.units() if stage.working and self.calendar else UNIT_SECONDS
            return parse_duration(stage.budget, units=units)
        return self._auto_budget()

    def _auto_budget(self) -> timedelta:
        shared = [stage for stage in self.stages if not stage.working and not stage.pauses]
        taken = (parse_duration(stage.budget) for stage in shared if stage.budget not in (None, AUTO))
        left = (self.promise.within or timedelta()) - sum(taken, timedelta())
        return max(timedelta(), left) / sum(stage.budget == AUTO for stage in self.stages)

    def attributes(self) -> list[str]:
        """Return the order attributes that judging needs: segments, overrides and the promised moment."""
        wanted = [*self.segments, *(key for override in self.promise.overrides for key in override.when)]
        return list(dict.fromkeys([*wanted, *([self.promise.by] if self.promise.by else [])]))
