"""One claimed piece of work, from its lease to what is stored of it.

Whatever is stored is stored under the measuring's row lock, and only if it is still wanted: where a lease was lost, two
workers may finish the same, and the second one changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_trace_id, get_current_span

from instrumentation.errors import TouchstoneError
from pricing.messages import PriceClass
from pricing.sandbox import Crashed, ModelRead, OverLimit, Progressed, StepEnded
from pricing.workers import claims, store
from pricing.workers import conventions as names
from pricing.workers.bench import ModelMissing, RefusedAtBench
from pricing.workers.failing import Failing
from pricing.workers.model import (
    OPEN,
    RENEW_S,
    SLABBED_BYTES,
    SLABBED_TRIANGLES,
    Claim,
    Measuring,
    Stage,
    heavy,
    poisoned,
    slabs_of,
)
from pricing.workers.outcomes import digest, measured, not_measured, of_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncConnection

    from pricing.calculation import Measured
    from pricing.refusals import Point
    from pricing.sandbox import Event
    from pricing.workers.bench import Bench, Drawn
    from pricing.workers.desk import Answered, Round
    from pricing.workers.model import Request
    from pricing.workers.tools import Tools

LOG: Final = logging.getLogger("touchstone.pricing")
BEAT_S: Final = 0.5
SOON_S: Final = 1.0  # what takes no longer is not worth a word before its end
# How much of the whole is done when slabs begin, and when they end.
PREPARED, SLABBED, NEARLY = 0.3, 0.9, 0.95


class _Changed(TouchstoneError):
    """The model is another kind of work than it was taken for."""

    def __init__(self, stage: Stage, price_class: PriceClass) -> None:
        super().__init__()
        self.stage, self.price_class = stage, price_class


class Run:
    """One claim at one bench. ``corrected`` is set when the model turns out to be heavy while it is computed."""

    def __init__(self, claim: Claim, bench: Bench, tools: Tools) -> None:
        self.claim, self.bench, self.tools = claim, bench, tools
        self.measuring: Measuring = claim.measuring
        self.corrected = asyncio.Event()
        self.failing = Failing(claim, tools)
        self._progress = claim.measuring.progress
        self._told = -1.0
        self._began = asyncio.get_running_loop().time()
        self._leading: Request | None = None
        self._stages = {
            Stage.MEASURE: self._measure,
            Stage.PREPARE: self._prepare,
            Stage.SLABS: self._slab,
            Stage.REDUCE: self._reduce,
            Stage.PICTURE: self._pictures,
        }

    async def go(self) -> None:
        """Do the work, and store what came of it, be it that it failed. Who cancels it puts it back."""
        waiting = await self.tools.read(partial(store.unanswered, key=self.claim.key))
        self._leading = waiting[0] if waiting else None
        with self.tools.desk.entered(self._leading) if self._leading else contextlib.nullcontext():
            get_current_span().set_attribute(names.ATTRIBUTE + "stage", self.claim.stage.value)
            beating = asyncio.create_task(self._beat())
            try:
                if self.claim.heavy and self.claim.stage is not Stage.PICTURE:
                    await self._tell()
                await self._done()
            finally:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)

    async def _done(self) -> None:
        if poisoned(self.claim.failures, self.claim.losses):
            await self.failing.lost("workers were lost over it again and again", counted=False)
            return
        try:
            await self._stages[self.measuring.stage]()
        except _Changed as change:
            await self.put_back(stage=change.stage, price_class=change.price_class)
        except RefusedAtBench as refused:
            pictured = refused.picture is not None
            result = not_measured(of_refusal(refused.refusal, pictured=pictured))
            await self._settle(result, refused.picture)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told apart there
            await self.failing.of(error)

    async def put_back(self, stage: Stage | None = None, price_class: PriceClass | None = None) -> None:
        """Let go of the work at once, as it is or as what it turned out to be; nothing counts against it."""
        values: dict[str, Any] = {} if stage is None else {"stage": stage.value}

        async def work(connection: AsyncConnection) -> None:
            if await claims.put_back(connection, self.claim, self.tools.now(), **values) and price_class is not None:
                await store.correct_class(connection, self.claim.key, price_class, self.measuring.triangles)

        await self.tools.database.write(work)

    async def correct(self) -> None:
        """Note that the model is heavy; the work goes on."""
        work = partial(
            store.correct_class,
            key=self.claim.key,
            price_class=PriceClass.HEAVY,
            triangles=self.measuring.triangles,
        )
        await self.tools.database.write(work)

    # Stages

    async def _measure(self) -> None:
        size = await self.bench.size(self.measuring.model)
        if size > SLABBED_BYTES:
            raise _Changed(Stage.PREPARE, PriceClass.HEAVY)
        if not self.claim.heavy and heavy(model_bytes=size):
            raise _Changed(Stage.MEASURE, PriceClass.HEAVY)
        await self._drawn(await self.bench.measure(self.measuring, self._heard, self._marks))

    async def _prepare(self) -> None:
        objects, triangles = await self.bench.prepare(self.measuring, self._heard)

        async def work(connection: AsyncConnection) -> None:
            found = await store.lock_measuring(connection, self.claim.key)
            if found is None or found.stage is not Stage.PREPARE:
                return
            await claims.drop_slabs(connection, self.claim.key)
            await claims.cut(connection, self.claim, slabs_of(triangles), self.tools.now())
            values = {"stage": Stage.SLABS.value, "prepared": objects, "worker": None}
            await store.change(connection, self.claim.key, **values, failures=0, losses=0)

        await self.tools.database.write(work)
        await self._tell(PREPARED)

    async def _slab(self) -> None:
        if self.claim.slab is None:
            raise AssertionError(self.claim)
        output = await self.bench.slab(self.measuring, self.claim.slab, self._heard)

        async def work(connection: AsyncConnection) -> float | None:
            found = await store.lock_measuring(connection, self.claim.key)
            share = await claims.close_slab(connection, self.claim, output, self.tools.now())
            if share == 1.0 and found is not None and found.stage is Stage.SLABS:
                values = {"stage": Stage.REDUCE.value, "worker": None, "due_at": self.tools.now()}
                await store.change(connection, self.claim.key, **values)
            return share

        share = await self.tools.database.write(work)
        if share is not None:
            self.tools.metrics.slab()
            await self._tell(PREPARED + share * (SLABBED - PREPARED))

    async def _reduce(self) -> None:
        outputs = await self.tools.read(partial(claims.outputs, key=self.claim.key))
        await self._drawn(await self.bench.reduce(self.measuring, outputs, self._heard, self._marks))

    async def _pictures(self) -> None:
        """Answer whoever waits, and draw what is wanted for that, until nobody waits."""
        await self._served(await self.tools.database.write(self._answer_all))

    async def _answer_all(self, connection: AsyncConnection, *, draw: bool = True) -> Round:
        leading = self._leading.id if self._leading else None
        return await self.tools.desk.answer_all(connection, self.claim.key, leading, draw=draw)

    async def _served(self, done: Round) -> None:
        if "measured" in (self.measuring.result or {}):
            await self.tools.desk.shelf.admit(self.measuring.model)
        answered = done.answered
        while done.wanted:
            draw = await self._draw(done.wanted)
            done = await self.tools.database.write(partial(self._answer_all, draw=draw))
            answered += done.answered
        self._account(answered)
        await self.tools.discard(done.spent)

    async def _draw(self, wanted: Mapping[str, tuple[Point, ...]]) -> bool:
        """Draw and keep pictures; return whether the model is there to be drawn."""
        try:
            for key, marks in wanted.items():
                await self._keep_picture(key, await self._picture(marks))
        except ModelMissing as error:
            LOG.warning("no picture: %s", error)
            return False
        return True

    async def _picture(self, marks: tuple[Point, ...]) -> str | None:
        """Draw a picture; a price does not wait for one that cannot be drawn."""
        try:
            return await self.bench.picture(self.measuring, marks, self._heard)
        except (RefusedAtBench, OverLimit) as error:
            LOG.warning("no picture: %s", error)
        except Crashed as error:
            if self.failing.foreign(error):
                raise
            LOG.warning("no picture: %s", error)
        return None

    # What is stored

    async def _drawn(self, drawn: Drawn) -> None:
        await self._settle(measured(drawn.measured), drawn.picture, drawn.marks)

    def _marks(self, found: Measured) -> tuple[Point, ...]:
        """Return what the picture is to show for whoever asked first."""
        if self._leading is None:
            return ()
        asked = self._leading
        return self.tools.desk.pricer.priced(found, asked.alloy, asked.quantity, asked.terms).marks

    async def _settle(self, result: dict[str, Any], picture: str | None, marks: tuple[Point, ...] | None = ()) -> None:
        """Store the result unless somebody else has, and answer. ``marks``: None where nothing is known of pictures."""
        key = self.claim.key

        async def work(connection: AsyncConnection) -> tuple[Measuring | None, Round]:
            found = await store.lock_measuring(connection, key)
            if found is not None and found.stage in OPEN and found.stage is not Stage.PICTURE:
                if marks is not None:
                    await store.keep_picture(connection, key, digest(marks), picture)
                values = {"stage": Stage.PICTURE.value, "result": result, "triangles": self.measuring.triangles}
                await store.change(connection, key, **values, failures=0, losses=0, progress=1.0)
            return await store.lock_measuring(connection, key), await self._answer_all(connection)

        settled, done = await self.tools.database.write(work)
        self.measuring = settled or self.measuring
        await self._served(done)

    async def _keep_picture(self, marks: str, name: str | None) -> None:
        work = partial(store.keep_picture, key=self.claim.key, marks=marks, name=name)
        await self.tools.database.write(work)

    # What is told

    def _heard(self, event: Event) -> None:
        if isinstance(event, ModelRead):
            self._read(event.triangles)
        elif isinstance(event, Progressed):
            if self.claim.slab is None:
                most = PREPARED if self.claim.stage is Stage.PREPARE else NEARLY
                self._progress = max(self._progress, event.progress * most)
        elif isinstance(event, StepEnded):
            facts = {names.ATTRIBUTE + name: fact for name, fact in event.facts.items() if fact is not None}
            self.tools.telemetry.span_of(event.step, event.begin_ns, event.end_ns, facts, failed=event.failed)

    def _read(self, triangles: int) -> None:
        if self.claim.stage is not Stage.MEASURE:
            return
        self.measuring = self.failing.read(triangles)
        if triangles > SLABBED_TRIANGLES:
            raise _Changed(Stage.PREPARE, PriceClass.HEAVY)
        if heavy(triangles=triangles) and not self.claim.heavy:
            self.corrected.set()

    async def _beat(self) -> None:
        """Renew the lease, and tell how far the work is."""
        renewed = self._began
        while True:
            await asyncio.sleep(BEAT_S)
            now = asyncio.get_running_loop().time()
            try:
                if now - renewed >= RENEW_S:
                    await self.tools.database.write(partial(claims.renew, claim=self.claim, now=self.tools.now()))
                    renewed = now
                if now - self._began >= SOON_S and self._progress > self._told:
                    await self._tell()
            except Exception as error:  # noqa: BLE001 - the work goes on; a lease that runs out does no harm
                LOG.warning("no word of the work now: %s: %s", type(error).__name__, error)

    async def _tell(self, progress: float | None = None) -> None:
        self._progress = self._told = max(self._progress, progress or 0.0)
        await self.tools.database.write(partial(self.tools.desk.tell, key=self.claim.key, progress=self._progress))

    def _account(self, answered: list[Answered]) -> None:
        """Count a calculation and log it."""
        began = self.measuring.begun_at or self.tools.now()
        seconds = max(self.tools.now() - began, 0) / 1_000_000
        span = get_current_span()
        triangles, price_class = self.measuring.triangles, self.measuring.price_class
        if triangles is not None:
            span.set_attribute(names.ATTRIBUTE + "triangles", triangles)
        span.set_attribute(names.ATTRIBUTE + "class", price_class.value)
        if not answered:
            return
        traced = self.tools.telemetry.tracing is not None and span.get_span_context().is_valid
        trace = format_trace_id(span.get_span_context().trace_id) if traced else None
        self.tools.metrics.calculated(price_class, triangles, seconds, trace)
        outcome = answered[0].outcome.name
        span.set_attribute(names.ATTRIBUTE + "outcome", outcome)
        fields = {"class": price_class.value, "seconds": round(seconds, 3), "triangles": triangles}
        LOG.info("calculated: %s", outcome, extra=fields | {"outcome": outcome, "requests": len(answered)})
