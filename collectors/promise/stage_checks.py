"""What statuses and stages must agree on, with each other and with the promise's length."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from collectors.promise.durations import UNIT_SECONDS, format_duration, parse_duration
from collectors.promise.finding import Finding, did_you_mean
from collectors.promise.model import AUTO, DONE, ELSEWHERE, Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collectors.promise.outline import Outline, StageOutline, Word

_KINDS: Final = ("main", "off", "cancelled")


def check_statuses(file: Outline) -> Iterator[Finding]:
    """Check that every status is listed once."""
    seen: dict[str, str] = {}
    for kind in _KINDS:
        for word in file.words("statuses", kind):
            before = seen.setdefault(word.text, kind)
            first = file.at(("statuses", kind)).index(word.text) == word.path[-1]
            if before == kind and not first:
                yield file.finding(word.path, f"`{word.text}` stands twice under `{kind}`; keep one")
            elif before != kind:
                yield file.finding(
                    word.path,
                    f"`{word.text}` is under `{before}` and under `{kind}`; a status is one of them",
                )


def check_known(file: Outline, word: Word) -> Iterator[Finding]:
    """Check that a word names a status of this file, in a way that fits the log."""
    if word.text in file.known:
        if file.marks == "completion" and word.path[0] == "stages":
            yield file.finding(word.path, _only_done(word), "warning")
    elif word.status not in file.known:
        listed = [status.text for status in file.statuses]
        yield file.finding(word.path, f"unknown status `{word.text}`{did_you_mean(word.status, listed)}")
    elif file.marks == "status":
        message = f"`{word.text}` never comes up, as this log has no ends of activities; name `{word.status}`"
        yield file.finding(word.path, message, "warning")


def _only_done(word: Word) -> str:
    return f"`{word.text}` never comes up in a log of completions, where an order is after it; name `{word.text}{DONE}`"


def check_stages(file: Outline) -> Iterator[Finding]:
    """Check that each stage has a name and statuses of its own, and a budget that makes sense."""
    names: set[str] = set()
    holders: dict[str, str] = {}
    for stage in file.stages:
        yield from _check_name(file, stage, names)
        yield from _check_members(file, stage, holders)
        yield from _check_budget(file, stage)
    yield from _check_sum(file)


def _check_name(file: Outline, stage: StageOutline, names: set[str]) -> Iterator[Finding]:
    if stage.name is None:
        return
    if stage.name.text in names:
        yield file.finding(stage.name.path, "another stage has this name; rename one")
    if stage.name.text == ELSEWHERE:
        yield file.finding(stage.name.path, "this name is kept for the time in no stage; choose another")
    names.add(stage.name.text)


def _check_members(file: Outline, stage: StageOutline, holders: dict[str, str]) -> Iterator[Finding]:
    name = f"stage `{stage.name.text}`" if stage.name else "a stage without a name"
    own: set[str] = set()
    cancelling = {word.text for word in file.cancelled}
    for word in stage.statuses:
        yield from check_known(file, word)
        if word.text in own:
            yield file.finding(word.path, f"`{word.text}` stands here twice; keep one")
        elif word.text in holders:
            message = f"`{word.text}` is in {holders[word.text]} too; a status is in one stage"
            yield file.finding(word.path, message)
        if word.text in cancelling:
            message = f"`{word.text}` cancels an order, which ends there; take it out"
            yield file.finding(word.path, message, "warning")
        own.add(word.text)
    holders.update(dict.fromkeys(own - holders.keys(), name))


def _check_budget(file: Outline, stage: StageOutline) -> Iterator[Finding]:
    where = (*stage.path, "budget")
    if stage.budget is None and file.at(where) is None:
        if not stage.pauses:
            message = "has no budget, so it is never the culprit; add `budget: 3d` or `budget: auto`"
            yield file.finding(stage.path, message, "warning")
    elif stage.pauses:
        message = "it pauses the clock, so its budget takes nothing from the promise; remove one of the two"
        yield file.finding(where, message, "error" if stage.has_auto else "warning")
    if stage.has_auto:
        yield from _check_auto(file, stage)
    elif stage.budget is not None:
        yield from _check_length(file, stage)
    if stage.working:
        yield from _check_working(file, stage)


def _check_length(file: Outline, stage: StageOutline) -> Iterator[Finding]:
    where = (*stage.path, "budget")
    try:
        parse_duration(stage.budget or "")
    except ValueError as error:
        yield file.finding(where, f"`budget`: {error}")
        return
    length = stage.length(_units(file, stage))
    within = file.duration("promise", "within")
    if length and within and length > within and not stage.pauses:
        promised = file.at(("promise", "within"))
        message = f"budget {stage.budget} is longer than the promise, {promised}; shorten one or lengthen the other"
        yield file.finding(where, message)


def _units(file: Outline, stage: StageOutline) -> Mapping[str, int]:
    if not stage.working:
        return UNIT_SECONDS
    try:
        return Calendar.model_validate(file.at(("calendar",))).units()
    except ValueError:
        # The calendar's own mistakes are reported elsewhere; an hour is an hour in any.
        return {**UNIT_SECONDS, "d": 3_600, "w": 3_600}


def _check_working(file: Outline, stage: StageOutline) -> Iterator[Finding]:
    where = (*stage.path, "working")
    if file.at(("calendar",)) is None:
        message = "`working: true` needs a calendar; add `calendar: {weekdays: [mon, ...], hours: '09:00-17:00'}`"
        yield file.finding(where, message)
    if file.at((*stage.path, "budget")) is None:
        yield file.finding(where, "`working: true` says how the budget counts; add a budget or remove it")
    if stage.has_auto:
        yield file.finding(where, "an `auto` budget is elapsed time; write a duration or remove `working`")


def _check_auto(file: Outline, stage: StageOutline) -> Iterator[Finding]:
    where = (*stage.path, "budget")
    if file.at(("promise", "by")) is not None:
        message = f"`{AUTO}` shares out `within`, and this promise is `by` an attribute; write a duration"
        yield file.finding(where, message)
        return
    within = file.duration("promise", "within")
    if within is not None and _taken(file) >= within:
        taken, promised = format_duration(_taken(file)), file.at(("promise", "within"))
        message = f"`{AUTO}` has nothing left: the others take {taken} of the promise, {promised}; shorten them"
        yield file.finding(where, message)


def _taken(file: Outline) -> timedelta:
    lengths = (stage.length(UNIT_SECONDS) for stage in file.stages if not stage.working and not stage.pauses)
    return sum((length for length in lengths if length), timedelta())


def _check_sum(file: Outline) -> Iterator[Finding]:
    within = file.duration("promise", "within")
    if within is None or any(stage.has_auto for stage in file.stages):
        return
    longest = max((stage.length(UNIT_SECONDS) or timedelta() for stage in file.stages), default=timedelta())
    if longest <= within < _taken(file):
        message = (
            f"the budgets add up to {format_duration(_taken(file))}, more than the promise, "
            f"{file.at(('promise', 'within'))}; an order may keep each of them and break it"
        )
        yield file.finding(("stages",), message, "warning")
