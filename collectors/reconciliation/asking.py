"""Ask systems over HTTP what they believe, and make them replay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydantic import AwareDatetime, BaseModel, ValidationError

from collectors.pollers.systems import from_environment
from collectors.reconciliation.comparing import Claim
from collectors.replay import micros
from instrumentation.errors import TouchstoneError
from services.auth import ServiceToken, SignInFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from collectors.pollers.systems import System, Systems

PAGE: Final = 1_000
MOST_PAGES: Final = 100_000
LETTER_PAGES: Final = 100
TIMEOUT_S: Final = 30.0
REPLAYED_AT_ONCE: Final = 500


class NoAnswer(TouchstoneError):
    """A system could not be asked."""


class _Said(BaseModel):
    order: str
    status: str
    since: AwareDatetime
    source: str | None = None
    sequence: int | None = None


class _Page(BaseModel):
    orders: list[_Said]
    next: str | None = None


class _Letter(BaseModel):
    subject: str | None
    reason: str


class _Letters(BaseModel):
    dead_letters: list[_Letter]
    next: str | None = None


@dataclass(frozen=True)
class Answers:
    """What each system that answered says, and why the others did not."""

    lists: Mapping[str, list[Claim]]
    silent: Mapping[str, str]


class _Bearer(httpx.Auth):
    """A token that does not change."""

    def __init__(self, token: str) -> None:
        self.token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Send the token with a request."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


class Asker:
    """Clients of the systems that can be asked. ``transports`` stand in for the network, by system.

    Raises BadInput where the environment lacks a secret that the file of systems names.
    """

    def __init__(self, systems: Systems, transports: Mapping[str, httpx.AsyncBaseTransport] | None = None) -> None:
        self.systems = systems
        self._issuer = httpx.AsyncClient(trust_env=False)
        machine = self._machine()
        self._clients = {
            system.name: _client(str(system.address), (transports or {}).get(system.name), _auth(system) or machine)
            for system in systems.asked
        }

    def _machine(self) -> ServiceToken | None:
        sign_in = self.systems.sign_in
        if sign_in is None:
            return None
        secret = from_environment(sign_in.secret_env, "sign_in") or ""
        return ServiceToken(str(sign_in.issuer).rstrip("/"), sign_in.client_id, secret, self._issuer)

    async def close(self) -> None:
        """Close the connections."""
        for client in (*self._clients.values(), self._issuer):
            await client.aclose()

    async def statuses(self) -> Answers:
        """Ask every system for all of its orders, all systems at once."""
        names = list(self._clients)
        found = await asyncio.gather(*(self._statuses_of(name) for name in names), return_exceptions=True)
        lists: dict[str, list[Claim]] = {}
        silent: dict[str, str] = {}
        for name, answer in zip(names, found, strict=True):
            if isinstance(answer, NoAnswer):
                silent[name] = str(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                lists[name] = answer
        return Answers(lists, silent)

    async def _statuses_of(self, name: str) -> list[Claim]:
        found: list[Claim] = []
        parameters: dict[str, str | int] = {"limit": PAGE}
        for _ in range(MOST_PAGES):
            document = await self.get(name, "/statuses", parameters)
            try:
                page = _Page.model_validate(document)
            except ValidationError as error:
                where = ".".join(str(part) for part in error.errors()[0]["loc"])
                raise NoAnswer(f"GET /statuses gives no list of orders (`{where}`)") from error
            found += [Claim(one.order, one.status, micros(one.since), one.source, one.sequence) for one in page.orders]
            if page.next is None:
                return found
            if page.next == parameters.get("after"):
                raise NoAnswer(f"GET /statuses names the page after `{page.next}` as the next one of itself")
            parameters["after"] = page.next
        raise NoAnswer(f"GET /statuses gives more than {MOST_PAGES:,} pages")

    async def get(self, name: str, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that a system gives at a path. Raises NoAnswer with the reason."""
        return await self._ask(name, "GET", path, params=parameters)

    async def replay(self, owner: str, consumer: str, orders: Sequence[str]) -> int:
        """Make the owner send all that it said of some orders to one consumer again; return how many messages.

        Raises NoAnswer with the reason.
        """
        queue = next((one.queue for one in self.systems.systems if one.name == consumer), consumer)
        replayed = 0
        for start in range(0, len(orders), REPLAYED_AT_ONCE):
            some = list(orders[start : start + REPLAYED_AT_ONCE])
            answer = await self._ask(owner, "POST", "/replay", json={"consumer": queue, "orders": some})
            count = answer.get("replayed") if isinstance(answer, dict) else None
            if not isinstance(count, int):
                raise NoAnswer("does not say at POST /replay how many events it `replayed`")
            replayed += count
        return replayed

    async def dead_letters(self, name: str) -> dict[str, str]:
        """Return why a system has given up on messages, by order; nothing where it does not say."""
        found: dict[str, str] = {}
        parameters: dict[str, str | int] = {"limit": PAGE}
        try:
            for _ in range(LETTER_PAGES):
                page = _Letters.model_validate(await self.get(name, "/dead-letters", parameters))
                found |= {one.subject: one.reason for one in page.dead_letters if one.subject is not None}
                if page.next is None:
                    break
                parameters["after"] = page.next
        except (NoAnswer, ValidationError):
            return found
        return found

    async def _ask(self, name: str, method: str, path: str, **parts: Any) -> Any:
        if name not in self._clients:
            raise NoAnswer("the file of systems gives it no `address`")
        try:
            answer = await self._clients[name].request(method, path, **parts)
        except SignInFailed as error:
            raise NoAnswer(str(error)) from error
        except httpx.HTTPError as error:
            raise NoAnswer(f"does not answer ({type(error).__name__})") from error
        if answer.is_error:
            raise NoAnswer(f"answers {answer.status_code} to {method} {path}{_detail(answer)}")
        try:
            return answer.json()
        except ValueError as error:
            raise NoAnswer(f"answers no JSON to {method} {path}") from error


def _client(
    address: str, transport: httpx.AsyncBaseTransport | None = None, auth: httpx.Auth | None = None
) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=address, timeout=TIMEOUT_S, transport=transport, auth=auth, trust_env=False)


def _auth(system: System) -> httpx.Auth | None:
    token = from_environment(system.token_env, system.name)
    return None if token is None else _Bearer(token)


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        return ""
    return f": {detail}" if isinstance(detail, str) else ""


def collector_client(
    address: str, token: str | None, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return a client of the collector itself."""
    return _client(address, transport, _Bearer(token) if token else None)
