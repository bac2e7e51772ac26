"""What the collector's figures cost while many orders are in flight: a turn of the signals, a scrape, memory, series.

Each size is a process of its own: ``python -m tests.load.in_flight ORDERS``. The past is twelve weeks of a simulated
house; the orders in flight stand in stages drawn by chance, each with the events that brought it there.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np

from collectors.live.app import create_app, create_service
from collectors.live.reading import Arrived, Intake
from collectors.live.settings import Settings
from collectors.replay import micros
from collectors.simulation import Scenario, simulate
from collectors.simulation.scenario import MONDAY
from collectors.simulation.settings import REPORTED_BY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.live.app import Service

SIZES: Final = (10_000, 1_000_000)
PAST_DAYS: Final = 105
PAST_ORDERS_PER_DAY: Final = 20
AT_ONCE: Final = 10_000
ROUNDS: Final = 3
DAY_US: Final = 86_400_000_000
NOW: Final = micros(MONDAY + timedelta(days=PAST_DAYS))
LINE: Final = ("SUBMITTED", "PRICE_CALCULATING", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED")


def in_flight(say: Callable[[str], None], sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Return the figures of each size."""
    found: dict[str, Any] = {}
    for size in sizes:
        done = subprocess.run(
            [sys.executable, "-m", "tests.load.in_flight", str(size)], stdout=subprocess.PIPE, check=True
        )
        found[str(size)] = json.loads(done.stdout.splitlines()[-1])
        say(f"{size:,} orders in flight: {found[str(size)]}")
    return found


async def measured(orders: int, folder: Path) -> dict[str, Any]:
    """Fill a collector and measure it."""
    settings = Settings(
        database=f"sqlite+aiosqlite:///{folder / 'live.db'}", signals_seconds=1e9, picture_seconds=0, watch_seconds=1e9
    )
    service = create_service(settings, lambda: NOW)
    app = create_app(settings, service)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector", timeout=None) as client,  # noqa: S113 - what takes long is what is asked
    ):
        taken_in = await _fill(service, orders)
        # The first turn fits the reference and checks past forecasts, which later ones do not.
        first = await _timed(service.signalling.turn)
        turns = [await _after_an_event(service, round_) for round_ in range(ROUNDS)]
        pictures = [await _timed(service.reports.picture) for _ in range(ROUNDS)]
        scrapes = [await _timed(lambda: client.get("/metrics")) for _ in range(ROUNDS)]
        text = (await client.get("/metrics")).text
    samples = Counter(line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#"))
    return {
        "in_flight": orders,
        "events_per_s": taken_in,
        "first_turn_s": first,
        "turn_s": _median(turns),
        "picture_s": _median(pictures),
        "scrape_s": _median(scrapes),
        "series": samples.total(),
        "bytes": len(text),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


async def _after_an_event(service: Service, number: int) -> float:
    event = Arrived("/crm", f"new-{number}", f"flying-{number}", "PRICE_CALCULATED", NOW - 1_000_000, None, None)
    await service.collector.take_in(Intake([event]))
    return await _timed(service.signalling.turn)


async def _timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    await work()
    return round(time.perf_counter() - begun, 3)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


async def _fill(service: Service, orders: int) -> int:
    begun, count = time.perf_counter(), 0
    events = chain(_past(), _flying(orders))
    while some := list(islice(events, AT_ONCE)):
        count += len(some)
        await service.collector.take_in(Intake(some))
    return round(count / (time.perf_counter() - begun))


def _past() -> Iterator[Arrived]:
    for place, one in enumerate(simulate(Scenario(PAST_DAYS, PAST_ORDERS_PER_DAY, 1))):
        at = micros(one.at)
        if at < NOW:
            attributes = json.dumps({"channel": one.channel}, separators=(",", ":"))
            yield Arrived(REPORTED_BY[one.status], f"past-{place}", one.order, one.status, at, None, attributes)


def _flying(orders: int) -> Iterator[Arrived]:
    chance = np.random.default_rng(1)
    reached = chance.integers(1, len(LINE) + 1, orders)
    begun = NOW - (chance.uniform(0.1, 28, orders) * DAY_US).astype(np.int64)
    attributes = ('{"channel":"shop"}', '{"channel":"b2b"}')
    for number in range(orders):
        step = (NOW - int(begun[number])) // (int(reached[number]) + 1)
        for place in range(int(reached[number])):
            at = int(begun[number]) + place * step
            key = f"flying-{number}-{place}"
            yield Arrived("/mes", key, f"flying-{number}", LINE[place], at, None, attributes[number % 2])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="touchstone-load-") as temporary:
        sys.stdout.write(json.dumps(asyncio.run(measured(int(sys.argv[1]), Path(temporary)))) + "\n")
