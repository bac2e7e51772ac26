"""Worker processes that are killed while they compute: others take their work up, and the answers are the same."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pricing.messages import PRICE_CALCULATED
from tests.parts import free_port
from tests.workers import ball, new_database, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.workers import Room

ROOT: Final = Path(__file__).parents[2]
SERVE: Final = "from pricing.workers.app import serve; from pricing.workers.settings import Settings; serve(Settings())"
# The lease of 10 s, a look for work, and a process that starts on a machine that is busy with other tests.
TAKEN_UP_S: Final = 15.0 + 15.0


@contextlib.asynccontextmanager
async def worker(room: Room) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process with one worker; what it answers leaves through the room's relay."""
    settings = {
        "DATABASE": room.service.settings.database,
        "MODELS": room.service.settings.models,
        "PORT": str(free_port()),
        "RELAY": "false",
    }
    environment = os.environ | {f"TOUCHSTONE_PRICING_{name}": value for name, value in settings.items()}
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def claimed(room: Room, turn: int) -> None:
    """Wait until the only model is claimed for the so many-th time."""
    for _ in range(1_200):
        if (await room.measurings())[0]["turn"] >= turn:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody claims it")


async def test_a_killed_process_costs_time_and_nothing_else(postgres: str, tmp_path: Path) -> None:
    """Two processes are killed one after the other in the midst of the same model; the third one prices it."""
    model = ball(170)
    (tmp_path / "calm").mkdir()
    async with running(tmp_path / "calm") as calm:
        expected = await calm.answer(await calm.ask(await calm.put(model)))
    async with running(tmp_path, database=await new_database(postgres), workers=0) as room:
        request = await room.ask(await room.put(model))
        await until(lambda: room.service.bus.received.applied == 1)
        for turn in (1, 2):
            async with worker(room) as process:
                await claimed(room, turn)
                await asyncio.sleep(0.3)
                process.send_signal(signal.SIGKILL)
        async with worker(room):
            killed = time.monotonic()
            answer = await room.answer(request)
            assert time.monotonic() - killed < TAKEN_UP_S
        assert answer.type == PRICE_CALCULATED
        assert answer.data["amount"] == expected.data["amount"]
        assert answer.data["picture"] == expected.data["picture"]
        assert room.answers() == [answer]
        (measuring,) = await room.measurings()
        assert measuring["turn"] == 3
