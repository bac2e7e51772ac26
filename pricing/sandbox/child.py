"""The child as a worker uses it: give it a task, watch it, pause it; however it ends, the next task finds another."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self

from pricing.calculation import Measured
from pricing.refusals import Refusal
from pricing.sandbox.allowance import allowance_for
from pricing.sandbox.messages import PICTURE, Done, Event, ModelRead, Over, Refused, Task, TaskKind
from pricing.sandbox.outcomes import Crashed, OverLimit
from pricing.sandbox.process import Process
from pricing.sandbox.results import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pricing.refusals import Point
    from pricing.sandbox.allowance import Allowance
    from pricing.sandbox.messages import Failed

    Watch = Callable[[Event], None]
    Marks = Callable[[Measured], Sequence[Point]]


def _unwatched(event: Event) -> None:
    del event


def _trouble(measured: Measured) -> Sequence[Point]:
    return measured.measures.trouble_at_mm


class Child:
    """One warm process that computes, started when it is first needed and again after it has ended.

    It dies with its parent, on Linux even while it computes; start it from a thread that lasts. Not to be shared
    between event loops.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """``now``: seconds of a monotonic clock."""
        self._now = now
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._paused = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """The id of the process, while there is one."""
        return self._process.pid if self._process and self._process.alive else None

    async def warm(self) -> None:
        """Start the process ahead of its first task. Raises Crashed where that fails."""
        async with self._turn:
            await self._started()

    async def run(
        self, task: Task, watch: Watch = _unwatched, allowance: Allowance | None = None, marks: Marks = _trouble
    ) -> dict[str, Any]:
        """Compute a task and return its result, as `computing` says of each kind; one at a time, others wait.

        ``allowance``: left out, it is that of a small model until the child has told how many triangles it read.
        ``marks``: the places in mm to show on the picture of a measured model. A picture that cannot be drawn in what
        is left of the allowance is left out; that of a refused model is then in the task's folder or not. A run that
        is cancelled ends the process. Raises Refusal as the child told it, OverLimit, and Crashed.
        """
        async with self._turn:
            process = await self._started()
            try:
                result = await self._computed(process, task, watch, allowance, marks)
            except Refusal:
                raise
            except BaseException:
                await self._drop(process)
                raise
            finally:
                if process.bloated:
                    await self._drop(process)
            return result

    def pause(self) -> None:
        """Stop what is being computed, and what will be; no time passes for it."""
        self._paused = True
        if self._process:
            self._process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._paused = False
        if self._process:
            self._process.resume()

    async def close(self) -> None:
        """End the process. A run under way raises Crashed."""
        if self._process:
            await self._drop(self._process)

    async def _started(self) -> Process:
        if self._process and not self._process.alive:
            await self._drop(self._process)
        if self._process is None:
            self._process = await Process.start(self._now)
        return self._process

    async def _drop(self, process: Process) -> None:
        if self._process is process:
            self._process = None
        await process.end()

    async def _computed(
        self, process: Process, task: Task, watch: Watch, allowance: Allowance | None, marks: Marks
    ) -> dict[str, Any]:
        answer = await process.ask(
            task,
            allowance or allowance_for(task.triangles),
            lambda event: _heard(event, process, watch, widened=allowance is None),
            paused=self._paused,
        )
        if isinstance(answer, Refused):
            await self._drawn(process, _picture(task, where=answer.where), watch)
            raise Refusal(answer.code, answer.detail, answer.where)
        if not isinstance(answer, Done):
            raise _failure(answer)
        result = checked(task, answer.result)
        if task.kind in {TaskKind.MEASURE, TaskKind.REDUCE}:
            shown = tuple(marks(Measured.from_document(result["measured"])))
            result["picture"] = await self._drawn(process, _picture(task, marks=shown), watch)
        return result

    async def _drawn(self, process: Process, task: Task, watch: Watch) -> str | None:
        """Draw what has just been computed. What goes wrong costs this process, never the price."""
        try:
            answer = await process.ask(
                task,
                process.left,
                lambda event: _heard(event, process, watch, widened=False),
                paused=self._paused,
            )
            if isinstance(answer, Done):
                name: str | None = checked(task, answer.result)["picture"]
                return name
        except (OverLimit, Crashed):
            pass
        await self._drop(process)
        (task.folder / PICTURE).unlink(missing_ok=True)  # it may have been written in part
        return None


def _picture(task: Task, marks: tuple[Point, ...] = (), where: tuple[Point, ...] = ()) -> Task:
    return Task(kind=TaskKind.PICTURE, folder=task.folder, marks=marks, where=where)


def _heard(event: Event, process: Process, watch: Watch, *, widened: bool) -> None:
    """Hand on an event; a child that has read its model waits for its allowance."""
    if isinstance(event, ModelRead):
        if widened:
            process.widen(allowance_for(event.triangles))
        process.tell(b"{}")
    watch(event)


def _failure(answer: Over | Failed) -> OverLimit | Crashed:
    return OverLimit(answer.what) if isinstance(answer, Over) else Crashed(None, answer.detail)
