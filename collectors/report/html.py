"""The report as one HTML file that needs nothing else: no network, no fonts, no scripts from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from collectors.report.charts import kept_chart, lead_time_chart, stage_time_chart, throughput_chart, wip_chart
from collectors.report.footer import data_quality
from collectors.report.headline import headline, how_counted, segment_name, trend, waiting
from collectors.report.timeline import legend, timelines
from collectors.report.wording import (
    brief,
    count,
    day,
    exact_percent,
    listed,
    moment,
    percent,
    percent_against,
    plain,
    sentence_case,
)
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.report.content import Report, StageFigures
    from collectors.report.inflight import Chased

FOLDER: Final = Path(__file__).parent
WIDE: Final = 520
NARROW: Final = 340
SEGMENTS_SHOWN: Final = 100
SECOND_US: Final = 1_000_000


def write_html(report: Report, path: Path) -> None:
    """Write the report to a file. Raises BadInput where it cannot be written."""
    try:
        path.write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: the report cannot be written there ({error.strerror}); name another file") from error


def render(report: Report) -> str:
    """Return the whole page."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"glue": _glue, "brief": brief}
    script = (FOLDER / "report.js").read_text(encoding="utf-8")
    return environment.get_template("template.html.j2").render(
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        **_content(report),
    )


def _glue(sentence: str) -> Markup:
    """Keep figures and their units in one line: ``62 %``, ``21-day``."""
    glued = re.sub(r"(?<=\d)-(?=[a-z])", "\u2011", sentence.replace(" %", "\u00a0%"))
    return Markup.escape(glued)


def _content(report: Report) -> dict[str, Any]:
    judged = report.document["kept"] + report.document["broken"]
    due = [point for point in report.trend if point.share is not None]
    return {
        "report": report,
        "document": report.document,
        "name": plain(report.promise.name),
        "log": plain(report.replay.log),
        "as_of": moment(report.as_of),
        "said": headline(report),
        "how": how_counted(report),
        "waiting": waiting(report),
        "waiting_share": report.waiting_share,
        "trend_words": trend(report),
        "quality": data_quality(report),
        "reasons": [(plain(reason, 300), number) for reason, number in report.quality.reasons],
        "tiles": _tiles(report),
        "unit": report.periods.unit,
        "objective": exact_percent(report.promise.promise.objective),
        "kept_chart": _both(lambda width: kept_chart(report, width)) if due else None,
        "trend_rows": due,
        "lead_chart": _both(lambda width: lead_time_chart(report.lead_times, width)) if judged else None,
        "lead_rows": report.lead_times.bins,
        "stages": [_stage(report, stage) for stage in report.stages] if judged or report.chased else [],
        "segments": _segments(report),
        "chased": [_chased(report, row) for row in report.chased],
        "owned": any(stage.owner for stage in report.stages),
        "chase_words": _chase_words(report),
        "chase_total": report.outlook.endangered + report.outlook.broken,
        "unknown": any(row.p90_at <= report.as_of for row in report.chased),
        "groups": timelines(report),
        "legend": legend(report),
        "percent": percent,
    }


def _chase_words(report: Report) -> str:
    endangered, broken = report.outlook.endangered, report.outlook.broken
    facts = (
        [f"{count(endangered, 'open order')} {'is' if endangered == 1 else 'are'} late or at risk"]
        if endangered
        else []
    )
    if broken:
        facts.append(f"{count(broken, 'order')} {'has' if broken == 1 else 'have'} broken the promise and not ended")
    return sentence_case(listed(facts)) + "."


def _both(draw: Callable[[int], Markup]) -> Markup:
    """Draw a chart for wide and for narrow screens; the style shows one of them."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(WIDE), draw(NARROW))


def _tiles(report: Report) -> list[dict[str, str]]:
    document, outlook = report.document, report.outlook
    kept, broken = report.due
    tiles = []
    share, objective = document["on_time_share"], report.promise.promise.objective
    if share is not None:
        mood = "good" if share >= objective else "bad"
        figure = percent_against(share, objective)
        tiles.append(_tile("Promise kept", figure, f"objective {exact_percent(objective)}", mood))
        tiles.append(
            _tile(
                "Late orders",
                f"{broken:,}",
                f"of {kept + broken:,} promises that came due",
                "bad" if broken else "good",
            )
        )
    if report.culprit is not None:
        rescued = document["culprit"]["rescued"]
        tiles.append(_tile("Culprit", report.culprit.name, f"{rescued:,} late orders would have been on time", "bad"))
    if document["open"]:
        tiles.append(
            _tile("Open orders", f"{document['open']:,}", f"{outlook.late:,} late, {outlook.at_risk:,} at risk", "")
        )
    if report.lead_times.half_s is not None:
        nine = f"nine in ten within {brief(report.lead_times.most_s)}"
        tiles.append(_tile("Half are done within", brief(report.lead_times.half_s), nine, ""))
    return tiles


def _tile(title: str, figure: str, note: str, mood: str) -> dict[str, str]:
    return {"title": title, "figure": figure, "note": note, "mood": mood, "size": "long" if len(figure) > 12 else ""}


def _stage(report: Report, stage: StageFigures) -> dict[str, Any]:
    row = stage.row
    largest = max((other.row["share_of_lead_time"] or 0 for other in report.stages), default=0) or 1
    most_over = max((other.row["over_budget_s"] for other in report.stages), default=0) or 1
    broken = report.document["broken"] or 1
    over_all = sum(other.row["over_budget_s"] for other in report.stages) or 1
    return {
        **row,
        "name": stage.name,
        "owner": stage.owner,
        "budget": stage.budget,
        "pauses": stage.pauses,
        "culprit": stage is report.culprit,
        "share_bar": f"{100 * (row['share_of_lead_time'] or 0) / largest:.1f}",
        "over_bar": f"{100 * row['over_budget_s'] / most_over:.1f}",
        "over_share": row["over_budget_s"] / over_all,
        "rescued_bar": f"{100 * row['rescued'] / broken:.1f}",
        "rescued_share": row["rescued"] / broken,
        "worst": stage.worst,
        "kept_mean_s": stage.kept_mean_s,
        "broken_mean_s": stage.broken_mean_s,
        "inside": stage.wip[-1],
        "entered": stage.entries[report.whole_periods - 1],
        "exited": stage.exits[report.whole_periods - 1],
        "time_chart": stage_time_chart(report, stage) if any(value is not None for value in stage.mean_s) else None,
        "wip_chart": wip_chart(report, stage) if any(stage.entries) else None,
        "throughput_chart": throughput_chart(report, stage) if any(stage.entries) else None,
    }


def _segments(report: Report) -> list[dict[str, Any]]:
    result = []
    for entry in report.document["segments"]:
        culprit = entry["culprit"]
        result.append(
            {
                **entry,
                "name": segment_name(entry["by"], entry["value"]),
                "judged": entry["kept"] + entry["broken"],
                "blamed": plain(culprit["stage"]) if culprit else None,
                "blamed_share": culprit["rescued_share"] if culprit else None,
                "since": culprit["since"] if culprit else None,
            }
        )
    result.sort(key=lambda entry: (entry["on_time_share"] is None, entry["on_time_share"] or 0))
    return result if len(result) > 1 else []


def _chased(report: Report, row: Chased) -> dict[str, Any]:
    slack = brief(abs(row.slack_us) / SECOND_US)
    return {
        "order": row.order,
        "name": plain(row.name, 80),
        "linked": any(journey.order == row.order for journey in report.journeys),
        "stage": plain(row.stage),
        "since": brief(row.in_stage_us / SECOND_US),
        "since_s": row.in_stage_us // SECOND_US,
        "promise": moment(row.promise_at),
        "promise_at": row.promise_at // SECOND_US,
        "slack": f"{slack} over" if row.slack_us < 0 else f"in {slack}",
        "overdue": row.slack_us < 0,
        "p50": day(row.p50_at) if row.p90_at > report.as_of else "?",
        "p90": day(row.p90_at) if row.p90_at > report.as_of else "?",
        "p50_at": row.p50_at // SECOND_US,
        "risk": row.risk,
        "broken": row.broken,
        "action": row.action,
        "owner": plain(row.owner) if row.owner else None,
    }
