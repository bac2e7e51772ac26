"""How long an order may be in a stage before it is stuck: that stage's own P99, from orders that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.promise.model import DONE
from collectors.reconciliation.comparing import Limit
from collectors.timelines.codebook import NO_BUDGET, OFF_MAIN_LINE

if TYPE_CHECKING:
    from collectors.stages.eta import History
    from collectors.timelines.codebook import Codebook

FEWEST: Final = 100  # below it, the highest sample is all that a P99 knows
P99: Final = "P99"
BUDGET: Final = "budget"


def stage_limits(codebook: Codebook, history: History | None = None) -> list[Limit]:
    """Return the limit of each stage that has one: its P99, or its budget where fewer than 100 orders tell.

    A stage without either has none, as has one whose budget is working time: elapsed time cannot be held against it.
    """
    found = []
    for stage, name in enumerate(codebook.stages[:-1]):
        inside = () if history is None else history.sample(stage)[0]
        if len(inside) >= FEWEST:
            found.append(Limit(name, int(np.percentile(inside, 99)), P99, len(inside)))
        elif codebook.budget_us[stage] != NO_BUDGET and not codebook.working[stage]:
            found.append(Limit(name, int(codebook.budget_us[stage]), BUDGET, len(inside)))
    return found


def by_status(codebook: Codebook, limits: list[Limit]) -> dict[str, Limit]:
    """Return the limit of each status that an order can be stuck in: one before the promise's end."""
    of_stage = {limit.stage: limit for limit in limits}
    cancelling = set(codebook.promise.statuses.cancelled)
    found = {}
    for status in codebook.promise.statuses.all():
        code = codebook.code_of[status]
        rank = codebook.rank[code]
        ended = rank != OFF_MAIN_LINE and rank >= codebook.end_rank
        limit = of_stage.get(codebook.stages[codebook.stage_of[code]])
        if limit is not None and not ended and status not in cancelling and not status.endswith(DONE):
            found[status] = limit
    return found
