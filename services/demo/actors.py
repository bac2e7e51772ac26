"""What everybody who acts in the demo shares: where the services are, how people act, and what has been counted.

All of them attend to the day's orders first: those placed since the demo began walk through the house within a minute.
Now and then each takes up what the six weeks before have left, nearest promise first.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httpx

from services.demo.past import PROMISE

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping, Sequence


LOG: Final = logging.getLogger("touchstone.demo")
TIMEOUT_S: Final = 30.0
TROUBLE_S: Final = 2.0
# What somebody else did first, or what is over meanwhile: everyday life.
OVERTAKEN: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})


@dataclass(frozen=True)
class Tempo:
    """How people act. Seconds are means; shares are of 1."""

    between_orders_s: float = 5.0
    think_s: float = 1.5
    look_s: float = 1.0
    decide_s: float = 1.5
    work_s: float = 1.2
    backlog: float = 0.06
    asks: float = 0.12
    rejects: float = 0.04
    changes_mind: float = 0.05
    from_catalogue: float = 0.25
    new_customer: float = 0.4
    accounts: int = 12  # sign-ins from one network address are limited


@dataclass
class Tally:
    """What happened since the demo began, by what people did."""

    did: Counter[str] = field(default_factory=Counter)
    open: set[str] = field(default_factory=set)


@dataclass
class World:
    """What every actor knows: where the services are, how people act, and what has been counted."""

    addresses: Mapping[str, str]
    rng: random.Random
    began: datetime
    tempo: Tempo = field(default_factory=Tempo)
    tally: Tally = field(default_factory=Tally)

    def client(self, service: str, token: str) -> httpx.AsyncClient:
        """Return a client of a service for somebody who has signed in."""
        headers = {"authorization": f"Bearer {token}"}
        address = self.addresses[service]
        return httpx.AsyncClient(base_url=address, headers=headers, timeout=TIMEOUT_S, trust_env=False)

    async def pause(self, mean_s: float) -> None:
        """Let time pass: seldom much more than the mean, never none."""
        await asyncio.sleep(min(0.2 * mean_s + self.rng.expovariate(1 / (0.8 * mean_s)), 4 * mean_s))

    def pick(self, found: Sequence[dict[str, Any]], promised: str) -> dict[str, Any] | None:
        """Return what to do next of a list that is sorted by promise: the day's first, and now and then the list's."""
        if not found:
            return None
        if self.rng.random() < self.tempo.backlog:
            return found[0]
        return next((one for one in found if self._of_today(one[promised])), None)

    def _of_today(self, promised_at: str | None) -> bool:
        return promised_at is not None and datetime.fromisoformat(promised_at) >= self.began + PROMISE


async def keep_on(name: str, turn: Callable[[], Awaitable[None]], going: Callable[[], bool] = lambda: True) -> None:
    """Take turns until cancelled, or no longer ``going``; where a service does not answer, try again a little later."""
    while going():
        try:
            await turn()
        except httpx.HTTPError as error:
            LOG.warning("%s cannot go on now: %s: %s", name, type(error).__name__, error)
            await asyncio.sleep(TROUBLE_S)


async def post(client: httpx.AsyncClient, path: str, body: Any = None, **more: Any) -> dict[str, Any] | None:
    """Send something; return the answer, None where somebody else was faster. Raises httpx.HTTPError."""
    answer = await client.post(path, json=body, **more)
    if answer.status_code in OVERTAKEN:
        return None
    found: dict[str, Any] = answer.raise_for_status().json()
    return found
