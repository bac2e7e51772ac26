"""No model uses more of the machine than its allowance, and the next one finds a child that works."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from pricing.limits import MIB
from pricing.sandbox import PICTURE, Allowance, Child, Crashed, OverLimit, TaskKind, allowance_for
from pricing.sandbox.allowance import MOST
from pricing.sandbox.metering import FILES, Meter
from tests.unit.test_sandbox import Begun, large, ring, task

if TYPE_CHECKING:
    from pathlib import Path

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets another process's limits")


def test_a_model_that_nobody_has_read_gets_five_seconds_and_512_mb() -> None:
    assert allowance_for(None) == allowance_for(12) == Allowance(5.0, 512 * MIB, 64 * MIB)


def test_a_large_model_gets_more_in_proportion_and_none_gets_more_than_the_largest() -> None:
    one, two = allowance_for(1_000_000), allowance_for(2_000_000)
    assert one.seconds > allowance_for(None).seconds
    assert (two.seconds, two.memory_bytes, two.output_bytes) == (
        2 * one.seconds,
        2 * one.memory_bytes,
        2 * one.output_bytes,
    )
    assert allowance_for(10**12) == MOST


async def test_a_model_that_takes_too_long_is_given_up_and_the_next_is_measured(tmp_path: Path) -> None:
    async with Child() as child:
        await child.warm()
        with pytest.raises(OverLimit) as over:
            await child.run(task(tmp_path, large(tmp_path)), allowance=Allowance(0.3, 1024 * MIB, 64 * MIB))
        assert over.value.what == "time"
        assert child.pid is None
        assert (await child.run(task(tmp_path, ring(tmp_path))))["picture"] == PICTURE


async def test_time_stopped_does_not_count_and_a_stopped_child_stays_within_its_allowance(tmp_path: Path) -> None:
    """The clock of the parent, set forward by an hour while the child is stopped, ends nothing."""
    now, waiting = 0.0, Begun("mend")
    async with Child(lambda: now) as child:
        running = asyncio.create_task(child.run(task(tmp_path, large(tmp_path)), waiting))
        await waiting.begun.wait()
        child.pause()
        now = 3600.0
        await asyncio.sleep(0.3)
        assert not running.done()
        child.resume()
        assert (await running)["measured"]["measures"]["triangles"] == 400_000


async def test_a_child_that_waits_is_ended_by_the_clock_though_it_uses_no_cpu(tmp_path: Path) -> None:
    now, waiting = 0.0, Begun("mend")
    async with Child(lambda: now) as child:
        running = asyncio.create_task(child.run(task(tmp_path, large(tmp_path)), waiting))
        await waiting.begun.wait()
        now = 3600.0
        with pytest.raises(OverLimit) as over:
            await running
        assert over.value.what == "time"


@linux
async def test_a_model_that_takes_too_much_memory_is_given_up_and_the_next_is_measured(tmp_path: Path) -> None:
    async with Child() as child:
        with pytest.raises(OverLimit) as over:
            await child.run(task(tmp_path, large(tmp_path)), allowance=Allowance(60, 64 * MIB, 64 * MIB))
        assert over.value.what == "memory"
        assert (await child.run(task(tmp_path, ring(tmp_path))))["picture"] == PICTURE


@linux
async def test_memory_is_widened_once_the_triangles_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same child, the same model: too large for what it has before it was read, not for what it then gets."""
    monkeypatch.setattr("pricing.sandbox.allowance.MEMORY_BYTES", 64 * MIB)
    async with Child() as child:
        assert allowance_for(None).memory_bytes == 64 * MIB
        result = await child.run(task(tmp_path, large(tmp_path)))
    assert result["measured"]["measures"]["triangles"] == 400_000


@linux
async def test_a_model_that_writes_too_much_is_given_up(tmp_path: Path) -> None:
    asked = task(tmp_path, ring(tmp_path, 400, 100), TaskKind.PREPARE)
    async with Child() as child:
        with pytest.raises(OverLimit) as over:
            await child.run(asked, allowance=Allowance(60, 512 * MIB, MIB))
        assert over.value.what == "output"
        assert sum(path.stat().st_size for path in asked.folder.iterdir()) <= MIB


@linux
async def test_a_picture_that_cannot_be_drawn_costs_no_price(tmp_path: Path) -> None:
    asked = task(tmp_path, ring(tmp_path))
    async with Child() as child:
        result = await child.run(asked, allowance=Allowance(60, 512 * MIB, 12_000))
        assert result["measured"]["measures"]["closed"]
        assert result["picture"] is None
        assert list(asked.folder.iterdir()) == []
        assert (await child.run(task(tmp_path, ring(tmp_path))))["picture"] == PICTURE


async def test_a_fault_of_ours_is_told_as_one_and_the_next_is_measured(tmp_path: Path) -> None:
    asked = task(tmp_path, ring(tmp_path)).model_copy(update={"model": None})
    async with Child() as child:
        with pytest.raises(Crashed, match="does not say which files") as crashed:
            await child.run(asked)
        assert crashed.value.signal is None
        assert (await child.run(task(tmp_path, ring(tmp_path))))["picture"] == PICTURE


def test_the_clock_stands_while_the_child_is_stopped() -> None:
    now = 100.0
    meter = Meter(-1, Allowance(5, 0, 0), None, lambda: now)
    now = 102.0
    meter.stop()
    now = 150.0
    assert meter.running_s == 2
    meter.go()
    now = 151.0
    assert meter.running_s == 3
    assert meter.exceeded() is None
    now = 169.0
    assert meter.exceeded() == "time"


def test_many_small_files_are_too_much_output_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(5000))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "large")
    meter = Meter(-1, Allowance(5, 0, 1000), folder, lambda: 0.0)
    assert not meter.too_much_output()
    for number in range(FILES):
        (folder / f"{number}").touch()
    assert meter.exceeded() == "output"
