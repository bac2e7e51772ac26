"""Watched systems for tests: small services that answer GET /statuses and POST /replay, and a file that names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from instrumentation import FASTAPI_TELEMETRY
from services.bus.operations import BusState, DeadLetter, DeadLetters
from services.contract import OWNER, Status
from tests import live

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMS: Final = """
touchstone: 1
tolerance: 15m
lost_after: 30m
flow: [{status: SUBMITTED, from: shop, to: [crm, mes]}, {status: PRICE_CALCULATED, from: mes, to: [crm, shop]}]
systems:
  - {name: shop, source: /shop, address: http://shop, owns: [INITIATED, SUBMITTED]}
  - {name: crm, source: /crm, address: http://crm, owns: [AWAITING_CUSTOMER, REJECTED, CANCELLED,
     MANUFACTURING_APPROVED, CLOSED]}
  - {name: mes, source: /mes, address: http://mes, owns: [PRICE_CALCULATING, PRICE_FAILED, PRICE_CALCULATED,
     MANUFACTURING_STARTED, MANUFACTURING_COMPLETED, PACKAGING, SHIPPED]}
"""
NAMES: Final = ("shop", "crm", "mes")


@dataclass
class System:
    """A service with its copy of every order, and all that it has ever said of them."""

    name: str
    house: House
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses: str | None = None
    deaf: bool = False
    oldest_age_s: float = 0.0
    letters: dict[str, str] = field(default_factory=dict)

    def app(self) -> FastAPI:
        """Return it as an app."""
        app = FastAPI(telemetry=FASTAPI_TELEMETRY)

        @app.get("/statuses")
        async def statuses(limit: int, after: str = "") -> JSONResponse:
            if self.refuses:
                return JSONResponse({"detail": self.refuses}, 503)
            names = sorted(name for name in self.orders if name > after)[:limit]
            following = names[-1] if len(names) == limit else None
            return JSONResponse({"orders": [self.orders[name] for name in names], "next": following})

        @app.post("/replay")
        async def replay(request: Request) -> dict[str, int]:
            wish = await request.json()
            return {"replayed": sum(self.house.tell(wish["consumer"], self.name, order) for order in wish["orders"])}

        @app.get("/bus")
        async def bus() -> BusState:
            counts = dict.fromkeys(("pending", "parked", "retrying", "dead", "gaps", "unreadable", "confirmed"), 0)
            return BusState(consumer=self.name, oldest_age_s=self.oldest_age_s, received={}, **counts)

        @app.get("/dead-letters")
        async def letters() -> DeadLetters:
            about = {"id": "1", "source": None, "sequence": None, "type": None, "failures": 5, "dead_at": live.START}
            found = [DeadLetter(**about, subject=order, reason=why) for order, why in self.letters.items()]
            return DeadLetters(dead_letters=found, next=None)

        return app

    def claim(self, order: str, status: str, hours: float) -> None:
        """Believe that an order is in a status since so many hours after START."""
        since = (live.START + timedelta(hours=hours)).isoformat()
        source = OWNER.get(Status(status)) if status in list(Status) else None
        self.orders[order] = {"order": order, "status": status, "since": since, "source": source, "sequence": 1}


@dataclass
class House:
    """All systems. ``history``: what the owner of each status said of an order, newest last."""

    history: dict[str, list[tuple[str, str, float]]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with empty systems."""
        self.systems = {name: System(name, self) for name in NAMES}

    def place(self, order: str, *steps: tuple[str, float], known_to: tuple[str, ...] = NAMES) -> None:
        """Let an order walk through statuses, heard by some systems (by all, if not said)."""
        owned = [(OWNER[Status(status)], status, hours) for status, hours in steps if status in list(Status)]
        self.history[order] = [(owner.strip("/"), status, hours) for owner, status, hours in owned]
        for name in known_to:
            self.systems[name].claim(order, *steps[-1])

    def tell(self, consumer: str, owner: str, order: str) -> int:
        """Send one system what another said of an order."""
        self.asked.append((owner, consumer, order))
        said = [(status, hours) for who, status, hours in self.history.get(order, []) if who == owner]
        listener = self.systems[consumer]
        if said and not listener.deaf:
            listener.claim(order, *said[-1])
        return len(said)

    @property
    def transports(self) -> dict[str, httpx.AsyncBaseTransport]:
        """How they are reached without a network."""
        return {name: httpx.ASGITransport(system.app()) for name, system in self.systems.items()}


def systems_file(folder: Path, text: str = SYSTEMS) -> Path:
    """Write a file of systems."""
    path = folder / "systems.yaml"
    path.write_text(text, encoding="utf-8")
    return path
