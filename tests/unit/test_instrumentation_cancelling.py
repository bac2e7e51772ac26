"""What is begun ends, and what is opened is closed, however often whoever asked for it is cancelled meanwhile."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from instrumentation.cancelling import ended, finished, opened


async def cancelled(task: asyncio.Task[str], times: int) -> None:
    """Cancel a task so many times, each time after it has had a turn."""
    for _ in range(times):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()


@pytest.mark.parametrize("times", [1, 3])
async def test_a_job_ends_before_its_caller_hears_that_he_was_cancelled(times: int) -> None:
    go_on, ended = asyncio.Event(), []

    async def job() -> str:
        await go_on.wait()
        ended.append("job")
        return "done"

    caller = asyncio.create_task(finished(job()))
    await cancelled(caller, times)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == ["job"]


async def test_a_job_that_nobody_interrupts_gives_what_it_gives() -> None:
    async def job() -> str:
        return "done"

    async def failing() -> str:
        raise LookupError("no such thing")

    assert await finished(job()) == "done"
    with pytest.raises(LookupError, match="no such thing"):
        await finished(failing())


async def test_a_job_that_fails_after_its_caller_was_cancelled_is_a_cancelled_one() -> None:
    """Nobody is left to hear of the failure, and asyncio does not complain that none did."""
    go_on, complaints = asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))

    async def failing() -> str:
        await go_on.wait()
        raise LookupError("no such thing")

    caller = asyncio.create_task(finished(failing()))
    await cancelled(caller, 1)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    del caller
    assert not complaints


@pytest.mark.parametrize("times", [1, 3])
async def test_what_is_opened_for_whoever_is_gone_is_closed(times: int) -> None:
    go_on, did = threading.Event(), []

    def opening() -> str:
        go_on.wait()
        did.append("opened")
        return "it"

    caller = asyncio.create_task(opened(opening, lambda what: did.append(f"closed {what}")))
    await cancelled(caller, times)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert did == ["opened", "closed it"]


async def test_what_is_opened_stays_open_for_whoever_waits() -> None:
    did: list[str] = []
    assert await opened(lambda: "it", did.append) == "it"
    assert not did


async def test_what_cannot_be_opened_is_not_closed() -> None:
    """The failure reaches whoever waits; who was cancelled hears of that."""
    go_on = threading.Event()
    did: list[str] = []

    def failing() -> str:
        go_on.wait()
        raise LookupError("no such thing")

    caller = asyncio.create_task(opened(failing, did.append))
    await cancelled(caller, 1)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(LookupError, match="no such thing"):
        await opened(failing, did.append)
    assert not did


async def test_tasks_end_though_one_forgets_that_it_was_cancelled() -> None:
    """As a library does that takes an answer which comes just then for all that has come."""
    forgot = 0

    async def forgetful() -> None:
        nonlocal forgot
        while forgot < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                forgot += 1
        await asyncio.Event().wait()

    async def failing() -> None:
        raise LookupError("no such thing")

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    tasks = [asyncio.create_task(forgetful()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await ended(tasks, again_s=0.01)
    assert forgot == 2
    assert [task.cancelled() for task in tasks] == [True, False]
    del tasks
    gc.collect()
    assert not complaints


async def test_who_ends_tasks_leaves_none_when_he_is_cancelled_himself() -> None:
    go_on = asyncio.Event()

    async def tidying() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await finished(go_on.wait())

    task = asyncio.create_task(tidying())
    await asyncio.sleep(0)
    ending = asyncio.create_task(ended([task]))
    for _ in range(3):
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.sleep(0)
    assert not ending.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert task.cancelled()


async def test_there_may_be_no_task_to_end() -> None:
    await ended([])
