"""The report as figures: what both the terminal and the page show, independent of how."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.promise.model import AUTO
from collectors.report.periods import Periods, axis_of
from collectors.report.wording import brief, plain
from collectors.stages.flow import DAY_US
from collectors.timelines.judging import BROKEN, KEPT, Judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.promise.model import PromiseFile
    from collectors.replay import Replay
    from collectors.report.gather import Gathering
    from collectors.report.inflight import Chased, Outlook
    from collectors.report.journeys import Journey

SECOND_US: Final = 1_000_000
UNFINISHED: Final = 0.1  # share of a period's entrants still inside from which on its mean says too little


@dataclass(frozen=True)
class Quality:
    """What the log had wrong with it, counted."""

    duplicates: int = 0
    quarantined: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    skewed: int = 0


@dataclass
class Loss:
    """Where orders spent their time: ``time_s`` [2, S] of kept and of broken orders, ``orders`` [2] their number.

    ``worst`` [S]: broken orders whose largest time over budget lies in the stage.
    """

    time_s: NDArray[np.float64]
    orders: NDArray[np.int64]
    worst: NDArray[np.int64]

    @staticmethod
    def nothing(stages: int) -> Loss:
        """Return a loss of no orders."""
        return Loss(np.zeros((2, stages)), np.zeros(2, dtype=np.int64), np.zeros(stages, dtype=np.int64))

    def add(self, judged: Judged) -> None:
        """Count a batch."""
        for place, verdict in enumerate((KEPT, BROKEN)):
            chosen = judged.verdict == verdict
            self.time_s[place] += judged.stage_us[chosen].sum(axis=0, dtype=np.float64) / SECOND_US
            self.orders[place] += np.count_nonzero(chosen)
        over = judged.over_us[(judged.over_us > 0).any(axis=1)]
        if len(over):
            self.worst += np.bincount(np.argmax(over, axis=1), minlength=len(self.worst))

    def means(self, stage: int) -> tuple[float | None, float | None]:
        """Return the mean time of all kept and of all broken orders in a stage, None where there are none."""
        sums, orders = self.time_s[:, stage].tolist(), self.orders.tolist()
        return (sums[0] / orders[0] if orders[0] else None, sums[1] / orders[1] if orders[1] else None)


@dataclass(frozen=True)
class StageFigures:
    """A stage: its row of ``replay --json`` (``row``) and how it fared over the report's periods.

    ``mean_s``: mean time of the orders that entered it in each period, None where none did; ``unfinished``: whether
    too many of them are still inside. ``entries``, ``exits``: visits; ``wip``: orders inside at each period's end.
    """

    row: dict[str, Any]
    owner: str | None
    pauses: bool
    budget: str
    worst: int
    kept_mean_s: float | None
    broken_mean_s: float | None
    mean_s: list[float | None]
    unfinished: list[bool]
    entries: list[int]
    exits: list[int]
    wip: list[int]

    @property
    def name(self) -> str:
        """The stage's name, fit to be shown."""
        return plain(self.row["stage"])


@dataclass(frozen=True)
class TrendPoint:
    """A period by promise moment: how many of the promises that came due in it were kept and broken."""

    label: str
    kept: int
    broken: int

    @property
    def share(self) -> float | None:
        """The share kept, None where no promise came due."""
        return self.kept / (self.kept + self.broken) if self.kept + self.broken else None


@dataclass(frozen=True)
class LeadTimes:
    """Kept and broken orders by lead time. ``bins``: lower and upper end, kept, late, late and not ended.

    Where all orders have one promise (``promise_s``) the ends are lead times less the customer's own turn; else they
    count from the promise moment. ``half_s``, ``most_s``: median and P90 of the lead times of ended orders.
    """

    promise_s: float | None
    bins: list[tuple[float, float, int, int, int]]
    half_s: float | None
    most_s: float | None


@dataclass(frozen=True)
class Report:
    """Everything that is shown. ``document`` is the document of ``replay --json``; its figures are not counted anew."""

    replay: Replay
    document: dict[str, Any]
    quality: Quality
    promise_s: tuple[float, float] | None
    due: tuple[int, int]
    periods: Periods
    trend: list[TrendPoint]
    stages: list[StageFigures]
    lead_times: LeadTimes
    outlook: Outlook
    chased: list[Chased]
    journeys: list[Journey]

    @property
    def promise(self) -> PromiseFile:
        """The promise that was judged."""
        return self.replay.promise

    @property
    def as_of(self) -> int:
        """The moment of judging, in microseconds since 1970 UTC."""
        return self.replay.as_of

    @property
    def whole_periods(self) -> int:
        """How many periods are over; a single one counts, whether it is or not."""
        ended = self.periods.stop * DAY_US <= self.as_of + SECOND_US
        return len(self.periods) if ended else max(len(self.periods) - 1, 1)

    @property
    def culprit(self) -> StageFigures | None:
        """The stage that breaks most promises."""
        entry = self.document["culprit"]
        return next((s for s in self.stages if entry and s.row["stage"] == entry["stage"]), None)

    @property
    def waiting_share(self) -> float | None:
        """The share of the orders' time in stages of kind ``wait``."""
        shares = [(s.row["kind"], s.row["share_of_lead_time"]) for s in self.stages]
        if not any(share for _, share in shares):
            return None
        return sum(share or 0.0 for kind, share in shares if kind == "wait")


def compose(gathered: Gathering, replay: Replay) -> Report:
    """Put what was gathered together with what the replay found."""
    document = replay.document()
    last_day = replay.as_of // DAY_US
    periods = axis_of((gathered.started, gathered.due), last_day)
    due = periods.sums(gathered.due).astype(int).tolist() if len(gathered.due.values) else []
    labels = periods.labels()
    tally_due = replay.tally.due
    return Report(
        replay=replay,
        document=document,
        quality=gathered.quality,
        promise_s=_promise_lengths(gathered),
        due=(int(tally_due[0]), int(tally_due[1])),
        periods=periods,
        trend=[TrendPoint(label, *counts) for label, counts in zip(labels, due, strict=False)],
        stages=_stages(gathered, document, periods, last_day),
        lead_times=_lead_times(gathered),
        outlook=gathered.outlook,
        chased=[_completed(row, gathered.names, document) for row in gathered.outlook.chased],
        journeys=list(gathered.journeys.values()),
    )


def _completed(row: Chased, names: dict[int, str], document: dict[str, Any]) -> Chased:
    """Name an order, and say where it is stuck: longer in its stage than the stage's own P99."""
    longest = next((stage["p99_s"] for stage in document["stages"] if stage["stage"] == row.stage), None)
    stuck = longest is not None and row.in_stage_us / SECOND_US > longest
    return dataclasses.replace(row, name=names.get(row.order, ""), action="stuck, ask why" if stuck else row.action)


def _promise_lengths(gathered: Gathering) -> tuple[float, float] | None:
    if gathered.promise_us is None:
        return None
    low, high = gathered.promise_us
    return low / SECOND_US, high / SECOND_US


def _stages(gathered: Gathering, document: dict[str, Any], periods: Periods, last_day: int) -> list[StageFigures]:
    series = _Series(gathered, periods, last_day)
    names, stages = gathered.codebook.stages, gathered.promise.stages
    result = []
    for row in document["stages"]:
        number = names.index(row["stage"])
        stage = stages[number] if number < len(stages) else None
        kept, broken = gathered.loss.means(number)
        result.append(
            StageFigures(
                row=row,
                owner=plain(stage.owner) if stage and stage.owner else None,
                pauses=bool(stage and stage.pauses),
                budget=_budget(gathered.promise, number, row["budget_s"]),
                worst=int(gathered.loss.worst[number]),
                kept_mean_s=kept,
                broken_mean_s=broken,
                **series.of(number),
            )
        )
    return result


class _Series:
    """Every stage's figures by period."""

    def __init__(self, gathered: Gathering, periods: Periods, last_day: int) -> None:
        stays = gathered.stays
        self.total_s, self.left, self.inside = (periods.sums(grid) for grid in (stays.left_s, stays.left, stays.inside))
        flow = gathered.flow.daily(max(last_day, periods.stop - 1))
        place = periods.place(np.arange(flow.first_day, flow.first_day + len(flow.wip)))
        self.entries, self.exits = (_by_period(days, place, len(periods)) for days in (flow.entries, flow.exits))
        ends = np.clip(periods.last_days() - flow.first_day, -1, len(flow.wip) - 1)
        # Before the first entry, place -1, nothing is inside.
        nothing = np.zeros((1, flow.wip.shape[1]), dtype=np.int64)
        self.wip = np.vstack([flow.wip, nothing])[ends]

    def of(self, stage: int) -> dict[str, Any]:
        """Return the series of a stage, by the names that StageFigures gives them."""
        left, inside = self.left[:, stage], self.inside[:, stage]
        sums = zip(self.total_s[:, stage].tolist(), left.tolist(), strict=True)
        return {
            "mean_s": [seconds / orders if orders else None for seconds, orders in sums],
            "unfinished": (inside > UNFINISHED * np.maximum(left + inside, 1)).tolist(),
            "entries": self.entries[:, stage].tolist(),
            "exits": self.exits[:, stage].tolist(),
            "wip": self.wip[:, stage].tolist(),
        }


def _by_period(days: NDArray[np.int64], place: NDArray[np.int64], periods: int) -> NDArray[np.int64]:
    sums = np.zeros((periods, days.shape[1]), dtype=np.int64)
    np.add.at(sums, place[place >= 0], days[place >= 0])
    return sums


def _budget(promise: PromiseFile, number: int, budget_s: float | None) -> str:
    """Write a stage's budget; one in working time as the promise file has it, for its days are working days."""
    if budget_s is None:
        return ""
    stage = promise.stages[number]
    return f"{stage.budget} working" if stage.working and stage.budget != AUTO else brief(budget_s)


def _lead_times(gathered: Gathering) -> LeadTimes:
    leads = gathered.leads.value / SECOND_US
    half, most = np.percentile(leads, [50, 90]).tolist() if len(leads) else (None, None)
    counts = gathered.lateness.values
    used = np.flatnonzero(counts.sum(axis=0))
    if not len(used) or gathered.promise_us is None:
        return LeadTimes(None, [], half, most)
    low, high = gathered.promise_us
    base, width = (low if low == high else 0), gathered.bin_us
    span = range(int(used[0]), int(used[-1]) + 1)
    bins = [
        (
            max((base + number * width) / SECOND_US, 0.0 if low == high else -np.inf),
            (base + (number + 1) * width) / SECOND_US,
            *counts[:, place].tolist(),
        )
        for place, number in zip(span, gathered.lateness.bins()[list(span)].tolist(), strict=True)
    ]
    return LeadTimes(base / SECOND_US if low == high else None, bins, half, most)
