"""The per-stage table and the verdict counts of a set of orders, gathered batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.stages.since import slow_since
from collectors.timelines.codebook import NO_BUDGET, Codebook
from collectors.timelines.judging import BROKEN, CANCELLED, KEPT, OPEN, VERDICTS, Judged
from collectors.timelines.measuring import NEVER, exact_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
NOT_ENTERED: Final = np.iinfo(np.int32).min


@dataclass
class _Visitors:
    """Orders that entered a stage: total time, day of first entry, still in it, judged (kept or broken)."""

    time_us: list[NDArray[np.int64]] = field(default_factory=list)
    day: list[NDArray[np.int32]] = field(default_factory=list)
    inside: list[NDArray[np.bool_]] = field(default_factory=list)
    judged: list[NDArray[np.bool_]] = field(default_factory=list)

    def add(self, judged: Judged, stage: int) -> None:
        """Keep what one batch says of a stage; cancelled and unstarted orders are left out."""
        measured = judged.measured
        chosen = (measured.entered[:, stage] != NEVER) & (judged.verdict >= KEPT)
        self.time_us.append(judged.stage_us[chosen, stage])
        self.day.append((measured.entered[chosen, stage] // DAY).astype(np.int32))
        self.inside.append(measured.tail_stage[chosen] == stage)
        self.judged.append(judged.verdict[chosen] != OPEN)

    def times(self) -> NDArray[np.int64]:
        """Return the total times of the kept and broken orders."""
        if not self.time_us:
            return np.zeros(0, dtype=np.int64)
        return np.concatenate([time[judged] for time, judged in zip(self.time_us, self.judged, strict=True)])

    def since(self) -> str | None:
        """Return the day from which orders entering the stage were slow."""
        if not self.time_us:
            return None
        return slow_since(np.concatenate(self.day), np.concatenate(self.time_us), np.concatenate(self.inside))


class Tally:
    """Counts and stage times of a set of orders. ``add`` batches in any order, then ask for ``summary``."""

    def __init__(self, codebook: Codebook) -> None:
        self.codebook = codebook
        stages = len(codebook.stages)
        self.verdicts = np.zeros(len(VERDICTS), dtype=np.int64)
        self.due = np.zeros(2, dtype=np.int64)
        self.shared = 0
        self.visits = np.zeros(stages, dtype=np.int64)
        self.over_us = [0] * stages
        self.rescued = np.zeros(stages, dtype=np.int64)
        self._visitors = [_Visitors() for _ in range(stages)]

    def add(self, judged: Judged) -> None:
        """Count a batch of judged orders."""
        verdict = judged.verdict
        self.verdicts += np.bincount(verdict, minlength=len(VERDICTS))
        due = judged.promise_at <= judged.as_of
        self.due += [np.count_nonzero(due & (verdict == KEPT)), np.count_nonzero(due & (verdict == BROKEN))]
        broken = verdict == BROKEN
        self.shared += int(np.count_nonzero(broken & ~judged.rescued.any(axis=1)))
        self.rescued += np.count_nonzero(judged.rescued, axis=0)
        counted = broken | (verdict == KEPT)
        self.visits += judged.measured.visits[counted].sum(axis=0)
        for stage, visitors in enumerate(self._visitors):
            self.over_us[stage] += exact_total(judged.over_us[broken, stage])
            visitors.add(judged, stage)

    def count(self, verdict: int) -> int:
        """Return how many orders have a verdict."""
        return int(self.verdicts[verdict])

    @property
    def on_time_share(self) -> float | None:
        """Kept among kept and broken orders whose promise moment has come."""
        return share(int(self.due[0]), int(self.due.sum()))

    def culprit(self) -> int | None:
        """Return the stage that rescues most broken orders; ties by time over budget, then file order."""
        best = max(range(len(self.rescued)), key=lambda s: (self.rescued[s], self.over_us[s], -s))
        return best if self.rescued[best] else None

    def since(self, stage: int) -> str | None:
        """Return the day (ISO 8601) from which orders entering a stage were slow, None if no change is found."""
        return self._visitors[stage].since()

    def summary(self) -> dict[str, Any]:
        """Return the part of ``replay --json`` that speaks of this set of orders."""
        return {
            "orders": int(self.verdicts.sum()),
            "kept": self.count(KEPT),
            "broken": self.count(BROKEN),
            "open": self.count(OPEN),
            "cancelled": self.count(CANCELLED),
            "unstarted": self.count(0),
            "on_time_share": self.on_time_share,
            "shared": self.shared,
            "culprit": self._culprit_entry(),
            "stages": self.stages(),
        }

    def _culprit_entry(self) -> dict[str, Any] | None:
        stage = self.culprit()
        if stage is None:
            return None
        rescued = int(self.rescued[stage])
        return {
            "stage": self.codebook.stages[stage],
            "rescued": rescued,
            "rescued_share": share(rescued, self.count(BROKEN)),
            "since": self.since(stage),
        }

    def stages(self) -> list[dict[str, Any]]:
        """Return the stage table in file order; ``elsewhere`` only if it was entered."""
        times = [visitors.times() for visitors in self._visitors]
        totals = [exact_total(time) for time in times]
        total = sum(totals)
        rows = []
        for stage, (name, kind) in enumerate(zip(self.codebook.stages, self.codebook.kinds, strict=True)):
            if stage == len(times) - 1 and not len(times[stage]):
                continue
            budget = int(self.codebook.budget_us[stage])
            rows.append(
                {
                    "stage": name,
                    "kind": kind,
                    "budget_s": None if budget == NO_BUDGET else budget / SECOND,
                    "orders": len(times[stage]),
                    "visits": int(self.visits[stage]),
                    "mean_s": totals[stage] / len(times[stage]) / SECOND if len(times[stage]) else None,
                    **_percentiles(times[stage]),
                    "share_of_lead_time": share(totals[stage], total),
                    "over_budget_s": self.over_us[stage] / SECOND,
                    "rescued": int(self.rescued[stage]),
                }
            )
            times[stage] = times[stage][:0]
        return rows


def share(part: int, whole: int) -> float | None:
    """Return part / whole, None where there is nothing to have a share of."""
    return part / whole if whole else None


def _percentiles(times_us: NDArray[np.int64]) -> dict[str, float | None]:
    names = {"p50_s": 50, "p90_s": 90, "p99_s": 99}
    if not len(times_us):
        return dict.fromkeys(names)
    values = np.percentile(times_us, list(names.values()), method="linear")
    return {name: float(value) / SECOND for name, value in zip(names, values, strict=True)}
