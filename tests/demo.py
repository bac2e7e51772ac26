"""A small demo for tests: a tenth of the past, ports of its own, people in a hurry."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import text

from collectors.demo import Watcher
from services.demo.actors import Tempo
from services.demo.faults import NONE
from services.demo.past import Model, Past, Teller
from services.demo.people import buyers
from services.demo.rings import design
from services.demo.running import Demo, Plan
from tests.parts import free_port

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from services.bus import Database
    from services.demo.faults import Fault

HURRY: Final = Tempo(between_orders_s=1.0, think_s=0.1, look_s=0.3, decide_s=0.2, work_s=0.2, asks=0.0, rejects=0.0)
SERVICES: Final = ("shop", "crm", "mes", "issuer", "pricing")


class SmallWatcher(Watcher):
    """Remembers every tenth order only, and writes no report."""

    def simulate(self, seed: int, now: datetime) -> list[dict[str, Any]]:
        """Return a tenth of the past."""
        return [event for event in super().simulate(seed, now) if event["subject"].endswith("0")]


def past_of(watcher: Watcher, now: datetime, seed: int = 7) -> Past:
    """Return a past as the demo tells it, without its house."""
    rng = random.Random(seed)  # noqa: S311 - invented people
    designs = np.random.default_rng(seed)
    models = [Model.of(design(designs).stl()) for _ in range(4)]
    return Teller(rng, buyers(rng, 30), models).tell(watcher.simulate(seed, now), now)


def small_demo(folder: Path, fault: Fault = NONE, tempo: Tempo = HURRY) -> Demo:
    """Return a demo in a folder of its own."""
    ports = {name: free_port() for name in SERVICES}
    plan = Plan(port=free_port(), ports=ports, fault=fault, tempo=tempo, folder=folder)
    return Demo(plan, SmallWatcher(), lambda _line: None)


async def state_of(database: Database) -> str:
    """Return a hash of all that a database holds."""
    digest = hashlib.sha256()
    async with database.reading() as connection:
        tables = await connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"))
        for table in tables.all():
            rows = (await connection.execute(text(f'SELECT * FROM "{table}"'))).all()
            digest.update(f"{table}{sorted(map(str, rows))}".encode())
    return digest.hexdigest()
