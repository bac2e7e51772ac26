"""Keeps the processes of a run alive: a parent that has everything imported, and forks a new one in milliseconds.

It is a process of its own, single-threaded and without an event loop, because a fork copies only the forking thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dataclasses
import gc
import logging
import multiprocessing
import os
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, Final

from tests.faults import controls, workers
from tests.faults.jobs import BUS, CONSUMING, DUAL_WRITE, EACH, NO_INBOX, RELAY, ROLES, WRITER, Job, Place, Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from tests.faults.board import Board

_POLL_S: Final = 0.02
_GOODBYE_S: Final = 20.0
_DIES_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG (prctl(2))
_WORK: Final[dict[tuple[str, str], Callable[[Worker], Awaitable[None]]]] = {
    (BUS, WRITER): workers.write,
    (BUS, RELAY): workers.relay,
    (BUS, CONSUMING): workers.consume,
    (NO_INBOX, WRITER): workers.write,
    (NO_INBOX, RELAY): workers.relay,
    (NO_INBOX, CONSUMING): controls.consume_without_inbox,
    (DUAL_WRITE, WRITER): controls.write_twice,
    (DUAL_WRITE, CONSUMING): controls.consume_unacknowledged,
}


class Keeper:
    """The way to the keeping process. Make it before any thread and any server; they would be copied too."""

    def __init__(self, board: Board, log: Path) -> None:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_keep, args=(self._ours, theirs, board, log))
        self._process.start()
        theirs.close()

    def begin(self, job: Job) -> list[Place]:
        """Start the processes of a job; return where each stands."""
        places: list[Place] = self._ask("begin", job)
        return places

    def kill(self, slot: int) -> bool:
        """End a process by SIGKILL and start it again; False where it had just ended by itself."""
        return bool(self._ask("kill", slot))

    def spread(self, queues: int) -> None:
        """Have consumers use another number of queues, one after the other; all others from their next start on."""
        self._ask("spread", queues)

    def halt(self) -> list[str]:
        """End all processes; return which of them had ended by themselves."""
        ended: list[str] = self._ask("halt")
        return ended

    def close(self) -> None:
        """End the keeper too."""
        self._ours.close()
        self._process.join()

    def _ask(self, *words: Any) -> Any:
        self._ours.send(words)
        return self._ours.recv()


def _keep(parents: Connection, control: Connection, board: Board, log: Path) -> None:
    parents.close()  # else the end of the harness would not be seen here
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    gc.collect()
    gc.freeze()
    processes = _Processes(board)
    while True:
        with contextlib.suppress(EOFError):
            if control.poll(_POLL_S):
                name, *values = control.recv()
                control.send(getattr(processes, name)(*values))
            processes.mend()
            continue
        processes.halt()
        return


class _Processes:
    """The processes of the present job."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._job: Job | None = None
        self._places: dict[int, Place] = {}
        self._pids: dict[int, int] = {}
        self._ended: list[str] = []

    def begin(self, job: Job) -> list[Place]:
        self._job = job
        roles = [role for role in ROLES[job.scenario] for _ in range(EACH)]
        self._places = {slot: Place(role, slot, 0) for slot, role in enumerate(roles)}
        for slot in self._places:
            self._fork(slot)
        return list(self._places.values())

    def kill(self, slot: int) -> bool:
        self.mend()
        pid = self._pids[slot]
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self._again(slot)
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def spread(self, queues: int) -> None:
        if self._job is None:
            return
        self._job = dataclasses.replace(self._job, queues=queues)
        for slot, place in list(self._places.items()):
            if place.role == CONSUMING:
                self._stop(slot)
                self._again(slot)

    def _stop(self, slot: int) -> None:
        """End a process in good order; one that does not end is killed, and told of."""
        pid, until = self._pids[slot], time.monotonic() + _GOODBYE_S
        os.kill(pid, signal.SIGTERM)
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if time.monotonic() > until:
                self._ended.append(f"{self._places[slot]} did not end within {_GOODBYE_S:.0f} s of SIGTERM")
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(_POLL_S)

    def mend(self) -> None:
        """Start again what ended by itself."""
        for slot, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._ended.append(f"{self._places[slot]} ended by itself, status {status}")
                self._again(slot)

    def halt(self) -> list[str]:
        self.mend()
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        ended, self._ended, self._pids = self._ended, [], {}
        return ended

    def _again(self, slot: int) -> None:
        role, _, generation = self._places[slot]
        self._places[slot] = Place(role, slot, generation + 1)
        self._fork(slot)

    def _fork(self, slot: int) -> None:
        if self._job is None:
            return
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._pids[slot] = pid
            return
        try:
            _work(Worker(self._job, self._places[slot], self._board), parent)
        except BaseException:  # noqa: BLE001 - said in the log, and by the exit status
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)


def _work(worker: Worker, parent: int) -> None:
    """Be a process of the job, until told to stop."""
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        return
    name = f"{worker.place.role} {worker.place.slot}.{worker.place.generation}"
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {worker.job.scenario} {name} %(message)s")
    for chatty in ("aio_pika", "aiormq", "alembic"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    asyncio.run(_until_told(_WORK[worker.job.scenario, worker.place.role](worker)))
    os._exit(0)


async def _until_told(work: Awaitable[None]) -> None:
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
