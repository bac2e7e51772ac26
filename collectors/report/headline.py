"""The report in a few sentences: is the promise kept, what breaks it, since when, and who fares worst.

Every figure is one of ``replay --json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from collectors.promise.durations import describe_duration
from collectors.report.wording import count, exact_percent, listed, percent, percent_against, plain, sentence_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.report.content import Report, StageFigures, TrendPoint

WEAK: Final = 0.2  # a culprit that rescues less than this share of the late orders is none to speak of
FEW: Final = 20  # orders of a segment, or of either end of a trend, below which a share says little
STANDS_OUT: Final = 0.05  # how far a segment's share must lie below the whole's to be named
MOVED: Final = 0.05  # how far the share must move to be called a trend


@dataclass(frozen=True)
class Headline:
    """What to say first. ``mood``: good, bad or open; ``verdict``: one sentence; ``reasons``: the ones that follow."""

    mood: str
    verdict: str
    reasons: list[str]

    def text(self) -> str:
        """Return all sentences in one line."""
        return " ".join([self.verdict, *self.reasons])


def headline(report: Report) -> Headline:
    """Say in plain language what the report found."""
    kept, broken = report.due
    if not report.document["orders"] - report.document["unstarted"] - report.document["cancelled"]:
        return Headline("open", _nothing(report), [])
    if not kept + broken:
        return Headline("open", _not_due(report), list(_ahead(report)))
    share = report.document["on_time_share"]
    objective = report.promise.promise.objective
    mood = "good" if share >= objective else "bad"
    return Headline(mood, _verdict(report, share, objective), [*_blame(report), *_segment(report), *_ahead(report)])


def how_counted(report: Report) -> str | None:
    """Explain the count behind the culprit in one line, None where there is none."""
    stage = report.culprit
    if stage is None:
        return None
    name = stage_words(stage.name)
    return (
        f"How this is counted: from each late order its time over the budget of {name} is taken away, all else "
        "stays as it was, and the promise is judged again. It is a count of orders, not an average."
    )


def waiting(report: Report) -> str | None:
    """Say how much of their time orders waited, None where no time passed."""
    share = report.waiting_share
    if share is None:
        return None
    if not any(stage.row["kind"] == "work" for stage in report.stages):
        return "Every stage is one of waiting; no stage says when somebody works on an order."
    return f"Orders waited {percent(share)} of their time; somebody worked on them {percent(1 - share)}."


def trend(report: Report) -> str | None:
    """Say how the share of kept promises moved between the first and the last third of the periods; None if too few."""
    points = [point for point in report.trend if point.share is not None]
    third = len(points) // 3
    if not third:
        return None
    before, after = _together(points[:third]), _together(points[-third:])
    if min(before[1], after[1]) < FEW:
        return None
    then, now = before[0] / before[1], after[0] / after[1]
    figures = f"{percent(then)} kept at first, {percent(now)} lately"
    if abs(now - then) < MOVED:
        return f"About the same throughout: {figures}."
    return f"Getting {'better' if now > then else 'worse'}: {figures}."


def promise_name(report: Report) -> str:
    """Name the promise: "the 21-day promise", "the promised date", "the promise of 14 to 21 days"."""
    terms = report.promise.promise
    if terms.by is not None:
        return "the promised date" if terms.by_day else "the promised moment"
    low, high = report.promise_s or (0.0, 0.0)
    if low != high:
        return f"the promise of {describe_duration(low)} to {describe_duration(high)}"
    seconds = terms.within.total_seconds() if terms.within else high
    if low and low != seconds:
        seconds = low
    amount, unit = describe_duration(seconds).split()
    return f"the {amount}-{unit.removesuffix('s')} promise"


def budget_words(stage: StageFigures) -> str:
    """Say a stage's budget: "its 3 days"."""
    if stage.budget.endswith(" working"):
        return f"its {stage.budget.removesuffix(' working')} of working time"
    return f"its {describe_duration(stage.row['budget_s'])}"


def stage_words(name: str) -> str:
    """Name a stage within a sentence."""
    return f"the wait {name}" if name.startswith("after ") else name


def _verdict(report: Report, share: float, objective: float) -> str:
    kept, broken = report.due
    due, goal = kept + broken, f"(objective {exact_percent(objective)})"
    name = promise_name(report)
    if due == 1:
        return f"The one order that came due {'kept' if kept else 'broke'} {name} {goal}."
    if not broken:
        return f"All {due:,} orders kept {name} {goal}."
    if not kept:
        return f"Not one of {due:,} orders kept {name} {goal}."
    return f"{percent_against(share, objective)} of {due:,} orders kept {name} {goal}."


def _blame(report: Report) -> Iterator[str]:
    broken = report.document["broken"]
    if not broken:
        return
    stage, entry = report.culprit, report.document["culprit"]
    if stage is None:
        yield _nobody(report, broken)
        return
    name, share = stage_words(stage.name), entry["rescued_share"]
    late = f"the {broken:,} late orders" if broken > 1 else "the one late order"
    if broken == 1:
        saved = f"the late order would have been on time had {name} kept {budget_words(stage)}"
        yield f"{sentence_case(name)} is what broke it: {saved}."
    elif share < WEAK:
        yield (
            f"No single stage breaks it: even {name}, which costs most, accounts for only "
            f"{percent(share)} of {late} ({entry['rescued']:,})."
        )
    else:
        met = report.document["on_time_share"] >= report.promise.promise.objective
        opening = "What breaks it now and then is " + name if met else sentence_case(name) + " is what breaks it"
        yield f"{opening}: {percent(share)} of {late} would have been on time had {name} kept {budget_words(stage)}."
    if entry["since"]:
        yield f"{sentence_case(name)} has been slow since {entry['since']}."


def _nobody(report: Report, broken: int) -> str:
    if not any(stage.row["budget_s"] is not None for stage in report.stages):
        return "No stage has a budget, so none can be named as the cause; give the stages budgets in the promise file."
    if broken == 1:
        return (
            "No single stage is to blame: the late order would have been late even had any one stage kept its budget."
        )
    return (
        f"No single stage is to blame: not one of the {broken:,} late orders would have been on time "
        "had any one stage alone kept its budget."
    )


def worst_segment(report: Report) -> dict[str, Any] | None:
    """Return the segment that fares clearly worse than the whole, by its entry in the document."""
    whole = report.document["on_time_share"]
    judged: list[dict[str, Any]] = [
        entry
        for entry in report.document["segments"]
        if entry["on_time_share"] is not None and entry["kept"] + entry["broken"] >= FEW
    ]
    worst = min(judged, key=lambda entry: entry["on_time_share"], default=None)
    stands_out = worst is not None and whole is not None and worst["on_time_share"] <= whole - STANDS_OUT
    return worst if stands_out else None


def segment_name(by: str, value: str | None) -> str:
    """Name a segment: "channel b2b"."""
    return f"{plain(by)} {plain(value)}" if value is not None else f"without {plain(by)}"


def _segment(report: Report) -> Iterator[str]:
    worst = worst_segment(report)
    if worst is None:
        return
    sentence = (
        f"Worst off: {segment_name(worst['by'], worst['value'])}, where {percent(worst['on_time_share'])} kept it"
    )
    culprit, whole = worst["culprit"], report.document["culprit"]
    if culprit and (whole is None or culprit["stage"] != whole["stage"]):
        sentence += f" and {stage_words(plain(culprit['stage']))} breaks it"
    yield sentence + "."


def _ahead(report: Report) -> Iterator[str]:
    outlook = report.outlook
    still_open = report.document["open"]
    if not still_open:
        return
    dangers = [(outlook.late, "expected to be late"), (outlook.at_risk, "at risk")]
    said = [f"{number:,} {words}" for number, words in dangers if number]
    verb = "is" if still_open == 1 else "are"
    if said:
        yield f"{count(still_open, 'order')} {verb} still open: {listed(said)}."
    elif not outlook.unassessed:
        yield f"{count(still_open, 'order')} {verb} still open, {'all ' if still_open > 1 else ''}on track."


def _not_due(report: Report) -> str:
    kept = report.document["kept"]
    done = f" {count(kept, 'order')} finished early, all on time." if kept else ""
    return f"No promise has come due yet, so nothing can be said of {promise_name(report)}.{done}"


def _nothing(report: Report) -> str:
    document, start = report.document, report.promise.promise.start
    if document["cancelled"]:
        return f"Nothing to judge: every order that started was cancelled ({document['cancelled']:,})."
    whose = "the one order has not" if document["orders"] == 1 else f"none of {document['orders']:,} orders has"
    return f"Nothing to judge: {whose} reached {plain(start)}, where the promise begins."


def _together(points: list[TrendPoint]) -> tuple[int, int]:
    kept = sum(point.kept for point in points)
    return kept, kept + sum(point.broken for point in points)
