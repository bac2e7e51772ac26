"""Single orders to look into: a bar of the stages that each one went through, and its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from collectors.report.wording import brief, day, moment, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.report.content import Report
    from collectors.report.journeys import Journey, Stay

SECOND_US: Final = 1_000_000
# Okabe & Ito (2008), "Color Universal Design": told apart whatever one's colour vision. Black is left for text.
PALETTE: Final = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
ELSEWHERE_COLOUR: Final = "#5D6B7A"
LIGHT_TEXT: Final = ("#0072B2", "#D55E00", ELSEWHERE_COLOUR)
ROOM_FOR_NAME: Final = 0.013  # share of the bar that a letter takes
NARROWEST_SHARE: Final = 0.0008  # of the bar; what is narrower cannot be seen
VERDICT_TITLES: Final = {
    "broken": "Late orders",
    "open": "Open orders",
    "kept": "Orders that kept the promise",
    "cancelled": "Cancelled orders",
    "unstarted": "Orders that never started",
}


def legend(report: Report) -> list[dict[str, str]]:
    """Return the stages that the shown orders went through, with their colours."""
    used = {stay.stage for journey in report.journeys for stay in journey.stays}
    return [{"name": _stage_name(report, number), "colour": colour(report, number)} for number in sorted(used)]


def colour(report: Report, stage: int) -> str:
    """Return the colour of a stage; beyond the palette it comes again, with stripes."""
    return ELSEWHERE_COLOUR if stage >= len(report.promise.stages) else PALETTE[stage % len(PALETTE)]


def timelines(report: Report) -> list[dict[str, Any]]:
    """Return the orders to look into, by verdict."""
    groups = []
    for verdict, title in VERDICT_TITLES.items():
        journeys = [journey for journey in report.journeys if journey.verdict == verdict]
        if journeys:
            groups.append({"verdict": verdict, "title": title, "orders": [_order(report, j) for j in journeys]})
    return groups


def _order(report: Report, journey: Journey) -> dict[str, Any]:
    last = journey.end if journey.end is not None else report.as_of
    span = (journey.start, max(last, journey.promise_at, journey.start + 1))
    if journey.verdict in {"cancelled", "unstarted"}:
        span = (journey.start, max(last, journey.start + 1))
    promised = (journey.promise_at - span[0]) / (span[1] - span[0])
    return {
        "number": journey.order,
        "name": plain(journey.name, 80),
        "verdict": journey.verdict,
        "outcome": _outcome(report, journey),
        "lead": brief(journey.lead_us / SECOND_US),
        "segments": ", ".join(f"{plain(name)} {plain(value)}" for name, value in journey.segments.items()),
        "rescuers": [plain(name) for name in journey.rescuers],
        "bars": list(_bars(report, journey.stays, span)),
        "promise": f"{100 * promised:.2f}" if 0 <= promised <= 1 else None,
        "promise_label": f"{100 * min(max(promised, 0.24), 0.76):.1f}",
        "promise_day": day(journey.promise_at),
        "from": day(span[0]),
        "to": day(span[1]),
        "steps": list(_steps(journey, report)),
        "left_out": journey.steps_left_out,
        "halfway": len(journey.steps) // 2 if journey.steps_left_out else -1,
    }


def _outcome(report: Report, journey: Journey) -> str:
    if journey.verdict in {"cancelled", "unstarted"}:
        return journey.verdict
    end = journey.end if journey.end is not None else report.as_of
    apart = brief(abs(journey.promise_at - end) / SECOND_US)
    if journey.verdict == "kept":
        return f"{apart} early"
    if journey.verdict == "open":
        return f"{apart} left"
    return f"{apart} late" + ("" if journey.end is not None else ", not ended")


def _bars(report: Report, stays: list[Stay], span: tuple[int, int]) -> Iterator[dict[str, str | bool]]:
    whole = span[1] - span[0]
    for stay in stays:
        share = (stay.finish - stay.begin) / whole
        if share < NARROWEST_SHARE:
            continue
        name = _stage_name(report, stay.stage)
        yield {
            "left": f"{100 * (stay.begin - span[0]) / whole:.2f}",
            "striped": stay.stage >= len(PALETTE) and stay.stage < len(report.promise.stages),
            "width": f"{100 * share:.2f}",
            "colour": colour(report, stay.stage),
            "label": name if share > ROOM_FOR_NAME * len(name) else "",
            "light": colour(report, stay.stage) in LIGHT_TEXT,
            "tip": f"{name} · {brief((stay.finish - stay.begin) / SECOND_US)} · from {moment(stay.begin)}",
        }


def _steps(journey: Journey, report: Report) -> Iterator[dict[str, str | bool | None]]:
    last = report.as_of if journey.end is None else None
    followers = [step.at for step in journey.steps[1:]] + [last]
    for step, until in zip(journey.steps, followers, strict=True):
        before = step.at < journey.start
        on_clock = not before and (journey.end is None or step.at < journey.end)
        stayed = None if until is None or not step.known else brief((until - step.at) / SECOND_US)
        yield {
            "at": moment(step.at),
            "status": plain(step.status).replace(":done", " (done)"),
            "stage": plain(step.stage) if step.stage and on_clock else None,
            "source": plain(step.source) if step.source else None,
            "stayed": stayed if on_clock else None,
            "known": step.known,
        }


def _stage_name(report: Report, number: int) -> str:
    stages = report.promise.stages
    return plain(stages[number].name) if number < len(stages) else "elsewhere"
