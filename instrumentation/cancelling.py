"""What must come to its end although whoever asked for it is cancelled, however often, meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

AGAIN_S: Final = 1.0
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


async def ended(tasks: Collection[asyncio.Task[Any]], again_s: float = AGAIN_S) -> None:
    """Cancel tasks until they have ended, whatever they end with; who is cancelled meanwhile hears of that after it.

    Once is not enough: a library that takes an answer which comes just then for the outcome of its call forgets that it
    was cancelled meanwhile, and the task goes on. ``again_s``: how long it takes them to tidy up, and more.
    """
    interrupted, left = None, set(tasks)
    while left:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=again_s)
        except asyncio.CancelledError as error:
            interrupted = error
        left = {task for task in left if not task.done()}
    for task in tasks:
        _seen(task)
    if interrupted is not None:
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
