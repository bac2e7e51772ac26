"""One order's clock, its verdict, its time in each stage, and which stages rescue it."""

from dataclasses import dataclass, field
from enum import StrEnum

from .promise import Promise, Stage, text
from .timeline import Order, Step, terms_moment


class Verdict(StrEnum):
    """What became of the promise to one order."""

    KEPT = "kept"
    BROKEN = "broken"
    OPEN = "open"
    CANCELLED = "cancelled"
    UNSTARTED = "unstarted"


@dataclass(frozen=True)
class Stretch:
    """From one event to the next, in the stage (by index) of the status that the first names."""

    stage: int
    start: int
    end: int


@dataclass(frozen=True)
class Judged:
    """An order and its verdict; the rest is empty unless it is kept, broken or open.

    `due` is the promise moment. By index of stage, in microseconds: `time` (total) and, of broken orders,
    `over` (time over budget). `visits` counts the times each stage was entered.
    """

    order: Order
    verdict: Verdict
    due: int = 0
    time: dict[int, int] = field(default_factory=dict)
    visits: dict[int, int] = field(default_factory=dict)
    over: dict[int, int] = field(default_factory=dict)
    rescuers: frozenset[int] = frozenset()


def judge(order: Order, promise: Promise, as_of: int) -> Judged:
    """Verdict on an order, all of whose steps are up to `as_of`."""
    steps = [step for step in order.steps if step.moves]
    first = _start(steps, promise)
    if first is None:
        return Judged(order, Verdict.UNSTARTED)
    last = _end(steps, first, promise)
    if _is_cancelled(order, steps, first, last, promise):
        return Judged(order, Verdict.CANCELLED)
    start, end = steps[first].time, None if last is None else steps[last].time
    stretches = _stretches(steps, first, last, promise, as_of)
    time: dict[int, int] = {}
    for stretch in stretches:
        time[stretch.stage] = time.get(stretch.stage, 0) + stretch.end - stretch.start
    due = _due(order, start, time, promise)
    verdict = _verdict(end, due, as_of)
    over: dict[int, int] = {}
    rescuers = set()
    if verdict is Verdict.BROKEN:
        over = {index: _over(index, stretches, promise) for index in time}
        lead = end - start if end is not None else as_of - start + _ahead(steps, promise)
        rescuers = {index for index, excess in over.items() if excess > 0 and lead - excess <= due - start}
    return Judged(order, verdict, due, time, _visits(stretches), over, frozenset(rescuers))


def _start(steps: list[Step], promise: Promise) -> int | None:
    if promise.start == "first":
        return 0 if steps else None
    return next((index for index, step in enumerate(steps) if promise.names(promise.start, step.status)), None)


def _end(steps: list[Step], first: int, promise: Promise) -> int | None:
    if promise.end == "last":
        return len(steps) - 1
    after = range(first + 1, len(steps))
    return next((index for index in after if promise.names(promise.end, steps[index].status)), None)


def _is_cancelled(order: Order, steps: list[Step], first: int, last: int | None, promise: Promise) -> bool:
    if any(promise.is_cancelling(step.status) for step in steps[first + 1 : last]):
        return True
    cancelled_when = promise.log.get("cancelled_when") or {}
    return last is None and any(
        order.value(column) in {text(value) for value in values} for column, values in cancelled_when.items()
    )


def _stretches(steps: list[Step], first: int, last: int | None, promise: Promise, as_of: int) -> list[Stretch]:
    stretches = []
    for index in range(first, len(steps) if last is None else last):
        until = steps[index + 1].time if index + 1 < len(steps) else as_of
        stretches.append(Stretch(promise.stage_of(steps[index].status), steps[index].time, until))
    return stretches


def _visits(stretches: list[Stretch]) -> dict[int, int]:
    visits: dict[int, int] = {}
    before = None
    for stretch in stretches:
        if stretch.stage != before:
            visits[stretch.stage] = visits.get(stretch.stage, 0) + 1
        before = stretch.stage
    return visits


def _due(order: Order, start: int, time: dict[int, int], promise: Promise) -> int:
    within, by = terms_moment(order, promise)
    paused = sum(time.get(index, 0) for index, stage in enumerate(promise.stages) if stage.pauses)
    if by is not None:
        return by + paused
    if within is None:
        raise ValueError(f"order {order.name} has no promise moment and should have been quarantined")
    return start + within + paused


def _verdict(end: int | None, due: int, as_of: int) -> Verdict:
    if end is not None:
        return Verdict.KEPT if end <= due else Verdict.BROKEN
    return Verdict.BROKEN if due < as_of else Verdict.OPEN


def _over(index: int, stretches: list[Stretch], promise: Promise) -> int:
    """Time over the budget of one stage, elapsed, whichever kind of time the budget is in."""
    if index == len(promise.stages):
        return 0
    stage = promise.stages[index]
    spans = [(stretch.start, stretch.end) for stretch in stretches if stretch.stage == index]
    if stage.budget is None:
        return 0
    if not stage.working or promise.calendar is None:
        return max(0, sum(end - start for start, end in spans) - stage.budget)
    ran_out = promise.calendar.used_up(spans, stage.budget)
    if ran_out is None:
        return 0
    return sum(max(0, end - max(start, ran_out)) for start, end in spans)


def _ahead(steps: list[Step], promise: Promise) -> int:
    """Budgets of the stages that an order still has before it."""
    on_line = [promise.rank(step.status) for step in steps if _is_on_line(step.status, promise)]
    reached = on_line[-1] if on_line else -1.0
    end = promise.rank(promise.end)
    return sum(stage.budget or 0 for stage in promise.stages if reached < _first_rank(stage, promise) < end)


def _first_rank(stage: Stage, promise: Promise) -> float:
    return min(promise.rank(status) for status in stage.statuses)


def _is_on_line(status: str, promise: Promise) -> bool:
    return promise.rank(status) <= len(promise.main)
