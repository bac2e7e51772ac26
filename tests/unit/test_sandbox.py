"""The child computes what this process would, to the last digit; whatever happens to it, the next model is measured."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from pricing.calculation import measured
from pricing.refusals import Refusal, RefusalCode
from pricing.sandbox import (
    PICTURE,
    Child,
    Crashed,
    Event,
    ModelRead,
    OverLimit,
    Progressed,
    StepBegun,
    StepEnded,
    Task,
    TaskKind,
)
from pricing.sandbox.metering import cpu_seconds
from services.demo.rings import Ring, design

PNG: Final = b"\x89PNG\r\n\x1a\n"
HOSTILE: Final = Path(__file__).parents[3] / "shared" / "models" / "hostile"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of another process")


def ring(tmp_path: Path, around: int = 120, across: int = 24) -> Path:
    """Write a ring of 2 x around x across triangles, closed and sound."""
    path = tmp_path / f"ring-{around}-{across}.stl"
    path.write_bytes(Ring(around=around, across=across).stl())
    return path


def large(tmp_path: Path) -> Path:
    """Write a ring that takes a second at least: 400,000 triangles."""
    return ring(tmp_path, 1000, 200)


def task(tmp_path: Path, model: Path, kind: TaskKind = TaskKind.MEASURE) -> Task:
    """Ask for a model, what is written in a folder of its own."""
    folder = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return Task(kind=kind, folder=folder, model=model)


def document(path: Path) -> dict[str, object]:
    """Measure a model in this process, as JSON holds it."""
    found: dict[str, object] = json.loads(json.dumps(measured(path).to_document()))
    return found


class Begun:
    """Waits for a step of the calculation."""

    def __init__(self, step: str) -> None:
        self.begun = asyncio.Event()
        self._step = step

    def __call__(self, event: Event) -> None:
        """Watch a run."""
        if isinstance(event, StepBegun) and event.step == self._step:
            self.begun.set()


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_child_measures_what_this_process_measures_to_the_last_digit(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "ring.stl"
    path.write_bytes(design(np.random.default_rng(seed)).stl())
    asked = task(tmp_path, path)
    async with Child() as child:
        result = await child.run(asked)
    assert result["measured"] == document(path)
    assert result["picture"] == PICTURE
    assert (asked.folder / PICTURE).read_bytes().startswith(PNG)


async def test_steps_are_told_with_moments_and_facts_and_the_triangles_before_mending(tmp_path: Path) -> None:
    events: list[Event] = []
    before = time.time_ns()
    async with Child() as child:
        await child.run(task(tmp_path, ring(tmp_path)), events.append)
    after = time.time_ns()
    ended = [event for event in events if isinstance(event, StepEnded)]
    assert [event.step for event in ended] == ["load", "mend", "measure", "picture"]
    moments = [moment for event in ended for moment in (event.begin_ns, event.end_ns)]
    assert [before, *moments, after] == sorted([before, *moments, after])
    assert ended[1].facts["triangles"] == 5760
    read = next(event for event in events if isinstance(event, ModelRead))
    assert (read.triangles, read.file_bytes) == (5760, 84 + 50 * 5760)
    mending = next(event for event in events if isinstance(event, StepBegun) and event.step == "mend")
    assert events.index(read) < events.index(mending)
    shares = [event.progress for event in events if isinstance(event, Progressed)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


async def test_a_heavy_model_in_slabs_measures_what_it_measures_in_one_piece(tmp_path: Path) -> None:
    path = ring(tmp_path, 800, 100)
    whole = document(path)
    asked = task(tmp_path, path, TaskKind.PREPARE)
    async with Child() as child, Child() as other:
        ready = await child.run(asked)
        assert (ready["triangles"], ready["chunks"]) == (160_000, 3)
        slabs = []
        for first, who in ((0, child), (1, other), (2, child)):
            folder = tmp_path / f"slab-{first}"
            folder.mkdir()
            piece = Task(
                kind=TaskKind.SLAB, folder=folder, prepared=asked.folder, first_chunk=first, last_chunk=first + 1
            )
            slabs.append(folder / (await who.run(piece))["files"][0])
        out = tmp_path / "reduced"
        out.mkdir()
        reduce = Task(kind=TaskKind.REDUCE, folder=out, prepared=asked.folder, slabs=tuple(slabs))
        result = await other.run(reduce)
        assert result["measured"] == whole
        assert (out / PICTURE).read_bytes().startswith(PNG)


async def test_a_refusal_comes_back_typed_with_its_places_and_a_picture_of_them(tmp_path: Path) -> None:
    path = ring(tmp_path)
    data = path.read_bytes()
    count = 5760 - 2000
    path.write_bytes(data[:80] + np.uint32(count).tobytes() + data[84 : 84 + 50 * count])
    asked = task(tmp_path, path)
    async with Child() as child:
        with pytest.raises(Refusal) as refused:
            await child.run(asked)
        pid = child.pid
        await child.run(task(tmp_path, ring(tmp_path, 100)))
        assert child.pid == pid
    with pytest.raises(Refusal) as here:
        measured(path)
    assert (refused.value.code, refused.value.detail) == (RefusalCode.OPEN, here.value.detail)
    assert refused.value.where == here.value.where
    assert (asked.folder / PICTURE).read_bytes().startswith(PNG)


async def test_killed_from_outside_it_says_by_what_and_the_next_model_finds_a_new_one(tmp_path: Path) -> None:
    waiting = Begun("mend")
    async with Child() as child:
        running = asyncio.create_task(child.run(task(tmp_path, large(tmp_path)), waiting))
        await waiting.begun.wait()
        killed = child.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(Crashed) as crashed:
            await running
        assert crashed.value.signal == signal.SIGKILL
        path = ring(tmp_path)
        assert (await child.run(task(tmp_path, path)))["measured"] == document(path)
        assert child.pid not in {None, killed}


async def test_a_run_that_is_cancelled_ends_its_process(tmp_path: Path) -> None:
    waiting = Begun("mend")
    async with Child() as child:
        running = asyncio.create_task(child.run(task(tmp_path, large(tmp_path)), waiting))
        await waiting.begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert child.pid is None
        assert (await child.run(task(tmp_path, ring(tmp_path))))["picture"] == PICTURE


@linux
async def test_a_paused_child_uses_no_cpu_and_ends_with_the_same_measures(tmp_path: Path) -> None:
    waiting = Begun("mend")
    path = large(tmp_path)
    async with Child() as child:
        running = asyncio.create_task(child.run(task(tmp_path, path), waiting))
        await waiting.begun.wait()
        child.pause()
        assert child.pid is not None
        await asyncio.to_thread(_stopped, child.pid)
        before = cpu_seconds(child.pid)
        await asyncio.sleep(0.5)
        assert cpu_seconds(child.pid) == before
        child.resume()
        assert (await running)["measured"] == document(path)


@linux
async def test_what_a_paused_child_is_asked_begins_when_it_is_resumed(tmp_path: Path) -> None:
    """Be it warm already or not: another one has its turn on this core."""
    path = ring(tmp_path)
    async with Child() as child:
        child.pause()
        for _ in range(2):
            running = asyncio.create_task(child.run(task(tmp_path, path)))
            assert await asyncio.wait({running}, timeout=3) == (set(), {running})
            assert child.pid is not None
            await asyncio.to_thread(_stopped, child.pid)
            child.resume()
            assert (await running)["measured"] == document(path)
            child.pause()


@linux
async def test_a_paused_child_can_be_closed(tmp_path: Path) -> None:
    waiting = Begun("mend")
    child = Child()
    running = asyncio.create_task(child.run(task(tmp_path, large(tmp_path)), waiting))
    await waiting.begun.wait()
    child.pause()
    await child.close()
    with pytest.raises(Crashed):
        await running
    assert child.pid is None


def _stopped(pid: int) -> None:
    """Wait until a process has stopped."""
    while b") T " not in Path(f"/proc/{pid}/stat").read_bytes():
        time.sleep(0.01)


PARENT: Final = """
import asyncio, sys
from pathlib import Path
from pricing.sandbox import Child, StepBegun, Task

async def main():
    child = Child()
    def watch(event):
        if isinstance(event, StepBegun) and event.step == "mend":
            sys.stdout.write(f"{child.pid}\\n")
            sys.stdout.flush()
            if sys.argv[3] == "paused":
                child.pause()
    await child.run(Task(kind="measure", model=Path(sys.argv[1]), folder=Path(sys.argv[2])), watch)

asyncio.run(main())
"""


@linux
@pytest.mark.parametrize("state", ["computing", "paused"])
def test_a_child_whose_parent_was_killed_is_gone(tmp_path: Path, state: str) -> None:
    asked = task(tmp_path, large(tmp_path))
    command = [sys.executable, "-c", PARENT, str(asked.model), str(asked.folder), state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
    until = time.monotonic() + 30
    while _running(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _running(child)


def _running(pid: int) -> bool:
    """Whether a process is there and no mere entry that nobody has collected yet."""
    with suppress(OSError):
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    return False


def _known(pid: int | None) -> tuple[bytes, set[str]]:
    """Return the environment and the open files of a process."""
    files = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
    return Path(f"/proc/{pid}/environ").read_bytes(), files


@linux
async def test_the_child_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_S3_SECRET_KEY", "gold-in-the-cellar")
    async with Child() as child:
        await child.warm()
        environment, handles = _known(child.pid)
    names = {line.partition(b"=")[0] for line in environment.split(b"\0") if line}
    assert b"gold-in-the-cellar" not in environment
    assert names <= {b"PYTHONPATH", b"PYTHONHASHSEED", b"OPENBLAS_NUM_THREADS", b"OMP_NUM_THREADS"} | {
        b"MALLOC_ARENA_MAX",
        b"LANG",
        b"LC_CTYPE",
    }
    assert all(handle.startswith("pipe:") for handle in handles)


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile models are not here")
async def test_every_hostile_model_ends_in_a_sound_measure_or_a_typed_refusal(tmp_path: Path) -> None:
    """None ends the way of a crash; the child that has met them all still measures a ring to the last digit."""
    ends = {}
    good = ring(tmp_path)
    async with Child() as child:
        for path in sorted(HOSTILE.iterdir()):
            try:
                result = await child.run(task(tmp_path, path))
                ends[path.name] = "measured" if result["measured"]["measures"]["closed"] else "not closed"
            except Refusal as refusal:
                ends[path.name] = refusal.code.value
            except OverLimit as over:
                ends[path.name] = over.what
        assert (await child.run(task(tmp_path, good)))["measured"] == document(good)
    assert len(ends) > 20
    assert set(ends.values()) <= {"measured", "time", "memory"} | set(RefusalCode)
    assert ends["nasty_098_billion_laughs.3mf"] in set(RefusalCode)
