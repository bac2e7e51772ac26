"""One scenario from its first process to its verdict."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.faults import board as cells
from tests.faults import stores
from tests.faults.broker import VirtualHost
from tests.faults.conducting import Conductor
from tests.faults.jobs import BUS, DUAL_WRITE, NO_INBOX, Job
from tests.faults.judging import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.servers import PostgresServer, Proxy, RabbitServer
    from services.bus import Database
    from tests.faults.board import Board
    from tests.faults.conducting import Done, Scale
    from tests.faults.judging import Verdict
    from tests.faults.keeper import Keeper

# Longer than any wait of the bus itself: a relay's and a handler's back-off, finding the queues of an older setting.
PATIENCE_S: Final = 75.0
# The broker counts each second, so what it says may be that old.
QUIET_S: Final = 3.0
LOOK_S: Final = 0.5
_QUEUES_AT_FIRST: Final = 4


@dataclass(frozen=True)
class Stage:
    """What all scenarios run on. ``say`` tells the person who waits."""

    postgres: PostgresServer
    rabbitmq: RabbitServer
    proxy: Proxy
    keeper: Keeper
    board: Board
    say: Callable[[str], None]


@dataclass
class Outcome:
    """How a scenario ended. ``stuck``: what would not move, empty if all came to rest."""

    done: Done
    verdict: Verdict
    tampering: dict[str, int]
    seconds: float
    stuck: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


def play(stage: Stage, name: str, scale: Scale, seed: int) -> Outcome:
    """Run a scenario and judge it when all is done, or stuck."""
    began = time.monotonic()
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        virtual = VirtualHost(stage.rabbitmq, stage.proxy.address, name)
        stack.callback(virtual.close)
        shop = runner.run(stores.made_shop(stage.postgres.address, f"{name}_shop", scale.orders))
        crm = runner.run(stores.made_crm(stage.postgres.address, f"{name}_crm"))
        databases = runner.run(stores.opened(shop)), runner.run(stores.opened(crm))
        for database in databases:
            stack.callback(_closed, runner, database)
        job = Job(name, virtual.address, shop, crm, scale.orders, scale.events, seed, _QUEUES_AT_FIRST)
        chance = random.Random(f"{seed} {name}")  # noqa: S311 - a fault run, repeatable by its seed
        conductor = Conductor(stage.keeper, stage.board, stage.proxy, stage.rabbitmq, chance)
        stage.board.clear()
        places = stage.keeper.begin(job)
        ended: list[str] = []
        try:
            conductor.run(scale, places)
            stage.say(f"{name}: faults done after {time.monotonic() - began:.0f} s, waiting for the rest")
            stuck = _await_rest(runner, virtual, databases, scale.events)
        finally:
            ended += stage.keeper.halt()
        books = runner.run(stores.books(*databases))
        verdict = judge(books, events=scale.events, commands=name != DUAL_WRITE)
        outcome = Outcome(conductor.done, verdict, _tampering(stage.board), time.monotonic() - began, stuck, ended)
    stage.say(f"{name}: {verdict}")
    return outcome


def _closed(runner: asyncio.Runner, database: Database) -> None:
    runner.run(database.close())


def _tampering(board: Board) -> dict[str, int]:
    return {
        "sent": board.total(cells.SENT),
        "doubled": board.total(cells.DOUBLED),
        "shuffled": board.total(cells.SHUFFLED),
        "handler_failures": board.total(cells.FAILURES),
    }


def _await_rest(
    runner: asyncio.Runner, virtual: VirtualHost, databases: tuple[Database, Database], events: int
) -> list[str]:
    """Return when outbox, queues and held messages have been gone for a while; else tell what does not move."""
    last: object = None
    moved = time.monotonic()
    while True:
        depths = virtual.depths()
        left = runner.run(stores.unfinished(*databases, events))
        now = time.monotonic()
        if (depths, left) != last:
            last, moved = (depths, left), now
        at_rest = depths == {} and not any(left)
        if at_rest and now - moved > QUIET_S:
            return []
        if not at_rest and now - moved > PATIENCE_S:
            return [f"queues: {depths}", f"{left}", *runner.run(stores.stuck(*databases))]
        time.sleep(LOOK_S)


def caught(name: str, verdict: Verdict) -> bool:
    """Whether a control did what it is known to do."""
    return {NO_INBOX: verdict.doubled + verdict.misordered, DUAL_WRITE: verdict.lost}[name] > 0


def failures(name: str, scale: Scale, outcome: Outcome) -> list[str]:
    """Return why a scenario failed, in sentences."""
    found = [f"{name}: fewer faults than asked: {what}" for what in outcome.done.missing(scale)]
    found += [f"{name}: stuck: {what}" for what in outcome.stuck]
    if name != BUS:
        return found if caught(name, outcome.verdict) else [*found, f"{name}: the control was not caught"]
    if outcome.verdict.wrong:
        found.append(f"{name}: {outcome.verdict}")
    return found + [f"{name}: {what}" for what in outcome.ended]
