"""What the service does by itself, step by step, such as making the calls that are owed to the vendor."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Step = Callable[[], Awaitable[bool]]

LOG: Final = logging.getLogger("touchstone.mes")
LONGEST_PAUSE_S: Final = 10.0


class Background:
    """Runs steps again and again: at once while there is work, else every ``pause_s``; less often after failures."""

    def __init__(self, steps: Mapping[str, Step], pause_s: float) -> None:
        self.steps, self.pause_s = dict(steps), pause_s
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._run(name, step)) for name, step in self.steps.items()]

    async def stop(self) -> None:
        """End; a step that is cut off is made again at the next start."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _run(self, name: str, step: Step) -> None:
        failures = 0
        while True:
            try:
                more = await step()
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing is lost and the loop goes on
                failures += 1
                if failures & (failures - 1) == 0:  # said at first, and less and less often
                    LOG.warning("%s pauses: %s", name, error)
                await asyncio.sleep(min(self.pause_s * (1 << min(failures, 10)), LONGEST_PAUSE_S))
                continue
            if failures:
                LOG.info("%s goes on", name)
            failures = 0
            await asyncio.sleep(0 if more else self.pause_s)
