"""Playing a drill, and judging it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from alerts.drills.evaluating import Rules, evaluate
from alerts.drills.judging import judge
from alerts.drills.model import Outcome
from alerts.drills.run import SEED, Run
from alerts.settings import default_settings
from collectors.promise import load_promise
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from alerts.drills.model import Drill
    from alerts.drills.parts import Parts
    from alerts.settings import Settings


def drilled(drill: Drill, parts: Parts, seed: int = SEED) -> Outcome:
    """Play a drill in a folder of its own and return what came of it. ``seed``: of a simulated flow of orders."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix=f"touchstone-drill-{drill.name}-") as folder:
        try:
            outcome = asyncio.run(_drilled(drill, Path(folder), parts, seed))
        except (TouchstoneError, httpx.HTTPError) as error:
            outcome = Outcome(drill, failure=str(error) or type(error).__name__)
    return replace(outcome, seconds=time.perf_counter() - began)


async def _drilled(drill: Drill, folder: Path, parts: Parts, seed: int) -> Outcome:
    async with Run.open(drill, folder, parts, seed) as run:
        await drill.play(run)
        grid, begun, mended = run.grid, run.begun, run.mended
    if begun is None or mended is None:
        raise AssertionError(f"{drill.name} broke nothing")
    rules = Rules(load_promise(), settings(drill))
    (folder / "judging").mkdir()
    found = await asyncio.to_thread(evaluate, parts, folder / "judging", run.history, grid, rules)
    return judge(drill, found, begun, mended)


def settings(drill: Drill) -> Settings:
    """Return the settings of a drill's house: it consists of the drill's jobs."""
    return default_settings().model_copy(update={"jobs": list(drill.jobs)})
