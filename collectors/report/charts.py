"""The charts of the HTML report, as SVG: promises kept, lead times, and every stage over time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from collectors.report.svg import (
    Plot,
    bottom_labels,
    chart,
    count_top,
    left_axis,
    line,
    nice_top,
    path,
    rectangle,
    say,
    text,
    time_unit,
)
from collectors.report.wording import brief, count, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from collectors.report.content import LeadTimes, Report, StageFigures

Bin = tuple[float, float, int, int, int]
MOST_BINS: Final = 44
TAIL: Final = 0.025  # share of orders that a last bar may hold together
LONG_TAIL: Final = 2.5  # times as wide as the other bins
MORE_TAKES: Final = 42  # width of the word on the axis
SMALL: Final = (300, 118)


def kept_chart(report: Report, width: int) -> Markup:
    """Draw for every period the share of promises that were kept and broken, against the objective."""
    points, labels = report.trend, report.periods.short_labels()
    used = [place for place, point in enumerate(points) if point.share is not None]
    first, last = used[0], used[-1]
    points, labels = points[first : last + 1], labels[first : last + 1]
    objective = report.promise.promise.objective
    plot = Plot(width, 240, across=len(points), top=100, left=40, below=22)
    parts = left_axis(plot, 25, "\u202f%")
    for place, point in enumerate(points):
        if point.share is None:
            continue
        tip = say(
            [
                f"{report.periods.unit} of {point.label}",
                f"{percent(point.share)} kept",
                f"{point.kept:,} kept",
                f"{point.broken:,} broken",
            ]
        )
        gap = min(2.0, (plot.x(1) - plot.x(0)) / 5)
        left, wide = plot.x(place) + gap / 2, plot.x(1) - plot.x(0) - gap
        middle = plot.y(point.share * 100)
        parts.append(rectangle(left, plot.y(100), wide, middle - plot.y(100), "late", tip))
        parts.append(rectangle(left, middle, wide, plot.floor - middle, "kept", tip))
    level = plot.y(objective * 100)
    parts.append(line(plot.left, level, width - plot.right, level, "goal"))
    parts += bottom_labels(plot, labels, [place + 0.5 for place in range(len(labels))])
    kept, broken = report.due
    return chart(
        plot, f"Promises kept by {report.periods.unit}", f"{kept:,} of {kept + broken:,} promises kept in all.", parts
    )


def lead_time_chart(lead_times: LeadTimes, width: int) -> Markup:
    """Draw how many orders took how long, against the promise."""
    bins = shortened(lead_times)
    unit, name = time_unit(max(abs(end) for low, high, *_ in bins for end in (low, high) if abs(end) < float("inf")))
    top, step = count_top(max(sum(counts) for _, _, *counts in bins))
    plot = Plot(width, 256, across=len(bins), top=top, left=44, below=38)
    parts = left_axis(plot, step)
    for place, (low, high, *counts) in enumerate(bins):
        floor, span = 0, _span(low, high, relative=lead_times.promise_s is None)
        for kind, number, words in zip(
            ("kept", "late", "running"), counts, ("kept", "late", "late and not ended"), strict=True
        ):
            if number:
                tip = say([span, f"{count(number, 'order')} {words}"])
                left, wide = plot.x(place) + 0.5, plot.x(1) - plot.x(0) - 1
                parts.append(
                    rectangle(left, plot.y(floor + number), wide, plot.y(floor) - plot.y(floor + number), kind, tip)
                )
            floor += number
    parts += _promise_line(plot, bins, lead_times)
    if bins[-1][1] - bins[-1][0] > LONG_TAIL * (bins[0][1] - bins[0][0]):
        parts.append(text(plot.width - plot.right, plot.floor + 15, "more", "tick", "end"))
        bins = bins[: -max(round(MORE_TAKES / (plot.x(1) - plot.x(0))), 1)]
    labels, places = _bin_ticks(bins, unit, name)
    parts += bottom_labels(plot, labels, places)
    what = "of lead time" if lead_times.promise_s is not None else "after the promised moment"
    parts.append(text(plot.width - plot.right, plot.height - 3, f"{_unit_words(name)} {what}", "note", "end"))
    total = sum(sum(counts) for _, _, *counts in bins)
    half, most = brief(lead_times.half_s), brief(lead_times.most_s)
    said = f"{count(total, 'order')}; half of the ended ones took up to {half}, nine in ten up to {most}."
    return chart(plot, "Lead times against the promise", said, parts)


def shortened(lead_times: LeadTimes) -> list[Bin]:
    """Return bins few enough to draw: neighbours joined, and the long tails in one bar each."""
    bins = lead_times.bins
    room = TAIL * sum(sum(counts) for _, _, *counts in bins)
    last = _trimmed([sum(counts) for _, _, *counts in bins], room)
    first = len(bins) - _trimmed([sum(counts) for _, _, *counts in bins[last - 1 :: -1]], room) - (len(bins) - last)
    every = -(-(last - first) // MOST_BINS)
    # Joined bins must not straddle the promise, where the late ones begin.
    split = next((place for place, entry in enumerate(bins) if entry[1] > (lead_times.promise_s or 0) + 1e-6), 0)
    cuts = sorted({0, first, *range(first + (split - first) % every, last, every), last, len(bins)})
    return [_sum_bins(bins[low:high]) for low, high in pairwise(cuts)]


def _trimmed(counts: Sequence[int], room: float) -> int:
    """Return how many bins stay if those at the end that together hold no more than ``room`` go."""
    stay = len(counts)
    while stay > MOST_BINS and (room := room - counts[stay - 1]) >= 0:
        stay -= 1
    return stay


def _sum_bins(group: Sequence[Bin]) -> Bin:
    kept, late, running = ([entry[place] for entry in group] for place in (2, 3, 4))
    return group[0][0], group[-1][1], sum(map(int, kept)), sum(map(int, late)), sum(map(int, running))


def _span(low: float, high: float, *, relative: bool) -> str:
    if not relative:
        return f"{brief(low)} to {brief(high)}"
    if high <= 0:
        return f"{brief(-high)} to {brief(-low)} before the promised moment"
    return f"{brief(low)} to {brief(high)} after the promised moment"


def _promise_line(plot: Plot, bins: Sequence[tuple[float, ...]], lead_times: LeadTimes) -> list[Markup]:
    promise = lead_times.promise_s or 0.0
    place = next((number for number, entry in enumerate(bins) if entry[1] > promise + 1e-6), len(bins))
    x = plot.x(place)
    words = f"promise: {brief(promise)}" if lead_times.promise_s is not None else "promised"
    right = x < plot.width * 0.7
    return [
        line(x, plot.above, x, plot.floor, "goal"),
        text(x + (5 if right else -5), plot.above + 9, words, "label", "start" if right else "end"),
    ]


def _bin_ticks(bins: Sequence[tuple[float, ...]], unit: float, name: str) -> tuple[list[str], list[float]]:
    """Return labels for round values at the bins' lower ends."""
    if not bins:
        return [], []
    span = bins[-2][1] - bins[1][0] if len(bins) > 3 else bins[-1][1] - bins[0][0]
    _, step = nice_top(span / unit, 6)
    if name == "d" and step >= 5:
        step = max(round(step / 7) * 7, 7)
    labels, places = [], []
    usual = bins[len(bins) // 2][1] - bins[len(bins) // 2][0]
    for place, (low, high, *_) in enumerate(bins):
        value = low / unit
        if high - low > LONG_TAIL * usual:
            continue  # a tail's end is no place on the axis
        if abs(value / step - round(value / step)) < 1e-6:
            labels.append(f"{round(value, 3):g}")
            places.append(float(place))
    return labels, places


def _unit_words(name: str) -> str:
    return {"d": "days", "h": "hours", "min": "minutes", "s": "seconds"}[name]


def stage_time_chart(report: Report, stage: StageFigures) -> Markup:
    """Draw a stage's mean time by the period in which orders entered it, against its budget."""
    width, height = SMALL
    labels = report.periods.short_labels()
    budget = stage.row["budget_s"] if not stage.budget.endswith("working") else None
    highest = max(
        [*(value for value in stage.mean_s if value), min(budget or 0, 4 * max(v or 0 for v in stage.mean_s))]
    )
    unit, name = time_unit(highest)
    top, step = nice_top(highest / unit, 3)
    plot = Plot(width, height, across=len(labels), top=top, left=50, below=22)
    parts = left_axis(plot, step, f"\u202f{name}")
    if budget and budget / unit <= top:
        parts.append(line(plot.left, plot.y(budget / unit), width - plot.right, plot.y(budget / unit), "goal"))
    parts += _since_mark(plot, report, stage)
    points = [None if v is None else (plot.x(place + 0.5), plot.y(v / unit)) for place, v in enumerate(stage.mean_s)]
    whole = [None if unfinished else point for point, unfinished in zip(points, stage.unfinished, strict=True)]
    parts.append(path(points, "trace faint"))
    parts.append(path(whole, f"trace {stage.row['kind']}"))
    for place, value in enumerate(stage.mean_s):
        some = ", without those still inside" if stage.unfinished[place] else ""
        if value is not None:
            tip = say([report.periods.labels()[place], f"{brief(value)} on average{some}"])
            parts.append(_hover(plot, place, tip))
    parts += bottom_labels(plot, labels, [place + 0.5 for place in range(len(labels))])
    return chart(
        plot,
        f"Mean time in {stage.name}",
        f"By {report.periods.unit} of entry; budget {stage.budget or 'none'}.",
        parts,
        "small",
    )


def _since_mark(plot: Plot, report: Report, stage: StageFigures) -> list[Markup]:
    entry = report.document["culprit"]
    if stage is not report.culprit or not entry["since"]:
        return []
    place = (
        next((n for n, label in enumerate(report.periods.labels()) if label > entry["since"]), len(report.periods)) - 1
    )
    x = plot.x(max(place, 0))
    right = x < plot.width * 0.6
    return [
        line(x, plot.above, x, plot.floor, "since"),
        text(
            x + (3 if right else -3),
            plot.above + 6,
            f"slow since {entry['since']}",
            "label",
            "start" if right else "end",
        ),
    ]


def wip_chart(report: Report, stage: StageFigures) -> Markup:
    """Draw how many orders were inside a stage at the end of each period."""
    labels = report.periods.short_labels()
    top, step = count_top(max(stage.wip), 3)
    plot = Plot(*SMALL, across=len(labels), top=top, left=50, below=22)
    points = [(plot.x(place + 0.5), plot.y(value)) for place, value in enumerate(stage.wip)]
    parts = [
        *left_axis(plot, step),
        path(points, f"area {stage.row['kind']}", plot.floor),
        path(points, f"trace {stage.row['kind']}"),
    ]
    for place, value in enumerate(stage.wip):
        parts.append(
            _hover(
                plot,
                place,
                say(
                    [
                        f"end of {report.periods.unit} {report.periods.labels()[place]}",
                        f"{count(value, 'order')} inside",
                    ]
                ),
            )
        )
    parts += bottom_labels(plot, labels, [place + 0.5 for place in range(len(labels))])
    return chart(
        plot,
        f"Work in progress: {stage.name}",
        f"Now {count(stage.wip[-1], 'order')}, at most {max(stage.wip):,}.",
        parts,
        "small",
    )


def throughput_chart(report: Report, stage: StageFigures) -> Markup:
    """Draw how many orders entered and left a stage in each period."""
    labels = report.periods.short_labels()
    whole = report.whole_periods
    entries, exits = stage.entries[:whole], stage.exits[:whole]
    top, step = count_top(max([*entries, *exits]), 3)
    plot = Plot(*SMALL, across=len(labels), top=top, left=50, below=22)
    parts = left_axis(plot, step)
    for kind, values in (("entries", entries), ("exits", exits)):
        parts.append(
            path([(plot.x(place + 0.5), plot.y(value)) for place, value in enumerate(values)], f"trace {kind}")
        )
    for place, (entered, left) in enumerate(zip(entries, exits, strict=True)):
        parts.append(
            _hover(plot, place, say([report.periods.labels()[place], f"{entered:,} entered", f"{left:,} left"]))
        )
    parts += bottom_labels(plot, labels, [place + 0.5 for place in range(len(labels))])
    return chart(plot, f"Throughput: {stage.name}", f"Entered and left by {report.periods.unit}.", parts, "small")


def _hover(plot: Plot, place: int, tip: str) -> Markup:
    """Return an unseen column that says its figures when pointed at."""
    return rectangle(plot.x(place), plot.above, plot.x(1) - plot.x(0), plot.floor - plot.above, "hover", tip)
