"""What becomes of work that went wrong: tried again, counted against the model or not, and given up in the end."""

from __future__ import annotations

import logging
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from pricing.refusals import too_complex
from pricing.sandbox import Crashed, OverLimit
from pricing.workers import claims, store
from pricing.workers.bench import ModelMissing, WorkMissing
from pricing.workers.conventions import CRASHED, ENDED, FAILED
from pricing.workers.desk import OUR_FAULT
from pricing.workers.model import MISSING_PATIENCE_US, SECOND, Stage, pause_us, poisoned
from pricing.workers.outcomes import refused

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pricing.workers.model import Claim, Measuring
    from pricing.workers.outcomes import Outcome
    from pricing.workers.tools import Tools

LOG: Final = logging.getLogger("touchstone.pricing")
MISSING: Final = "We cannot find the file of your model, which is not your fault; upload it again, or write to us."
# What nothing that a model does makes of a process: somebody else ended it.
FOREIGN: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class Failing:
    """Decides for one claim."""

    def __init__(self, claim: Claim, tools: Tools) -> None:
        self.claim, self.tools = claim, tools

    def read(self, triangles: int) -> Measuring:
        """Note how many triangles the model has."""
        measuring = replace(self.claim.measuring, triangles=triangles)
        self.claim = replace(self.claim, measuring=measuring)
        return measuring

    @staticmethod
    def foreign(error: Crashed) -> bool:
        """Whether a child was ended from outside."""
        return error.signal in FOREIGN

    async def of(self, error: Exception) -> None:
        """Do what an error asks for."""
        if isinstance(error, OverLimit):
            self.tools.metrics.killed(error.what)
            refusal = too_complex(error.what)
            await self._give_up(refused(refusal.code.value, refusal.detail), str(error))
        elif isinstance(error, Crashed):
            foreign = self.foreign(error)
            self.tools.metrics.killed(ENDED if foreign else CRASHED)
            await (self.lost(str(error)) if foreign else self.failed(str(error)))
        elif isinstance(error, ModelMissing):
            await self._missing()
        elif isinstance(error, WorkMissing):
            await self._prepare_again()
        elif isinstance(error, OSError | SQLAlchemyError):
            await self.lost(f"{type(error).__name__}: {error}")
        else:
            LOG.error("work failed", exc_info=error)
            await self.failed(f"{type(error).__name__}: {error}")

    async def failed(self, reason: str) -> None:
        """Count a failure of the model's own; at the third it is given up."""
        failures = self.claim.failures + 1
        if poisoned(failures, 0):
            await self._give_up(refused(FAILED, OUR_FAULT), reason)
            return
        LOG.warning("work failed and is tried again: %s", reason)
        await self._put_back(pause_us(failures), failures=failures)

    async def lost(self, reason: str, *, counted: bool = True) -> None:
        """Count a loss that the model is not to blame for; ``counted``: False where it has been."""
        losses = self.claim.losses + counted
        if poisoned(0, losses):
            await self._give_up(refused(FAILED, OUR_FAULT), reason)
            return
        LOG.warning("work was lost and is done again: %s", reason)
        await self._put_back(pause_us(losses) if losses > 1 else 0, losses=losses)

    async def _missing(self) -> None:
        waited = self.tools.now() - self.claim.measuring.asked_at
        if waited >= MISSING_PATIENCE_US:
            await self._give_up(refused(FAILED, MISSING), "the model is not in the store")
            return
        await self._put_back(SECOND)

    async def _prepare_again(self) -> None:
        """Begin a very heavy model again: what was prepared of it is gone."""

        async def work(connection: AsyncConnection) -> None:
            found = await store.lock_measuring(connection, self.claim.key)
            if found is None or found.stage not in (Stage.SLABS, Stage.REDUCE):
                return
            await claims.drop_slabs(connection, self.claim.key)
            values = {"stage": Stage.PREPARE.value, "prepared": None, "worker": None, "due_at": self.tools.now()}
            await store.change(connection, self.claim.key, **values, losses=self.claim.losses + 1)

        LOG.warning("what was prepared of a model is gone, so it is prepared again")
        await self.tools.database.write(work)

    async def _put_back(self, pause: int, **counts: int) -> None:
        due = self.tools.now() + pause

        async def work(connection: AsyncConnection) -> bool:
            return await claims.put_back(connection, self.claim, due, **counts)

        await self.tools.database.write(work)

    async def _give_up(self, outcome: Outcome, reason: str) -> None:
        work = partial(self.tools.desk.fail, claim=self.claim, outcome=outcome, reason=reason)
        done = await self.tools.database.write(work)
        if done is None:
            LOG.warning("others have this work now, so its failure here counts for nothing: %s", reason)
            return
        measuring = self.claim.measuring
        fields = {"class": measuring.price_class.value, "triangles": measuring.triangles, "outcome": outcome.name}
        LOG.warning("given up: %s", reason, extra=fields | {"requests": len(done.answered)})
        await self.tools.discard(done.spent)
