"""Sales managers and operators who act in real time, over HTTP, each with a token of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.demo.actors import keep_on, post
from services.demo.people import MANAGERS, QUESTIONS, REFUSALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from services.demo.actors import World


@dataclass
class Manager:
    """A sales manager at the desk."""

    world: World
    name: str
    client: httpx.AsyncClient

    async def run(self) -> None:
        """Decide on orders until cancelled."""
        async with self.client:
            await keep_on(MANAGERS[self.name], self.turn)

    async def turn(self) -> None:
        """Look at the desk, and decide on one order."""
        await self.world.pause(self.world.tempo.decide_s)
        desk = (await self.client.get("/desk", params={"limit": 1_000})).raise_for_status().json()["orders"]
        line = self.world.pick(desk, "promised_at")
        if line is None:
            return
        what, body = self._decide(line)
        if await post(self.client, f"/orders/{line['order']}/{what}", body) is not None:
            self.world.tally.did[what] += 1

    def _decide(self, line: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        rng, tempo = self.world.rng, self.world.tempo
        chance = rng.random()
        if line["price"] is None:
            return "question", {"question": "Our system cannot price your model. May we mend its surface?"}
        if chance < tempo.rejects:
            return "rejection", {"reason": rng.choice(REFUSALS)}
        if chance < tempo.rejects + tempo.asks and line["question"] != "answered":
            return "question", {"question": rng.choice(QUESTIONS)}
        return "approval", {"reason": "checked and approved"}


@dataclass
class Worker:
    """An operator at the bench."""

    world: World
    name: str
    client: httpx.AsyncClient

    async def run(self) -> None:
        """Work until cancelled."""
        async with self.client:
            await keep_on(self.name, self.turn)

    async def turn(self) -> None:
        """Take one piece of the own work list one step on."""
        await self.world.pause(self.world.tempo.work_s)
        pieces = (await self.client.get("/work")).raise_for_status().json()["work"]
        piece = self.world.pick(pieces, "promised_at")
        if piece is None:
            return
        if await post(self.client, f"/work/{piece['order']}/{piece['next']}") is not None:
            self.world.tally.did[piece["next"]] += 1
