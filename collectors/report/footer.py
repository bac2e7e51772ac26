"""What a reader must know of the data before believing the figures: nothing is left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collectors.report.wording import count, listed, plain

if TYPE_CHECKING:
    from collectors.report.content import Report

TOP_REASONS: Final = 3


def data_quality(report: Report) -> list[str]:
    """Return sentences on events, duplicates, quarantine, skew, and on orders that are not judged."""
    return [_records(report), *_quarantine(report), *_left_out(report), *_axis(report)]


def _records(report: Report) -> str:
    document, quality = report.document, report.quality
    facts = [
        count(document["duplicates"], "duplicate") + " counted once" if document["duplicates"] else "no duplicates",
        f"{count(quality.skewed, 'time')} that ran backwards (clock skew)" if quality.skewed else "no clock skew",
    ]
    if not document["quarantined"]:
        facts.append("nothing in quarantine")
    return f"{count(document['events'], 'event')} of {count(document['orders'], 'order')}: {listed(facts)}."


def _quarantine(report: Report) -> list[str]:
    total = report.document["quarantined"]
    if not total:
        return []
    reasons = [f"{plain(reason, 100)} ({number:,})" for reason, number in report.quality.reasons[:TOP_REASONS]]
    rest = len(report.quality.reasons) - TOP_REASONS
    if rest > 0:
        reasons.append(f"and {count(rest, 'more reason')}")
    which = "was not used and is" if total == 1 else "were not used and are"
    return [f"{count(total, 'record')} {which} in quarantine: {'; '.join(reasons)}."]


def _left_out(report: Report) -> list[str]:
    document = report.document
    unstarted, cancelled = document["unstarted"], document["cancelled"]
    facts = []
    if unstarted:
        start = plain(report.promise.promise.start)
        facts.append(f"{count(unstarted, 'order')} that never reached {start}")
    if cancelled:
        facts.append(count(cancelled, "cancelled order"))
    sentences = [f"Left out of all figures above: {listed(facts)}."] if facts else []
    early = document["kept"] + document["broken"] - sum(report.due)
    if early:
        whose = "its promise has" if early == 1 else "their promises have"
        sentences.append(
            f"{count(early, 'order')} finished although {whose} not come due yet: kept, but not in the share above."
        )
    return sentences


def _axis(report: Report) -> list[str]:
    shown = sum(point.kept + point.broken for point in report.trend)
    missing = sum(report.due) - shown
    if not missing:
        return []
    verb = "is" if missing == 1 else "are"
    return [f"{count(missing, 'promise')} from long before the others {verb} not in the charts over time."]
