"""Quotes from kept measures: requests in batches as a broker hands them over, through the inbox, to stored answers."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pricing.messages import PRICE_CALCULATE, PriceCalculate
from pricing.storage import create_store
from pricing.workers.app import create_service
from pricing.workers.settings import Settings
from services.bus import EmbeddedTransport, Message
from tests.bench.environments import Skipped
from tests.bench.processes import PEAK_UNIT, Program, ProgramFailed, Run, compare, figures
from tests.bench.servers import postgresql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pricing.workers.app import Service
    from tests.bench.contests import Bench, Figures

BATCH: Final = 100
PATIENCE_S: Final = 120.0


def cached_quotes(bench: Bench, model: Path) -> Figures:
    """Measure a batch of requests for a model that is measured: its alloy and the materials are known."""
    bench.say(f"{BATCH} quotes from kept measures")
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        found = _figures(bench, "sqlite", f"sqlite+aiosqlite:///{folder}/pricing.db", model)
    try:
        with postgresql() as server:
            return found | _figures(bench, "postgresql", f"postgresql+asyncpg://{server.database()}", model)
    except (Skipped, ProgramFailed) as reason:
        bench.say(f"postgresql: {reason}")
        return found | {"postgresql": {"skipped": str(reason)}}


def _figures(bench: Bench, name: str, database: str, model: Path) -> Figures:
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder, asyncio.Runner() as runner:
        asking = runner.run(_begun(database, Path(folder), model))
        try:
            batch = Program(name, "this checkout", lambda: runner.run(asking.ask(BATCH)))
            (result,) = compare([batch], bench.runs, bench.say)
        finally:
            runner.run(asking.service.stop())
        return {name: figures(result, BATCH, result)}


async def _begun(database: str, folder: Path, path: Path) -> _Asking:
    """Run the service until it has priced the model once."""
    store = create_store(str(folder))
    service = create_service(Settings(database=database, models=folder), EmbeddedTransport(), models=store)
    await service.start()
    asking = _Asking(service, (await store.put(_parts(path))).name)
    await asking.ask(1)
    return asking


async def _parts(path: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(path.read_bytes)


@dataclass
class _Asking:
    service: Service
    model: str
    number: count[int] = field(default_factory=count)

    async def ask(self, requests: int) -> Run:
        """Hand over a batch and return what it took until the last answer was stored. Raises ProgramFailed."""
        bodies = [self._request(next(self.number)) for _ in range(requests)]
        before = await self._answered()
        began, cpu = time.perf_counter(), time.process_time()
        await self.service.bus.receive(bodies)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        while (answered := await self._answered() - before) < requests:
            if requests > 1 or time.perf_counter() - began > PATIENCE_S:  # the first one is measured before
                raise ProgramFailed(f"{answered} of {requests} were answered")
            await asyncio.sleep(0.05)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT
        return Run(wall, cpu, peak)

    def _request(self, number: int) -> bytes:
        wanted = PriceCalculate(model=self.model, reply_to="bench", channel="online").document()
        return Message(f"r{number}", "/bench", PRICE_CALCULATE, f"o{number}", datetime.now(UTC), wanted).to_json()

    async def _answered(self) -> int:
        registry, labels = self.service.telemetry.registry, {"class": "shop"}
        refused = registry.get_sample_value("touchstone_pricing_refusals_total", {"reason": "failed"})
        if refused:
            raise ProgramFailed("a request failed")
        return int(registry.get_sample_value("touchstone_pricing_answers_total", labels) or 0)
