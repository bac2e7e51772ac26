"""Calling another system over HTTP, as one that may be slow, busy or away."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
import stamina

from instrumentation import outgoing_headers
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Answers that say "not now", not "not so" (RFC 9110, sections 15.5.9 and 15.6; RFC 6585, section 4).
_NOT_NOW: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_SHOWN: Final = 500


class Unreachable(TouchstoneError):
    """The other system does not answer now; the same call may succeed later."""


class Refused(TouchstoneError):
    """The other system will not do what was asked (``text``: why); the same call would be refused again."""

    def __init__(self, message: str, status: int, text: str) -> None:
        super().__init__(message)
        self.status, self.text = status, text


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to try. Waits double from ``first_wait_s``, each with up to ``jitter_s`` more."""

    connect_s: float = 2.0
    answer_s: float = 10.0
    attempts: int = 3
    first_wait_s: float = 0.1
    longest_wait_s: float = 2.0
    jitter_s: float = 0.2


class Client:
    """A client of one system. All calls must be safe to repeat: each is tried several times.

    ``transport``: another one than the network, such as ``httpx.ASGITransport`` of an app in this process.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url, self.patience = base_url, patience or Patience()
        timeout = httpx.Timeout(self.patience.answer_s, connect=self.patience.connect_s)
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout, transport=transport)

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON at a path. Raises Unreachable, Refused."""
        return await self._repeated(lambda: self._http.build_request("GET", path, params=params))

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send JSON, and return the answer's. Raises Unreachable, Refused."""
        return await self._repeated(lambda: self._http.build_request("POST", path, json=body))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def _repeated(self, request: Callable[[], httpx.Request]) -> Any:
        patience = self.patience
        async for attempt in stamina.retry_context(
            on=Unreachable,
            attempts=patience.attempts,
            timeout=None,
            wait_initial=patience.first_wait_s,
            wait_max=patience.longest_wait_s,
            wait_jitter=patience.jitter_s,
        ):
            with attempt:
                return await self._once(request())
        raise AssertionError

    async def _once(self, request: httpx.Request) -> Any:
        request.headers.update(outgoing_headers())
        where = f"{request.method} {request.url}"
        try:
            answer = await self._http.send(request)
        except httpx.TransportError as error:
            raise Unreachable(f"{where}: no answer ({type(error).__name__}: {error}); is it running?") from error
        if answer.status_code in _NOT_NOW:
            raise Unreachable(f"{where}: answered {answer.status_code}, not now; try again later")
        if answer.is_error:
            text = answer.text[:_SHOWN]
            raise Refused(f"{where}: answered {answer.status_code}: {text}", answer.status_code, text)
        try:
            return answer.json()
        except ValueError as error:
            raise Unreachable(f"{where}: the answer is no JSON; is another system listening there?") from error
