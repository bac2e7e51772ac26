"""One warm process, seen from the parent: starting it, talking with it, stopping it and finding out how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pydantic import ValidationError

from pricing.limits import MIB
from pricing.sandbox.allowance import Allowance
from pricing.sandbox.confining import bound
from pricing.sandbox.messages import LINE_BYTES, SAID, Answer, Event, Ready, Task
from pricing.sandbox.metering import Meter, address_space
from pricing.sandbox.outcomes import Crashed, OverLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from pricing.sandbox.outcomes import What

POLL_S: Final = 0.05
GOING_S: Final = 1.0
TAIL_BYTES: Final = 4096
EVENTS: Final = 10_000  # a calculation has some dozens
KEPT_BYTES: Final = 64 * MIB
STARTING: Final = Allowance(seconds=20, memory_bytes=0, output_bytes=MIB)
# What a process says last that was refused memory where Python could not tell.
NO_MEMORY: Final = (b"bad_alloc", b"MemoryError", b"Cannot allocate memory")
# Nothing of the worker's own environment: it holds secrets. One thread, one arena: the same digits, and memory that
# is counted as it is used.
ENVIRONMENT: Final = {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "LANG": "C.UTF-8",
}
COMMAND: Final = (sys.executable, "-P", "-B", "-X", "faulthandler", "-m", "pricing.sandbox")


class Process:
    """A child that has been started. It computes one task at a time."""

    def __init__(self, process: asyncio.subprocess.Process, now: Callable[[], float]) -> None:
        """``process``: with pipes for all three; ``now``: seconds of a monotonic clock."""
        self._process, self._now = process, now
        self._meter = Meter(process.pid, STARTING, None, now)
        self._over: What | None = None
        self._baseline: int | None = None
        self._tail = b""
        self._hearing = False
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, now: Callable[[], float]) -> Self:
        """Start a child and wait until it is warm. Raises Crashed where it does not get so far."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            str(os.getpid()),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=ENVIRONMENT,
            cwd="/",  # it writes by absolute names only, and so leaves nothing behind
            start_new_session=True,
            limit=LINE_BYTES,
        )
        started = cls(process, now)
        try:
            await started._warmed()
        except BaseException:
            await started.end()
            raise
        return started

    @property
    def pid(self) -> int:
        """The process's id, which is that of its group too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    @property
    def bloated(self) -> bool:
        """Whether it holds much more memory than when it was warm: a fresh one serves the next model better."""
        held = address_space(self.pid)
        return held is not None and self._baseline is not None and held > self._baseline + KEPT_BYTES

    @property
    def left(self) -> Allowance:
        """What the last task has left of its allowance."""
        return replace(self._meter.allowance, seconds=max(0.0, self._meter.left_s))

    async def ask(
        self, task: Task, allowance: Allowance, heard: Callable[[Event], None], *, paused: bool = False
    ) -> Answer:
        """Send a task and return what comes of it. ``paused``: begin when resumed. Raises OverLimit, Crashed."""
        self._meter = Meter(self.pid, allowance, task.folder, self._now)
        if paused:
            self.pause()
        else:
            self.resume()
        with suppress(ProcessLookupError):
            bound(self.pid, allowance, self._baseline)
        self.tell(task.model_dump_json().encode())
        answer = await self._hear(heard)
        if isinstance(answer, Ready):
            raise Crashed(None, "It answered what was not asked.")
        if self._meter.too_much_output():
            raise OverLimit("output")
        return answer

    def widen(self, allowance: Allowance) -> None:
        """Give the task under way another allowance."""
        self._meter.allowance = allowance
        with suppress(ProcessLookupError):
            bound(self.pid, allowance, self._baseline)

    def tell(self, line: bytes) -> None:
        """Send a line; that nobody reads it shows when the answer is awaited."""
        if self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")

    def pause(self) -> None:
        """Stop the process where it is; its clock stands."""
        self._meter.stop()
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self._meter.go()

    async def end(self) -> None:
        """Kill the process, stopped or not, and wait until nothing of it is left."""
        self._signal(signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None and not self._hearing:  # whoever hears reads to the end
            with suppress(ValueError):
                while await self._process.stdout.read(TAIL_BYTES):
                    pass
        await self._process.wait()
        await self._listening

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def _warmed(self) -> None:
        try:
            said = await self._hear(lambda _: None)
        except OverLimit:
            raise Crashed(None, "It did not start in time.") from None
        if not isinstance(said, Ready):
            raise Crashed(None, "It did not say that it is ready.")
        self._baseline = address_space(self.pid)

    async def _hear(self, heard: Callable[[Event], None]) -> Ready | Answer:
        """Hand on events until there is an answer, while a guard looks at the clock."""
        guard = asyncio.create_task(self._guard(self._meter))
        self._hearing = True
        try:
            for _ in range(EVENTS):
                said = await self._line()
                if not isinstance(said, Event):
                    return said
                heard(said)
        finally:
            self._hearing = False
            guard.cancel()
        raise OverLimit("output")

    async def _line(self) -> Event | Ready | Answer:
        stream = self._process.stdout
        try:
            line = b"" if stream is None else await stream.readline()
        except ValueError:  # longer than LINE_BYTES
            raise OverLimit("output") from None
        if not line.endswith(b"\n"):
            raise await self._post_mortem()
        self._meter.said_bytes += len(line)
        if self._meter.said_bytes > self._meter.allowance.output_bytes:
            raise OverLimit("output")
        try:
            return SAID.validate_json(line)
        except ValidationError:
            raise Crashed(None, "It said what nobody understands.") from None

    async def _guard(self, meter: Meter) -> None:
        """Kill the process once its allowance is used up."""
        while self._over is None:
            await asyncio.sleep(POLL_S)
            self._over = meter.exceeded()
        self._signal(signal.SIGKILL)

    async def _listen(self) -> None:
        """Keep the end of what it says on standard error."""
        stream = self._process.stderr
        while stream is not None and (said := await stream.read(TAIL_BYTES)):
            self._meter.said_bytes += len(said)
            self._tail = (self._tail + said)[-TAIL_BYTES:]

    async def _post_mortem(self) -> OverLimit | Crashed:
        """Return why a process hung up."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), GOING_S)
        await self.end()
        code = self._process.returncode or 0
        if self._over:
            return OverLimit(self._over)
        if any(words in self._tail for words in NO_MEMORY):
            return OverLimit("memory")
        return Crashed(-code if code < 0 else None, self._tail.decode(errors="replace").strip())
