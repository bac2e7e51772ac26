"""Customers who act in real time, over HTTP: they order rings of their own design, or pieces of the catalogue."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from services.contract import FINAL, Status
from services.demo.actors import keep_on, post
from services.demo.people import ANSWERS, FAMILY, FIRST, PASSWORD, SECOND_THOUGHTS
from services.demo.rings import design
from services.shop.seed import PIECES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx
    import numpy as np

    from services.demo.actors import World
    from services.demo.people import Buyer


@dataclass
class Customers:
    """Those who order: some of the past, some new; partners among them."""

    world: World
    known: Sequence[Buyer]
    designs: np.random.Generator
    signed_in: list[tuple[httpx.AsyncClient, bool]] = field(default_factory=list)
    fickle: set[str] = field(default_factory=set)
    _orders: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Have customers order until cancelled."""
        try:
            await keep_on("a customer", self._arrive)
        finally:
            for task in self._orders:
                task.cancel()
            await asyncio.gather(*self._orders, return_exceptions=True)
            for client, _ in self.signed_in:
                await client.aclose()

    async def _arrive(self) -> None:
        await self.order()
        await self.world.pause(self.world.tempo.between_orders_s)

    async def order(self) -> str:
        """Place one order, and see to it from now on; return its id."""
        client, partner = await self._somebody()
        placed = await self._place(client, partner=partner)
        self.world.tally.did["placed"] += 1
        self.world.tally.open.add(placed)
        task = asyncio.create_task(self._see_to(client, placed))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)
        return placed

    async def _somebody(self) -> tuple[httpx.AsyncClient, bool]:
        rng, tempo = self.world.rng, self.world.tempo
        if self.signed_in and (len(self.signed_in) >= tempo.accounts or rng.random() < 0.5):
            return rng.choice(self.signed_in)
        partner = False
        if rng.random() < tempo.new_customer or not self.known:
            email = await self._register()
        else:
            buyer = rng.choice(self.known)
            email, partner = buyer.email, buyer.partner
        async with self.world.client("shop", "") as door:
            del door.headers["authorization"]
            answer = await door.post("/sessions", json={"email": email, "password": PASSWORD})
            token = answer.raise_for_status().json()["token"]
        self.signed_in.append((self.world.client("shop", token), partner))
        return self.signed_in[-1]

    async def _register(self) -> str:
        rng = self.world.rng
        first, family = rng.choice(FIRST), rng.choice(FAMILY)
        email = f"{first}.{family}.{rng.randrange(10_000)}@example.com".lower()
        async with self.world.client("shop", "") as door:
            del door.headers["authorization"]
            wanted = {"email": email, "name": f"{first} {family}", "password": PASSWORD}
            (await door.post("/accounts", json=wanted)).raise_for_status()
        self.world.tally.did["registered"] += 1
        return email

    async def _place(self, client: httpx.AsyncClient, *, partner: bool) -> str:
        rng = self.world.rng
        wish: dict[str, Any] = {"channel": "b2b" if partner else "online"}
        if rng.random() < self.world.tempo.from_catalogue:
            piece = rng.choice(PIECES)
            wish |= {"item": piece.id, "product": piece.product}
        else:
            content = await asyncio.to_thread(lambda: design(self.designs).stl())
            answer = await client.post("/models", content=content)
            wish |= {"model": answer.raise_for_status().json()["model"], "product": "ring"}
        key = {"Idempotency-Key": f"{rng.getrandbits(64):x}"}
        answer = await client.post("/orders", json=wish, headers=key)
        await self.world.pause(self.world.tempo.think_s)
        order: str = answer.raise_for_status().json()["order"]
        await post(client, f"/orders/{order}/submission")
        return order

    async def _see_to(self, client: httpx.AsyncClient, order: str) -> None:
        """Look at an order until it ends."""
        if self.world.rng.random() < self.world.tempo.changes_mind:
            self.fickle.add(order)
        tally = self.world.tally
        await keep_on("a customer", partial(self._look, client, order), lambda: order in tally.open)

    async def _look(self, client: httpx.AsyncClient, order: str) -> None:
        """Answer what is asked, or think better of it; count an order that has ended."""
        rng, tally = self.world.rng, self.world.tally
        await self.world.pause(self.world.tempo.look_s)
        seen = (await client.get(f"/orders/{order}")).raise_for_status().json()
        if seen["asked"]:
            await self.world.pause(self.world.tempo.think_s)
            if await post(client, f"/orders/{order}/answer", {"answer": rng.choice(ANSWERS)}) is not None:
                tally.did["answered"] += 1
        elif order in self.fickle and seen["cancellable"] and seen["price"] is not None:
            self.fickle.discard(order)
            await post(client, f"/orders/{order}/cancellation", {"reason": rng.choice(SECOND_THOUGHTS)})
        if Status(seen["status"]) in FINAL:
            tally.open.discard(order)
            tally.did[seen["status"].lower()] += 1
