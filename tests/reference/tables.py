"""Counts, shares and the stage table over a set of judged orders: a whole log, or one segment of it."""

from typing import Any

from .promise import ELSEWHERE, SECOND, Promise
from .verdicts import Judged, Verdict


def summary(judged: list[Judged], promise: Promise, as_of: int | None) -> dict[str, Any]:
    """All figures of `replay --json` that are said of a set of orders."""
    counts = {verdict.value: sum(1 for one in judged if one.verdict is verdict) for verdict in Verdict}
    broken = [one for one in judged if one.verdict is Verdict.BROKEN]
    finished = [one for one in judged if one.verdict in (Verdict.KEPT, Verdict.BROKEN)]
    # Only orders whose moment has come: else the early ones of a cohort speak for the slow ones.
    come = [one for one in finished if as_of is not None and one.due <= as_of]
    kept = [one for one in come if one.verdict is Verdict.KEPT]
    return {
        "orders": len(judged),
        **counts,
        "on_time_share": _share(len(kept), len(come)),
        "shared": sum(1 for one in broken if not one.rescuers),
        "culprit": _culprit(broken, promise),
        "stages": _stages(finished, broken, promise),
    }


def segments(judged: list[Judged], promise: Promise, as_of: int | None) -> list[dict[str, Any]]:
    """List the same figures for each value of each segment attribute; orders without one come first."""
    found = []
    for attribute in promise.segments:
        groups: dict[str | None, list[Judged]] = {}
        for one in judged:
            groups.setdefault(one.order.value(promise.column_of(attribute)), []).append(one)
        values = sorted(groups, key=lambda value: (value is not None, value or ""))
        found += [{"by": attribute, "value": one, **summary(groups[one], promise, as_of)} for one in values]
    return found


def _culprit(broken: list[Judged], promise: Promise) -> dict[str, Any] | None:
    best = None
    for index, stage in enumerate(promise.stages):
        rescued = sum(1 for one in broken if index in one.rescuers)
        over = sum(one.over.get(index, 0) for one in broken)
        # Strictly more, so that the earlier stage of the file wins a tie.
        if rescued and (best is None or (rescued, over) > best[:2]):
            best = (rescued, over, stage.name)
    if best is None:
        return None
    return {"stage": best[2], "rescued": best[0], "rescued_share": _share(best[0], len(broken))}


def _stages(finished: list[Judged], broken: list[Judged], promise: Promise) -> list[dict[str, Any]]:
    whole = sum(sum(one.time.values()) for one in finished)
    table = []
    for index in range(len(promise.stages) + 1):
        totals = sorted(one.time[index] for one in finished if index in one.time)
        if index == len(promise.stages):
            if not totals:
                break
            name, kind, budget = ELSEWHERE, "wait", None
        else:
            stage = promise.stages[index]
            name, kind, budget = stage.name, stage.kind, stage.budget
        table.append(
            {
                "stage": name,
                "kind": kind,
                "budget_s": None if budget is None else budget / SECOND,
                "orders": len(totals),
                "visits": sum(one.visits.get(index, 0) for one in finished),
                "mean_s": sum(totals) / len(totals) / SECOND if totals else None,
                "p50_s": _percentile(totals, 50),
                "p90_s": _percentile(totals, 90),
                "p99_s": _percentile(totals, 99),
                "share_of_lead_time": _share(sum(totals), whole),
                "over_budget_s": sum(one.over.get(index, 0) for one in broken) / SECOND,
                "rescued": sum(1 for one in broken if index in one.rescuers),
            }
        )
    return table


def _percentile(ordered: list[int], percent: int) -> float | None:
    """Linear interpolation between the two nearest ranks, on integers up to the last division."""
    if not ordered:
        return None
    below, hundredths = divmod(percent * (len(ordered) - 1), 100)
    above = min(below + 1, len(ordered) - 1)
    return (ordered[below] * (100 - hundredths) + ordered[above] * hundredths) / 100 / SECOND


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
