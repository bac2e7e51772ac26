"""Where requests come in and answers go out: every way to an answer leads through here, inside one transaction."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import trace
from pydantic import ValidationError

from pricing.materials import DEFAULT_ALLOY
from pricing.messages import (
    PRICE_CALCULATED,
    PRICE_PROGRESSED,
    PRICE_REFUSED,
    PriceCalculate,
    PriceClass,
    PriceProgressed,
    class_of,
)
from pricing.refusals import RefusalCode
from pricing.workers import claims, store
from pricing.workers import conventions as names
from pricing.workers.model import (
    ANSWERABLE,
    OPEN,
    SECOND,
    STANDS_US,
    Measuring,
    Request,
    Stage,
    measuring_key,
    micros,
    moment_of,
    more_urgent,
)
from pricing.workers.outcomes import Outcome, not_measured, refused
from services.bus import Refusal as DeadLetter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from instrumentation import Telemetry
    from pricing.refusals import Point
    from pricing.workers.metrics import PricingMetrics
    from pricing.workers.model import Claim
    from pricing.workers.outcomes import Pricer
    from pricing.workers.shelf import Shelf
    from services.bus import Message

    Send = Callable[[AsyncConnection, str, str, str, dict[str, Any]], Awaitable[object]]

LOG: Final = logging.getLogger("touchstone.pricing")
TELL_EVERY_US: Final = 2 * SECOND
OUR_FAULT: Final = "Our software failed on this model, which is not your fault; we price it by hand."


class Answered(NamedTuple):
    """A request that was answered just now."""

    request: Request
    outcome: Outcome


@dataclass
class Round:
    """What came of answering all that could be: who was, which pictures are wanted, what is not needed any more."""

    answered: list[Answered] = field(default_factory=list)
    wanted: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    spent: list[str] = field(default_factory=list)


class Desk:
    """Takes requests and answers them. ``send`` is the bus's, in the transaction at hand."""

    def __init__(
        self,
        pricer: Pricer,
        send: Send,
        clock: Callable[[], datetime],
        telemetry: Telemetry,
        metrics: PricingMetrics,
        shelf: Shelf,
    ) -> None:
        self.pricer, self.send, self.clock, self.shelf = pricer, send, clock, shelf
        self.telemetry, self.metrics = telemetry, metrics

    async def take(self, connection: AsyncConnection, message: Message) -> None:
        """Answer a request at once if its model is measured, else have it measured; one under way is joined."""
        try:
            asked = PriceCalculate.model_validate(message.data)
        except ValidationError as error:
            raise DeadLetter(f"the data are no price request: {error}") from error
        now = micros(self.clock())
        request = self._request(message, asked, now)
        reason = self.pricer.unanswerable(request.alloy, request.quantity)
        if reason is None and await self._quoted(connection, request):
            return
        if not await store.add_request(connection, request):
            return
        if reason is not None:
            await self._answer(connection, request, refused(RefusalCode.UNSUPPORTED, reason), now, None)
            return
        new = Measuring(request.key, asked.model, asked.unit, request.price_class, Stage.MEASURE, now)
        found = await store.lock_measuring(connection, request.key)
        if found is None:
            await store.add_measuring(connection, new)
            found = await store.lock_measuring(connection, request.key) or new
        await self._join(connection, request, found, now)

    async def _quoted(self, connection: AsyncConnection, request: Request) -> bool:
        """Answer a request for what was quoted before, with all speed; return whether that could be."""
        found = await store.find_quoted(connection, self._quote_key(request))
        if found is None:
            return False
        outcome = Outcome.from_document(found.document)
        wanted = outcome.picture
        name = found.pictures.get(wanted or "")
        missing = wanted is not None and wanted not in found.pictures
        if missing or (name is not None and await self.shelf.gone(name)):
            return False
        if await store.add_request(connection, request, outcome.name):
            self.metrics.cache(names.MEASURES, hit=True)
            self.metrics.cache(names.QUOTES, hit=True)
            self.shelf.admit_soon(found.model)
            await self._say(connection, request, outcome, request.asked_at, moment_of(request.asked_at), name)
            LOG.info("answered without a mesh: %s", outcome.name, extra={"class": request.price_class.value})
        return True

    def _quote_key(self, request: Request) -> store.QuoteKey:
        terms = request.terms or store.NO_TERMS
        return store.QuoteKey(request.key, self.pricer.version, request.alloy, request.quantity, terms)

    def _request(self, message: Message, asked: PriceCalculate, now: int) -> Request:
        return Request(
            id=message.id,
            order=message.subject,
            key=measuring_key(asked.model, asked.unit, self.pricer.measuring),
            price_class=class_of(asked.channel, asked.model_bytes),
            alloy=asked.alloy or DEFAULT_ALLOY,
            quantity=asked.quantity,
            terms=self.pricer.terms(asked.channel),
            reply_to=asked.reply_to,
            asked_at=now,
            traceparent=message.traceparent,
        )

    async def _join(self, connection: AsyncConnection, request: Request, found: Measuring, now: int) -> None:
        known = found.stage in ANSWERABLE or _stands(found, now)
        self.metrics.cache(names.MEASURES, hit=known)
        if known:
            await self._answer_from(connection, request, found, now)
        elif found.stage is Stage.FAILED:
            await self._reopen(connection, request, found, Stage.MEASURE, now)
        else:
            urgent = more_urgent(found.price_class, request.price_class)
            await self._hurry(connection, found, urgent)

    async def _hurry(self, connection: AsyncConnection, found: Measuring, price_class: PriceClass) -> None:
        """Have a measuring be of a class; if that is heavy, so are all that wait for it."""
        if price_class is PriceClass.HEAVY:
            await store.correct_class(connection, found.key, price_class, found.triangles)
        else:
            await store.change(connection, found.key, **{"class": price_class.value})

    async def _reopen(
        self, connection: AsyncConnection, request: Request, found: Measuring, stage: Stage, now: int
    ) -> None:
        # What the last request wanted of it is over, so only this one says how urgent it is; heavy is the model.
        heavy = found.price_class is PriceClass.HEAVY
        urgent = PriceClass.HEAVY if heavy else request.price_class
        await store.reopen(connection, found.key, stage, urgent, now)
        await self._hurry(connection, found, urgent)

    async def _answer_from(self, connection: AsyncConnection, request: Request, found: Measuring, now: int) -> None:
        result = found.result or {}
        if "measured" in result:  # its bytes may have been deleted and uploaded again
            self.shelf.admit_soon(found.model)
        outcome = await self._outcome(connection, request, result)
        pictures = await self._pictures(connection, found, outcome)
        if outcome.picture is None or outcome.picture in pictures:
            await self._answer(connection, request, outcome, now, pictures.get(outcome.picture or ""))
            LOG.info("answered without a mesh: %s", outcome.name, extra={"class": request.price_class.value})
        elif found.stage is Stage.DONE:
            # Its picture is gone, or the problems are others than those that were drawn: of another alloy, say. What
            # was refused is looked at again as a whole: only then it is known where the trouble is.
            stage = Stage.PICTURE if "measured" in result else Stage.MEASURE
            await self._reopen(connection, request, found, stage, now)

    async def _pictures(self, connection: AsyncConnection, found: Measuring, outcome: Outcome) -> dict[str, str | None]:
        """Return a model's pictures; that of an outcome only if the store has it still, None if it cannot be drawn."""
        pictures = await store.find_pictures(connection, found.key)
        name = pictures.get(outcome.picture or "")
        if outcome.picture is None or name is None or not await self.shelf.gone(name):
            return pictures
        if await self.shelf.gone(found.model):
            return pictures | {outcome.picture: None}
        await store.forget_picture(connection, found.key, outcome.picture)
        return {marks: name for marks, name in pictures.items() if marks != outcome.picture}

    async def _outcome(self, connection: AsyncConnection, request: Request, result: dict[str, Any]) -> Outcome:
        if "refused" in result:
            return Outcome.from_document(result["refused"])
        wanted = self._quote_key(request)
        kept = await store.find_quote(connection, wanted)
        self.metrics.cache(names.QUOTES, hit=kept is not None)
        if kept is not None:
            return Outcome.from_document(kept)
        try:
            outcome = self.pricer.outcome(result, request.alloy, request.quantity, request.terms)
        except Exception:
            LOG.exception("a measured model could not be priced", extra={"order_id": request.order})
            return refused(names.FAILED, OUR_FAULT)
        await store.keep_quote(connection, wanted, outcome.to_document())
        return outcome

    async def _answer(
        self, connection: AsyncConnection, request: Request, outcome: Outcome, begun_at: int, picture: str | None
    ) -> bool:
        """Answer a request unless it has been answered; return whether it was now."""
        done = self.clock()
        if not await store.close_request(connection, request.id, outcome.name, micros(done)):
            return False
        await self._say(connection, request, outcome, begun_at, done, picture)
        return True

    async def _say(
        self,
        connection: AsyncConnection,
        request: Request,
        outcome: Outcome,
        begun_at: int,
        done: datetime,
        picture: str | None,
    ) -> None:
        begun = moment_of(max(begun_at, request.asked_at))
        said = outcome.answer(request, begun, done, picture)
        kind = PRICE_CALCULATED if outcome.code is None else PRICE_REFUSED
        await self.send(connection, request.reply_to, kind, request.order, said.document())
        self.metrics.answered(request.price_class, outcome.code)

    async def answer_all(
        self, connection: AsyncConnection, key: str, leading: str | None = None, *, draw: bool = True
    ) -> Round:
        """Answer whoever waits for a measuring that is done, and close it once nobody waits for a picture.

        ``leading``: the request whose trace the present span continues; others get a span in theirs. ``draw``: False
        where a picture that is missing is not to be waited for.
        """
        round_ = Round()
        found = await store.lock_measuring(connection, key)
        if found is None or found.stage not in ANSWERABLE:
            return round_
        pictures = await store.find_pictures(connection, key)
        now = micros(self.clock())
        for request in await store.unanswered(connection, key):
            outcome = await self._outcome(connection, request, found.result or {})
            if draw and outcome.picture is not None and outcome.picture not in pictures:
                round_.wanted[outcome.picture] = outcome.marks
                continue
            with self._joined(request, leading):
                picture = pictures.get(outcome.picture or "")
                if await self._answer(connection, request, outcome, found.begun_at or now, picture):
                    round_.answered.append(Answered(request, outcome))
        if not round_.wanted and found.stage is Stage.PICTURE:
            round_.spent = await self._close(connection, found, now)
        return round_

    async def _close(self, connection: AsyncConnection, found: Measuring, now: int) -> list[str]:
        """Close a measuring; return the working objects that nobody needs any more."""
        spent = [*(found.prepared or {}).values(), *await claims.outputs(connection, found.key)]
        await claims.drop_slabs(connection, found.key)
        values = {"stage": Stage.DONE.value, "closed_at": now, "worker": None, "prepared": None}
        await store.change(connection, found.key, **values)
        return spent

    async def fail(self, connection: AsyncConnection, claim: Claim, outcome: Outcome, reason: str) -> Round | None:
        """Give a measuring up, and tell whoever waits; None, and nothing, where others have the work by now.

        What is measured stays so: where only pictures are wanting, it is answered without them.
        """
        key = claim.key
        found = await store.lock_measuring(connection, key)
        if found is None or found.stage not in OPEN or not await claims.held(connection, claim):
            return None
        if found.stage is Stage.PICTURE:
            return await self.answer_all(connection, key, draw=False)
        round_ = Round()
        now = micros(self.clock())
        round_.spent = await self._close(connection, found, now)
        result = not_measured(outcome)
        await store.change(connection, key, stage=Stage.FAILED.value, result=result, reason=reason.replace("\0", ""))
        for request in await store.unanswered(connection, key):
            with self._joined(request, None):
                if await self._answer(connection, request, outcome, found.begun_at or now, None):
                    round_.answered.append(Answered(request, outcome))
        return round_

    async def tell(self, connection: AsyncConnection, key: str, progress: float) -> None:
        """Tell whoever waits how far a measuring is: at first, and when it has got on, at most every 2 s."""
        found = await store.lock_measuring(connection, key)
        if found is None or found.stage not in OPEN:
            return
        now = micros(self.clock())
        if found.told_at is not None and (progress <= found.progress or 0 <= now - found.told_at < TELL_EVERY_US):
            return
        share = min(max(progress, found.progress), 1.0)
        await store.change(connection, key, progress=share, told_at=now)
        for request in await store.unanswered(connection, key):
            begun = moment_of(max(found.begun_at or now, request.asked_at))
            said = PriceProgressed(request=request.id, begun_at=begun, progress=share)
            await self.send(connection, request.reply_to, PRICE_PROGRESSED, request.order, said.document())

    def _joined(self, request: Request, leading: str | None) -> AbstractContextManager[object]:
        """Return a span in the request's own trace, with a link to the calculation that served it too."""
        return contextlib.nullcontext() if request.id == leading else self._linked(request)

    @contextlib.contextmanager
    def _linked(self, request: Request) -> Iterator[None]:
        serving = trace.get_current_span().get_span_context()
        with self.entered(request) as span:
            if serving.is_valid:
                span.add_link(serving)
            yield

    def entered(self, request: Request) -> AbstractContextManager[trace.Span]:
        """Return a span of the calculation that continues a request's trace."""
        return self.telemetry.consuming(
            names.PRICE,
            order=request.order,
            traceparent=request.traceparent,
            destination=request.price_class.queue,
            message=request.id,
        )


def _stands(found: Measuring, now: int) -> bool:
    """Whether a model used up its allowance so lately that it is not tried again."""
    lately = found.closed_at is not None and 0 <= now - found.closed_at < STANDS_US
    refused = (found.result or {}).get("refused", {})
    return found.stage is Stage.FAILED and lately and refused.get("code") == RefusalCode.TOO_COMPLEX
