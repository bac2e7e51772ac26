"""Poll a system that shows current statuses only: times are known to an interval, short statuses may be missed."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from collectors.live.reading import Arrived, Intake, storable
from collectors.pollers import store
from collectors.pollers.polling import SECOND, Poller
from collectors.pollers.systems import from_environment
from collectors.sources.cloudevents_log import BadEvent
from collectors.sources.engine import LATEST_US

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from collectors.live.handlers import Collector
    from collectors.pollers.store import Kept, Seen
    from collectors.pollers.systems import HttpPoll, System

MICROSECOND: Final = timedelta(microseconds=1)
UNITS: Final = {"us": 1, "ms": 1_000, "s": SECOND}
AT_ONCE: Final = 5_000
MOST_PAGES: Final = 10_000
MOST_ORDERS: Final = 1_000_000
LARGEST_BYTES: Final = 64 * 1024 * 1024
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnexpectedAnswer(Exception):
    """The answer is not what the file of systems says it is."""


@dataclass(frozen=True)
class Shown:
    """An order as a system showed it. ``at``: when it reached the status, if the system tells that (microseconds)."""

    order: str
    status: str
    at: int | None
    attributes: dict[str, str]


@dataclass(frozen=True)
class Interval:
    """When a change that a poll showed can have happened: after the first moment, not after the last."""

    after: int
    until: int

    @property
    def middle(self) -> int:
        """The guess that errs least at worst."""
        return (self.after + self.until) // 2

    @property
    def uncertainty(self) -> int:
        """By how much the middle may be wrong either way."""
        return (self.until - self.after + 1) // 2


class HttpPoller(Poller):
    """Asks one system which orders changed."""

    def __init__(
        self,
        system: System,
        poll: HttpPoll,
        collector: Collector,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(system, collector, poll.every.total_seconds())
        self.poll = poll
        key = from_environment(poll.key_env, system.name)
        headers = {} if key is None else {poll.key_header: key}
        self.client = httpx.AsyncClient(
            headers=headers, timeout=poll.timeout.total_seconds(), transport=transport, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def _step(self, kept: Kept) -> bool:
        asked_at = self.collector.clock()
        before = int(orjson.loads(kept.state)["asked_at"]) if kept.state else None
        if before is not None and asked_at <= before:
            return False
        after = before if before is not None else asked_at - self.poll.first_look // MICROSECOND
        items = await self._fetch(after - self.poll.overlap // MICROSECOND)
        # In a thread of its own: the collector answers meanwhile, however many orders there are.
        shown, intake = await asyncio.to_thread(self._read, items)
        interval = Interval(after, max(self.collector.clock(), asked_at))
        async with self.collector.database.reading() as connection:
            seen = await store.seen(connection, self.system.name, list(shown))
        changed = [one for one in shown.values() if one.order not in seen or seen[one.order].status != one.status]
        # What is seen is stored with each part; the moment only with the last, so that a break is made good.
        for start in range(0, len(changed), AT_ONCE):
            part = changed[start : start + AT_ONCE]
            last = start + AT_ONCE >= len(changed)
            await self._store(part, seen, interval, intake if last else Intake(), asked_at if last else before)
        if not changed:
            await self._store([], seen, interval, intake, asked_at)
        return False

    async def _store(
        self, changed: Sequence[Shown], seen: Mapping[str, Seen], interval: Interval, intake: Intake, at: int | None
    ) -> None:
        now_seen: dict[str, Seen] = {}
        for one in changed:
            number = seen[one.order].changes + 1 if one.order in seen else 1
            now_seen[one.order] = store.Seen(one.status, number)
            try:
                intake.events.append(storable(self._event(one, number, interval)))
            except BadEvent as error:
                intake.refuse(str(error), orjson.dumps([one.order, one.status, one.at]))
        state = "" if at is None else orjson.dumps({"asked_at": at}).decode()
        await self._take_in(intake, state, now_seen)

    def _event(self, one: Shown, number: int, interval: Interval) -> Arrived:
        # The same change gets the same id however often it is polled: the order's how-manieth change this is.
        key = f"{self.system.name}/{hashlib.sha256(one.order.encode()).hexdigest()[:32]}/{number}"
        wanted = self.collector.reader.attributes
        found = {name: one.attributes[field] for name, field in wanted.items() if field in one.attributes}
        attributes = orjson.dumps(found).decode() if found else None
        at, uncertainty = (interval.middle, interval.uncertainty) if one.at is None else (one.at, None)
        return Arrived(self.system.source, key, one.order, one.status, at, number, attributes, uncertainty)

    async def _fetch(self, since: int) -> list[Any]:
        parameters: dict[str, Any] = {self.poll.since: _since(since, self.poll.since_format)}
        if self.poll.keyset is not None:
            parameters[self.poll.keyset.limit] = self.poll.keyset.size
        items: list[Any] = []
        for _ in range(MOST_PAGES):
            document = await self._page(parameters)
            found = document if self.poll.items is None else _inside(document, self.poll.items)
            if not isinstance(found, list):
                raise UnexpectedAnswer(f"`{self.poll.items or 'the answer'}` is no list; mend `items`")
            items += found
            following = self._following(document, found)
            if not following:
                return items
            if following.items() <= parameters.items():
                raise UnexpectedAnswer(
                    "the page after this one is this one again; does the paging name the right fields?"
                )
            if len(items) > MOST_ORDERS:
                raise UnexpectedAnswer(
                    f"more than {MOST_ORDERS:,} orders at once; poll more often, or look less far back"
                )
            parameters |= following
        raise UnexpectedAnswer(f"more than {MOST_PAGES:,} pages; does the paging name the right fields?")

    async def _page(self, parameters: Mapping[str, Any]) -> Any:
        """Return one answer's JSON. No error names the address, which may hold what is nobody's business."""
        content, longest = bytearray(), self.poll.timeout.total_seconds()
        try:
            # As a whole: the client's own limit is for each part, and a slow system sends one byte at a time.
            async with (
                asyncio.timeout(longest),
                self.client.stream("GET", str(self.poll.url), params=parameters) as answer,
            ):
                if not answer.is_success:
                    raise UnexpectedAnswer(f"it answers {answer.status_code}")
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > LARGEST_BYTES:
                        raise UnexpectedAnswer(
                            f"it answers with more than {LARGEST_BYTES:,} bytes; ask for smaller pages"
                        )
        except TimeoutError as error:
            raise UnexpectedAnswer(f"no whole answer came within {longest:g} s") from error
        try:
            return await asyncio.to_thread(orjson.loads, content)
        except orjson.JSONDecodeError as error:
            raise UnexpectedAnswer("it answers no JSON") from error

    def _following(self, document: object, found: Sequence[Any]) -> dict[str, Any]:
        """Return the parameters that ask for the page after this one, none where it is the last."""
        paging, keyset = self.poll.paging, self.poll.keyset
        if paging is not None:
            mark = _inside(document, paging.field)
            return {} if mark in (None, "") else {paging.parameter: mark}
        if keyset is None or len(found) < keyset.size:
            return {}
        updated, number = _inside(found[-1], keyset.updated), _inside(found[-1], keyset.number)
        if updated is None or number is None:
            raise UnexpectedAnswer(f"an order lacks `{keyset.updated}` or `{keyset.number}`; mend `keyset`")
        return {self.poll.since: updated, keyset.after: number}

    def _read(self, items: Sequence[Any]) -> tuple[dict[str, Shown], Intake]:
        """Return the orders that could be read (of several of one order the last), and what could not."""
        shown: dict[str, Shown] = {}
        intake = Intake()
        for item in items:
            try:
                one = self._shown(item)
                meaning = self.poll.statuses.get(one.status, one.status)
                if meaning is not None:
                    shown[one.order] = replace(one, status=meaning)
            except BadEvent as error:
                intake.refuse(str(error), orjson.dumps(item))
        return shown, intake

    def _shown(self, item: object) -> Shown:
        fields = self.poll.fields
        order, status = _inside(item, fields.order), _inside(item, fields.status)
        if not isinstance(order, str | int) or order == "":
            raise BadEvent(f"`{fields.order}` is missing; it is the order's id")
        if not isinstance(status, str | int) or status == "":
            raise BadEvent(f"`{fields.status}` is missing; it is the order's status")
        told = None if fields.time is None else _inside(item, fields.time)
        at = None if told is None else _moment(told, UNITS[self.poll.time_unit], fields.time or "")
        return Shown(str(order), str(status), at, dict(self._values(item)))

    def _values(self, item: object) -> Iterator[tuple[str, str]]:
        for name, field in self.poll.fields.attributes.items():
            value = _inside(item, field)
            if value is not None and value != "":
                yield name, value if isinstance(value, str) else orjson.dumps(value).decode()


def _inside(document: object, path: str) -> Any:
    """Return what stands at a dotted path, None where there is nothing."""
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _since(at: int, written: str) -> str:
    if written == "iso":
        return (EPOCH + timedelta(microseconds=max(at, 0))).isoformat()
    return str(max(at, 0) // UNITS[written])


def _moment(value: object, unit_us: int, field: str) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) * unit_us <= LATEST_US:
        return int(value * unit_us)
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None:
        raise BadEvent(f"`{field}` is no time")
    return ((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
