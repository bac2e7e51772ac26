"""The demo's watcher: what the house's six weeks were like, the report on them, and a collector that hears it live."""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from fastapi.responses import FileResponse, RedirectResponse
from sqlalchemy import func, select

from collectors.live.app import create_app, create_service
from collectors.live.settings import Settings
from collectors.live.tables import events
from collectors.promise import load_promise
from collectors.replay import replay
from collectors.report import Gathering, write_html
from collectors.report.headline import headline
from collectors.simulation import Scenario, cloudevents, parse_slowdown, simulate
from services.resilience.serving import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from fastapi import FastAPI

    from collectors.live.app import Service
    from services.bus import Message, Transport

HISTORY: Final = timedelta(weeks=6)
ORDERS_A_DAY: Final = 15
SLOWED: Final = "approval=+6d@14"
BATCH: Final = 2_000
WATCH_S: Final = 15.0
HOST: Final = "127.0.0.1"
SECRET_ENV: Final = "TOUCHSTONE_DEMO_SECRET"  # noqa: S105 - the name of a variable


class House(Protocol):
    """What the watcher needs to know of the house."""

    folder: Path
    transport: Transport | None
    secret: str
    ports: Mapping[str, int]

    def address(self, name: str) -> str:
        """Return where a part of the house listens."""


class Watcher:
    """Watches a house with embedded parts, from within its process."""

    secret_env = SECRET_ENV

    def __init__(self) -> None:
        self._service: Service | None = None

    def simulate(self, seed: int, now: datetime) -> list[dict[str, Any]]:
        """Return six weeks before ``now``, approval slowed from the third on, as CloudEvents in the order of time."""
        start = (now - HISTORY).replace(hour=0, minute=0, second=0, microsecond=0)
        slowed = (parse_slowdown(SLOWED),)
        scenario = Scenario(HISTORY.days + 1, ORDERS_A_DAY, seed=seed, slowdowns=slowed, start=start)
        return list(cloudevents(simulate(scenario)))

    def report(self, said: Sequence[Message], folder: Path) -> str:
        """Replay the past into ``report.html``; return the headline."""
        log = folder / "history.jsonl"
        log.write_bytes(b"".join(message.to_json() + b"\n" for message in said if message.sequence is not None))
        promise = load_promise()
        promise = promise.model_copy(update={"log": promise.log.model_validate({"format": "cloudevents"})})
        gathering = Gathering(promise)
        report = gathering.report(replay(log, promise, observers=(gathering,)))
        write_html(report, folder / "report.html")
        return headline(report).text()

    @contextlib.asynccontextmanager
    async def collecting(self, house: House, port: int, said: Sequence[Message]) -> AsyncIterator[None]:
        """Run a collector on the house's bus, which knows the past already. The house has not opened yet."""
        systems = house.folder / "systems.yaml"
        systems.write_text(_systems(house, port), encoding="utf-8")
        os.environ[SECRET_ENV] = house.secret  # the file of systems names where its secret is, not what it is
        settings = Settings(
            port=port,
            database=f"sqlite+aiosqlite:///{house.folder / 'collector.db'}",
            systems=systems,
            watch_seconds=WATCH_S,
        )
        self._service = create_service(settings, transport=house.transport)
        app = create_app(settings, self._service)
        _add_report(app, house.folder / "report.html")
        try:
            await self._service.start()
            await self._learn(said)
            async with running(app, HOST, port):
                yield
        finally:
            os.environ.pop(SECRET_ENV, None)

    async def _learn(self, said: Sequence[Message]) -> None:
        if self._service is None or self._service.bus is None:
            raise AssertionError
        bodies = [message.to_json() for message in said if message.sequence is not None]
        for first in range(0, len(bodies), BATCH):
            await self._service.bus.receive(bodies[first : first + BATCH])

    async def heard(self) -> int:
        """Return how many events were heard, those of the past included."""
        if self._service is None:
            return 0
        async with self._service.database.reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(events)) or 0)


def _add_report(app: FastAPI, path: Path) -> None:
    async def report() -> FileResponse:
        return FileResponse(path, media_type="text/html")

    async def home() -> RedirectResponse:
        return RedirectResponse("/report")

    app.add_api_route("/report", report, include_in_schema=False)
    app.add_api_route("/", home, include_in_schema=False)


def _systems(house: House, port: int) -> str:
    """Write the file of watched systems, which JSON is a kind of."""
    owned = {
        "shop": ["INITIATED", "SUBMITTED"],
        "crm": ["AWAITING_CUSTOMER", "REJECTED", "CANCELLED", "MANUFACTURING_APPROVED", "CLOSED"],
        "mes": [
            *("PRICE_CALCULATING", "PRICE_FAILED", "PRICE_CALCULATED", "MANUFACTURING_STARTED"),
            *("MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"),
        ],
    }
    systems = [
        {"name": name, "source": f"/{name}", "address": house.address(name), "owns": owns}
        for name, owns in owned.items()
    ]
    document = {
        "touchstone": 1,
        # The demo's orders are done in a minute: what would be tolerable in weeks is not here.
        "tolerance": "10s",
        "lost_after": "10s",
        "every": "30s",
        "flow": [
            {"status": "SUBMITTED", "from": "shop", "to": ["crm", "mes"]},
            {"status": "PRICE_CALCULATED", "from": "mes", "to": ["crm", "shop"]},
        ],
        "systems": systems,
        "sign_in": {"issuer": house.address("issuer"), "client_id": "touchstone", "secret_env": SECRET_ENV},
        "collector": f"http://{HOST}:{port}",
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"
