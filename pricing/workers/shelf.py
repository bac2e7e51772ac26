"""The store of models as the desk uses it: looks that hold no answer up, and models let out of quarantine."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pricing.storage import ModelStore

LOG: Final = logging.getLogger("touchstone.pricing")
LOOK_S: Final = 1.0
SEEN_S: Final = 1.0  # a batch of requests for one model looks once
SEEN: Final = 1_000
BLIND_S: Final = 30.0  # after a look that failed: a store that is down costs one look, not one for each request
PAUSES_S: Final = (1.0, 5.0, 30.0, 120.0)


class Shelf:
    """What answers hang on in the store. None of it is worth more than the answer."""

    def __init__(
        self, models: ModelStore, now: Callable[[], float] = time.monotonic, pauses_s: Sequence[float] = PAUSES_S
    ) -> None:
        """``now``: seconds of a monotonic clock; ``pauses_s``: between tries to let a model out of quarantine."""
        self._models, self._now, self._pauses_s = models, now, pauses_s
        self._blind_until = now()
        self._admitting: dict[str, asyncio.Task[None]] = {}
        self._seen: dict[str, float] = {}  # until when nobody looks again

    async def gone(self, name: str) -> bool:
        """Whether an object is missing; a store that does not answer soon is believed to have it."""
        now = self._now()
        if now < self._blind_until or self._lately(name, now):
            return False
        try:
            async with asyncio.timeout(LOOK_S):
                gone = not await self._models.exists(name)
        except OSError as error:  # TimeoutError is one
            self._blind_until = self._now() + BLIND_S
            LOG.warning("nobody looks for pictures now: %s: %s", type(error).__name__, error)
            return False
        if not gone:
            self._seen[name] = now + SEEN_S
        return gone

    def _lately(self, name: str, now: float) -> bool:
        if len(self._seen) > SEEN:
            self._seen = {one: until for one, until in self._seen.items() if until > now}
        return self._seen.get(name, now) > now

    async def admit(self, model: str) -> None:
        """Let a measured model out of quarantine, now if the store answers, else soon."""
        if not await self._admitted(model):
            self.admit_soon(model, waited=True)

    def admit_soon(self, model: str, *, waited: bool = False) -> None:
        """Let a measured model out of quarantine; nobody waits for it. ``waited``: it has just been tried."""
        now, admitted = self._now(), f"admitted {model}"
        if model not in self._admitting and not self._lately(admitted, now):
            self._seen[admitted] = now + SEEN_S
            task = asyncio.create_task(self._admit(model, self._pauses_s if waited else (0.0, *self._pauses_s)))
            self._admitting[model] = task
            task.add_done_callback(lambda _: self._admitting.pop(model, None))

    async def close(self) -> None:
        """Leave what is still to be admitted to whoever asks for it next."""
        tasks = list(self._admitting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _admit(self, model: str, pauses_s: Sequence[float]) -> None:
        for pause in pauses_s:
            await asyncio.sleep(pause)
            if await self._admitted(model):
                return

    async def _admitted(self, model: str) -> bool:
        try:
            await self._models.admit(model)
        except KeyError:  # deleted meanwhile: its price stands
            return True
        except OSError as error:
            LOG.warning("a measured model stays in quarantine for now: %s: %s", type(error).__name__, error)
            return False
        return True
