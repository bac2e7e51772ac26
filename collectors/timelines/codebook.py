"""A promise file as lookup arrays: what each status code means to the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.promise.model import DONE, ELSEWHERE, FIRST, LAST, PromiseFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_BUDGET: Final = -1
FIRST_EVENT: Final = -1
LAST_EVENT: Final = -2
OFF_MAIN_LINE: Final = 1e9


@dataclass(frozen=True)
class Codebook:
    """Status codes and stage numbers of one promise.

    Codes 0..K-1 are the known statuses (``A:done`` included); anything at or above K is unknown. Stages are
    numbered in file order; the last one is ``elsewhere``, where statuses that no stage holds are booked.
    """

    promise: PromiseFile

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        """Known statuses, in code order."""
        plain = self.promise.statuses.all()
        return (*plain, *(status + DONE for status in plain if status + DONE not in plain))

    @cached_property
    def code_of(self) -> dict[str, int]:
        """The code of each known status."""
        return {status: code for code, status in enumerate(self.statuses)}

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Stage names in file order, ``elsewhere`` last."""
        return (*(stage.name for stage in self.promise.stages), ELSEWHERE)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each stage, ``wait`` or ``work``."""
        return (*(stage.kind for stage in self.promise.stages), "wait")

    @cached_property
    def stage_of(self) -> NDArray[np.int64]:
        """The stage number of each status code."""
        stages = np.full(len(self.statuses), len(self.promise.stages), dtype=np.int64)
        for number, stage in enumerate(self.promise.stages):
            for status in stage.statuses:
                stages[self.code_of[status]] = number
        return stages

    @cached_property
    def rank(self) -> NDArray[np.float64]:
        """Each status code's place on the main line; ``A:done`` is half a step after ``A``, the rest is far off."""
        ranks = np.full(len(self.statuses), OFF_MAIN_LINE)
        for place, status in enumerate(self.promise.statuses.main):
            ranks[self.code_of[status]] = place
            done = self.code_of[status + DONE]
            if status + DONE not in self.promise.statuses.all():
                ranks[done] = place + 0.5
        return ranks

    @cached_property
    def cancels(self) -> NDArray[np.bool_]:
        """Which status codes cancel an order."""
        cancelled = {*self.promise.statuses.cancelled, *(s + DONE for s in self.promise.statuses.cancelled)}
        return np.array([status in cancelled for status in self.statuses])

    @cached_property
    def budget_us(self) -> NDArray[np.int64]:
        """Each stage's budget in microseconds, elapsed or working; NO_BUDGET where it has none."""
        budgets = [self.promise.budget(stage) for stage in self.promise.stages]
        return np.array([NO_BUDGET if b is None else b // timedelta(microseconds=1) for b in (*budgets, None)])

    @cached_property
    def working(self) -> NDArray[np.bool_]:
        """Which stages have their budget in working time."""
        return np.array([*(stage.working for stage in self.promise.stages), False])

    @cached_property
    def pauses(self) -> NDArray[np.bool_]:
        """Which stages stop the promise's clock."""
        return np.array([*(stage.pauses for stage in self.promise.stages), False])

    @cached_property
    def start_code(self) -> int:
        """The status code that starts the clock, or FIRST_EVENT."""
        return self._end_code(self.promise.promise.start, FIRST, FIRST_EVENT)

    @cached_property
    def end_code(self) -> int:
        """The status code that ends the clock, or LAST_EVENT."""
        return self._end_code(self.promise.promise.end, LAST, LAST_EVENT)

    def _end_code(self, status: str, keyword: str, code: int) -> int:
        if status == keyword and status not in self.code_of:
            return code
        # A log of completions says that `A` is finished, which is when an order enters `A:done`.
        completed = self.promise.log.marks == "completion" and not status.endswith(DONE)
        return self.code_of[status + DONE if completed else status]

    @cached_property
    def stage_rank(self) -> NDArray[np.float64]:
        """Each stage's first rank on the main line (OFF_MAIN_LINE where it has none)."""
        ranks = np.full(len(self.stages), OFF_MAIN_LINE)
        np.minimum.at(ranks, self.stage_of, self.rank)
        ranks[-1] = OFF_MAIN_LINE
        return ranks

    @cached_property
    def end_rank(self) -> float:
        """The rank of the status that ends the clock, as the promise file writes it."""
        end = self.promise.promise.end
        return OFF_MAIN_LINE if self.end_code == LAST_EVENT else float(self.rank[self.code_of[end]])

    def budgets_ahead_us(self, last_rank: NDArray[np.float64]) -> NDArray[np.int64]:
        """Sum the budgets of the stages still ahead of orders whose last main-line status has this rank."""
        ahead = np.zeros(len(last_rank), dtype=np.int64)
        for rank, budget in zip(self.stage_rank, self.budget_us, strict=True):
            if budget > 0 and rank < min(self.end_rank, OFF_MAIN_LINE):
                ahead += np.where(rank > last_rank, budget, 0)
        return ahead
