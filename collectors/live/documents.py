"""What the collector's HTTP answers look like: the schemas of its OpenAPI document."""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - pydantic reads the annotations
from typing import Literal

from pydantic import BaseModel, Field

Verdict = Literal["unstarted", "cancelled", "kept", "broken", "open"]
Risk = Literal["on track", "at risk", "late"]


class Receipt(BaseModel):
    """What became of the events of a request; all of it is stored when this is answered."""

    accepted: int = Field(description="New events with a known status.", examples=[498])
    duplicates: int = Field(description="Events that were there already (same source and id).", examples=[1])
    quarantined: int = Field(description="Events that cannot be used; each is kept with its reason.", examples=[1])
    late: int = Field(description="Accepted events that were older than an hour on arrival.", examples=[0])


class Health(BaseModel):
    """Whether the collector can do its work."""

    status: Literal["ok"] = "ok"


class Culprit(BaseModel):
    """The stage that rescues most broken orders."""

    stage: str
    rescued: int
    rescued_share: float | None
    since: date | None


class StageRow(BaseModel):
    """One stage over kept and broken orders."""

    stage: str
    kind: Literal["wait", "work"]
    budget_s: float | None
    orders: int
    visits: int
    mean_s: float | None
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    share_of_lead_time: float | None
    over_budget_s: float
    rescued: int


class Summary(BaseModel):
    """Verdicts and stages of a set of orders."""

    orders: int
    kept: int
    broken: int
    open: int
    cancelled: int
    unstarted: int
    on_time_share: float | None
    shared: int
    culprit: Culprit | None
    stages: list[StageRow]


class Segment(Summary):
    """The orders with one value of a segment."""

    by: str
    value: str | None


class Stages(Summary):
    """The document of ``touchstone replay --json``."""

    promise: str
    log: str
    as_of: datetime
    events: int
    duplicates: int
    quarantined: int
    segments: list[Segment]


class Event(BaseModel):
    """An event of an order, and whether it moved the order's timeline."""

    id: str
    source: str
    sequence: int | None
    time: datetime
    uncertainty_s: float | None = Field(description="By how much the time may be wrong either way; null: it is known.")
    status: str
    moved: bool
    note: str | None = Field(description="Why it did not move the timeline.")


class TimeInStage(BaseModel):
    """An order's time in a stage so far."""

    stage: str
    time_s: float
    visits: int
    budget_s: float | None
    pauses: bool = Field(description="Whether time here moves the promise moment back.")


class Eta(BaseModel):
    """When an order will be ready: one of two orders by P50, nine of ten by P90."""

    p50: datetime
    p90: datetime


class Said(BaseModel):
    """What a watched system says of an order."""

    system: str
    status: str
    since: datetime
    as_of: datetime


class Order(BaseModel):
    """An order's journey so far. What cannot be said of it is null."""

    order: str = Field(examples=["4711"])
    as_of: datetime
    note: str | None
    attributes: dict[str, str]
    verdict: Verdict | None
    started_at: datetime | None
    ended_at: datetime | None
    promise_at: datetime | None
    stage: str | None
    stage_since: datetime | None
    age_s: float | None
    eta: Eta | None
    slack_s: float | None = Field(description="Promise moment minus ETA P50.")
    risk: Risk | None
    stages: list[TimeInStage]
    events: list[Event]
    systems: list[Said] = Field(default=[], description="What watched systems said of it when last asked.")


class Limit(BaseModel):
    """How long an order may be in a stage before it is stuck."""

    stage: str
    limit_s: float
    basis: Literal["P99", "budget"]
    orders: int = Field(description="How many ended orders tell.")


class Limits(BaseModel):
    """The stages that have a limit."""

    limits: list[Limit]


class InvariantCheck(BaseModel):
    """An invariant, and what came of its last check."""

    invariant: str
    sentence: str
    severity: Literal["critical", "warning"]
    violations: int | None = Field(description="Null where it could not be checked; `reason` says why.")
    examples: list[str]
    reason: str | None


class Invariants(BaseModel):
    """All invariants as of the last check."""

    as_of: datetime | None
    invariants: list[InvariantCheck]


class OpenOrder(BaseModel):
    """An order in flight."""

    order: str = Field(examples=["4711"])
    stage: str
    stage_since: datetime
    age_s: float
    promise_at: datetime
    eta: Eta
    slack_s: float
    risk: Risk


class OrdersAsked(BaseModel):
    """Which orders in flight are asked for. What is left out leaves them all in; all that is said must hold."""

    stage: str | None = Field(None, description="Only orders that are in this stage.")
    segment: str | None = Field(
        None, description="Only orders of this segment, `ATTRIBUTE=VALUE` as metrics and alerts name it, or `all`."
    )
    risk: Risk | None = Field(None, description="Only orders with this risk.")
    over_budget: bool | None = Field(
        None,
        description="Only orders that have been in their present stage for longer than its budget, as "
        "`touchstone_stage_over_budget_orders` counts them; false: only the others.",
    )
    stuck: bool | None = Field(
        None,
        description="Only orders that the last reconciliation found longer in their stage than its limit, as "
        "`touchstone_reconcile_stuck` counts them; where there was none, those that are by what was heard of them. "
        "false: only the others.",
    )
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(None, description="`next` of the page before.")


class OpenOrders(BaseModel):
    """Orders in flight, nearest promise first. ``next`` is the cursor of the page after this one."""

    as_of: datetime
    count: int = Field(description="How many there are, on all pages together.", examples=[75])
    orders: list[OpenOrder]
    next: str | None
