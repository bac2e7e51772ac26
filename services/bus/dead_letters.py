"""Dead letters from afar: asks a service's operations API, and prints what it answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, Self, cast
from urllib.parse import quote

import httpx
import orjson
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from rich.console import Console

PAGE: Final = 500
TIMEOUT_S: Final = 30.0
RATIOS: Final = {"id": 3, "reason": 3}
_REFUSED: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


class DeadLetterClient:
    """The dead letters of one service. Raises BadInput for what it refuses, TouchstoneError where it fails."""

    def __init__(self, url: str, token: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        """``url``: of the service; ``token``: a bearer token of somebody who may watch; ``transport``: for tests."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=TIMEOUT_S, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def every(self) -> Iterator[dict[str, Any]]:
        """Yield every dead letter, without its body."""
        after: str | None = ""
        while after is not None:
            page = self._ask("GET", "/dead-letters", params={"after": after, "limit": PAGE})
            yield from page["dead_letters"]
            after = page["next"]

    def one(self, key: str) -> dict[str, Any]:
        """Return a dead letter with its body."""
        return self._ask("GET", f"/dead-letters/{quote(key, safe='')}")

    def replay(self, ids: Sequence[str] | None) -> int:
        """Try some, or all (None), again; return how many."""
        wanted = {"all": True} if ids is None else {"ids": list(ids)}
        return int(self._ask("POST", "/dead-letters/replay", json=wanted)["replayed"])

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **options)
            document = answer.json() if answer.content else {}
        except httpx.InvalidURL as error:
            raise BadInput(f"{self.url}: no address ({error}); write http://HOST:PORT") from error
        except httpx.UnsupportedProtocol as error:
            raise BadInput(f"{self.url}: no address of a service; write http://HOST:PORT") from error
        except (httpx.HTTPError, ValueError) as error:
            raise TouchstoneError(f"{self.url}: no usable answer ({error}); is the service running there?") from error
        if answer.is_success:
            return cast("dict[str, Any]", document)
        detail = document.get("detail", answer.reason_phrase) if isinstance(document, dict) else answer.reason_phrase
        if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise BadInput(f"{self.url}: you may not see its dead letters ({detail}); give a token with the role sre")
        failure = BadInput if answer.status_code in _REFUSED else TouchstoneError
        raise failure(f"{self.url}: {detail}")


def print_letters(console: Console, letters: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of dead letters."""
    if not letters:
        console.print("no dead letters")
        return
    table = Table(box=None, header_style="bold")
    for heading in ("id", "order", "source", "seq", "type", "failures", "dead since", "reason"):
        side: Literal["left", "right"] = "right" if heading in {"seq", "failures"} else "left"
        # What is typed again stays whole; what is read may take most of the room.
        table.add_column(heading, justify=side, overflow="fold", no_wrap=heading == "id", ratio=RATIOS.get(heading, 1))
    for letter in letters:
        names = ("id", "subject", "source", "sequence", "type", "failures", "dead_at", "reason")
        # As Text: what stands in a message must not be read as markup.
        table.add_row(*(Text("-" if letter[name] is None else str(letter[name])) for name in names))
    console.print(table)


def print_letter(console: Console, letter: Mapping[str, Any]) -> None:
    """Print one dead letter, and what it says."""
    for name, value in letter.items():
        if name != "body" and value is not None:
            console.print(Text(f"{name + ':':<10} {value}"))
    try:
        console.print(JSON.from_data(orjson.loads(letter["body"])))
    except orjson.JSONDecodeError:
        console.print(Text(letter["body"]))
