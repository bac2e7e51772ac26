"""What must come to its end although whoever asked for it is cancelled, however often, meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


async def finished(job: Coroutine[Any, Any, T]) -> T:
    """Run a job to its end; a caller who is cancelled meanwhile hears of that after it.

    Cancel scopes cancel again and again until the task has left them (anyio's documentation, "Cancellation and
    timeouts"), so that a plain ``asyncio.shield`` with an ``await`` after it protects from the first time only.
    """
    task = asyncio.create_task(job)
    interrupted = await _end(task)
    if interrupted is None:
        return task.result()
    _seen(task)
    raise interrupted


async def opened(opening: Callable[[], T], undo: Callable[[T], object]) -> T:
    """Open something in a thread; where the caller is cancelled meanwhile, ``undo`` it there: nobody else would."""
    task = asyncio.create_task(asyncio.to_thread(opening))
    interrupted = await _end(task)
    if interrupted is None:
        return task.result()
    if _seen(task):
        await finished(asyncio.to_thread(undo, task.result()))
    raise interrupted


async def _end(task: asyncio.Task[Any]) -> asyncio.CancelledError | None:
    """Wait until a task has ended; return the last cancellation of the caller meanwhile."""
    interrupted = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interrupted = error
    return interrupted


def _seen(task: asyncio.Task[Any]) -> bool:
    """Whether a task has a result; its exception counts as seen, or asyncio would complain of it."""
    return not task.cancelled() and task.exception() is None
