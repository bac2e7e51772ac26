"""What is done to the processes, connections and broker of a run, and when."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from deploy.servers import Proxy, RabbitServer
    from tests.faults.board import Board
    from tests.faults.jobs import Place
    from tests.faults.keeper import Keeper

PACE_S: Final = 0.65
QUEUES: Final = (2, 6)
KILL, RESET, RESTART, CHANGE = "kill", "reset", "restart", "change"
_FEW_RESTARTS: Final = 2


@dataclass(frozen=True)
class Scale:
    """How much is said, and how often something is done to those who say and hear it."""

    orders: int
    events: int
    kills: int
    resets: int
    broker_restarts: int
    queue_changes: int


@dataclass
class Done:
    """How often it was done."""

    kills: int = 0
    resets: int = 0
    broker_restarts: int = 0
    queue_changes: int = 0

    def missing(self, scale: Scale) -> list[str]:
        """Return what was done less often than asked."""
        asked = asdict(scale)
        return [f"{name}: {number} of {asked[name]}" for name, number in asdict(self).items() if number < asked[name]]


def schedule(scale: Scale, chance: random.Random) -> list[str]:
    """Return what to do in turn: kills all the time, restarts of the broker evenly among them, the rest at random."""
    turns = [KILL] * scale.kills + [RESET] * scale.resets + [CHANGE] * scale.queue_changes
    chance.shuffle(turns)
    every = len(turns) // (scale.broker_restarts + 1)
    for number in range(scale.broker_restarts, 0, -1):
        turns.insert(number * every, RESTART)
    return turns


class Conductor:
    """Does it, and lets the writers say as much as fits the faults done so far."""

    def __init__(self, keeper: Keeper, board: Board, proxy: Proxy, server: RabbitServer, chance: random.Random) -> None:
        self._keeper, self._board, self._proxy, self._server, self._chance = keeper, board, proxy, server, chance
        self._restarting: threading.Thread | None = None
        self._trouble: list[BaseException] = []
        self.done = Done()

    def run(self, scale: Scale, places: Sequence[Place]) -> None:
        """Do all of it, and return when the broker is up again."""
        turns = schedule(scale, self._chance)
        total = scale.orders * scale.events
        for number, turn in enumerate(turns, start=1):
            self._board.allowed = total * number // len(turns)
            time.sleep(PACE_S * self._chance.uniform(0.2, 1.8))
            self._do(turn, places, clean=scale.broker_restarts > _FEW_RESTARTS)
        self._board.allowed = total
        self._wait()

    def _do(self, turn: str, places: Sequence[Place], *, clean: bool) -> None:
        if turn == KILL:
            while not self._keeper.kill(self._chance.choice(places).slot):
                pass
            self.done.kills += 1
        elif turn == RESET:
            self._proxy.reset()
            self.done.resets += 1
        elif turn == CHANGE:
            self._keeper.spread(self._chance.randint(*QUEUES))
            self.done.queue_changes += 1
        else:
            self._wait()
            # In few restarts all are crashes; of many each second is one in good order, which takes longer.
            gently = clean and self.done.broker_restarts % 2 == 1
            self._restarting = threading.Thread(target=self._restart, kwargs={"gently": gently})
            self._restarting.start()

    def _restart(self, *, gently: bool) -> None:
        """End the broker while kills go on, and start it again."""
        try:
            self._server.restart() if gently else self._server.kill()
            self.done.broker_restarts += 1
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            self._trouble.append(error)

    def _wait(self) -> None:
        if self._restarting is not None:
            self._restarting.join()
        for error in self._trouble:
            raise error
