"""Faults of processes: killed, without a store, without a database, with a release that counts what it should not."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from alerts.drills.house import HOST, SERVICES, House
from alerts.drills.model import NO_COLLECTOR, Drill, Named
from alerts.drills.watching import PATIENCE_S, counted, eventually
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from alerts.drills.parts import Process
    from alerts.drills.run import Run

CROWD: Final = 60
VISITS: Final = 70  # a minute: six minutes of them are enough for a burn rate to speak
IDS: Final = 10_500
TRIES: Final = 30
LATE_S: Final = 1.5  # beyond the second in which 99 of 100 answers are due
NOTICED_S: Final = 0.5
FIVE_MINUTES: Final = timedelta(minutes=5)
TEN_MINUTES: Final = timedelta(minutes=10)


async def _service_down(run: Run) -> None:
    house = await House.open(run)
    watching = await house.watched()
    await run.steps(3)
    async with run.broken():
        house.end(signal.SIGKILL)
        await run.steps(24)
        await house.start()
        watching.compared = None  # whoever mends it looks at once
    await run.steps(3)


def _collector(run: Run, port: int) -> Process:
    """Start a collector as it is served, by the machine's own clock."""
    environment = {**os.environ, "TOUCHSTONE_DATABASE": f"sqlite+aiosqlite:///{run.folder / 'collector.db'}"}
    command = [sys.executable, "-m", "touchstone", "serve", "collector", "--port", str(port)]
    log = run.folder / "collector.log"
    process = run.parts.process(command, home=run.folder, log=log, environment=environment)
    run.stack.callback(process.end)
    return process


async def _collector_dead(run: Run) -> None:
    port = run.parts.free_port()
    process = _collector(run, port)
    await run.watch("collector", f"{HOST}:{port}")
    await eventually(run, "collector", counted("touchstone_signals_last_run_timestamp_seconds"), "signals")
    await run.steps(3)
    async with run.broken():
        process.end(signal.SIGKILL)
        await run.steps(14)
        process = _collector(run, port)
        await eventually(run, "collector", counted("touchstone_signals_last_run_timestamp_seconds"), "signals")
    await run.steps(3)


async def _database_slow(run: Run) -> None:
    house = await House.open(run)
    await house.do("order")
    await run.steps(3)
    with closing(sqlite3.connect(run.folder / "shop.db", isolation_level=None)) as other:
        async with run.broken():
            other.execute("BEGIN IMMEDIATE")
            await house.do("crowd", count=CROWD)
            house.hanging = True
            await eventually(run, "shop", _crowded, "the crowd")
            await run.steps(8)
            other.execute("ROLLBACK")
            house.hanging = False
    await eventually(run, "shop", lambda shown: 'http_server_active_requests{method="POST"} 0.0' in shown, "calm")
    await run.steps(3)


def _crowded(exposition: str) -> bool:
    """Whether nearly all of the crowd are being answered."""
    lines = [line for line in exposition.splitlines() if line.startswith("http_server_active_requests{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines) > CROWD - 5


async def _store_gone(run: Run) -> None:
    house = await House.open(run)
    models, away = run.folder / "models", run.folder / "models-away"
    await house.do("upload", count=1)
    for _ in range(6):
        await house.do("visit", count=VISITS)
        await run.steps(1)
    async with run.broken():
        shutil.move(models, away)
        models.write_text("not a folder", encoding="utf-8")
        for _ in range(6):
            await house.do("upload", count=4)
            await run.steps(1)
        models.unlink()
        shutil.move(away, models)
    await run.steps(8)


async def _label_holds_ids(run: Run) -> None:
    house = await House.open(run)
    await run.steps(3)
    async with run.broken():
        await house.do("label_ids", orders=IDS)
        await run.steps(6)
        await house.do("label_ids", orders=0)
    await run.steps(2)


async def _workers_down(run: Run) -> None:
    house = await House.open(run)
    await house.do("order", model="any")
    await house.do("settle")
    await run.steps(3)
    async with run.broken():
        await house.do("workers", on=False)
        await house.do("order", model="any")
        await run.steps(9)
        await house.do("workers", on=True)
        await house.do("settle")
    await run.steps(3)


async def _mes_slow(run: Run) -> None:
    house = await House.open(run)
    await house.do("order")
    await run.steps(5)
    async with run.broken():
        house.end()
        await house.start(vendor_latency=LATE_S)
        for _ in range(8):
            await house.do("order")
            await run.steps(3)
        house.end()
        await house.start()
    await run.steps(40)  # the half-hour window sees the fault for half an hour


async def _target_gone(run: Run) -> None:
    """Take a service out of what Prometheus is told to read; the service itself goes on."""
    house = await House.open(run)
    await run.steps(3)
    place = ("crm", f"{HOST}:{house.ports['crm']}")
    async with run.broken():
        target = run.targets.pop(place)
        await house.do("order")
        await run.steps(6)
        run.targets[place] = target
    await run.steps(3)


async def _computing(house: House) -> None:
    """Wait until a worker has taken up what was asked for. Raises TouchstoneError where none does."""
    until = time.monotonic() + PATIENCE_S
    while not await house.do("computing"):
        if time.monotonic() > until:
            raise TouchstoneError("no worker took up a model")
        await house.hurry()


async def _worker_killed(run: Run) -> None:
    house = await House.open(run)
    await run.steps(3)
    async with run.broken():
        await house.do("order", model="fine")
        await house.hurry()
        await _computing(house)
        house.end(signal.SIGKILL)
        await house.start()
        await run.steps(1)
        await house.do("settle")
    await run.steps(9)


async def _crash(house: House, count: int) -> None:
    """Let workers crash at models until so many crashes are counted. Raises TouchstoneError where they do not."""
    crashed = counted("touchstone_pricing_children_killed_total", count)
    for _ in range(TRIES):
        await house.do("order", model="fine")
        await house.hurry()
        await _computing(house)
        for child in house.children():
            os.kill(child, signal.SIGSEGV)
        await asyncio.sleep(NOTICED_S)
        if crashed(await house.shown("pricing")):
            break
    else:
        raise TouchstoneError(f"of {TRIES} crashes fewer than {count} were counted")
    # What failed is tried again once its pause is over.
    await house.run.steps(1)
    await house.do("settle")


async def _poison(run: Run) -> None:
    house = await House.open(run)
    await run.steps(3)
    async with run.broken():
        await _crash(house, 8)
        await run.steps(3)
    await run.steps(14)


DRILLS: Final = (
    Drill(
        "service-down",
        "The machine that runs shop, CRM, MES and pricing dies, and starts again.",
        _service_down,
        tuple(Named("ServiceDown", {"job": job}) for job in SERVICES),
        jobs=(*SERVICES, "collector"),
        also=("SystemSilent",),
    ),
    Drill(
        "collector-dead",
        "The collector's process is killed.",
        _collector_dead,
        (Named("SignalsMissing"), Named("ServiceDown", {"job": "collector"})),
    ),
    Drill(
        "database-slow",
        "Somebody holds the shop's database locked while customers order.",
        _database_slow,
        (Named("RequestsPiling", {"job": "shop"}),),
        jobs=SERVICES,
        also=(*NO_COLLECTOR, "BudgetBurnsFast"),
        quick=False,
    ),
    Drill(
        "service-answers-errors",
        "The store of 3D models is gone: the shop answers uploads with errors.",
        _store_gone,
        (Named("BudgetBurnsFast", {"sli": "errors", "of": "shop"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
    ),
    Drill(
        "mes-slow",
        "A release of the bought-in MES takes 1.5 s for each answer.",
        _mes_slow,
        (Named("BudgetBurnsFast", {"sli": "latency", "of": "mes"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
        quick=False,
    ),
    Drill(
        "target-gone",
        "The CRM is struck out of what Prometheus reads: it is not down, it is not there.",
        _target_gone,
        (Named("ServiceDown", {"job": "crm"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
        quick=False,
    ),
    Drill(
        "label-holds-ids",
        "A release of the shop counts by order.",
        _label_holds_ids,
        (Named("SeriesGrowing", {"job": "shop"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
        step=TEN_MINUTES,
    ),
    Drill(
        "pricing-workers-down",
        "Every pricing worker has stopped; requests wait.",
        _workers_down,
        (Named("PriceWaits", {"class": "shop"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
    ),
    Drill(
        "pricing-worker-killed",
        "A pricing worker is killed at its work, and another one takes it over.",
        _worker_killed,
        (Named("PricingLeasesLost"),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
        step=TEN_MINUTES,
        quick=False,
    ),
    Drill(
        "poison-model",
        "A library crashes at certain models, again and again.",
        _poison,
        (Named("PricingChildrenKilled", {"reason": "crashed"}),),
        jobs=SERVICES,
        also=NO_COLLECTOR,
        step=FIVE_MINUTES,
        quick=False,
    ),
)
