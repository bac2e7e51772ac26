"""A child that a model has taken over may say and write what it likes: the worker believes and follows none of it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from pricing.calculation import measured
from pricing.limits import DEFAULT, MIB
from pricing.refusals import Refusal, RefusalCode
from pricing.sandbox import PICTURE, Allowance, Crashed, OverLimit, StepEnded, Task, TaskKind
from pricing.sandbox.messages import LINE_BYTES, SAID, Refused
from pricing.sandbox.process import EVENTS, Process
from pricing.sandbox.results import checked
from pricing.sandbox.speaking import refused, sayable
from tests.unit.test_sandbox import ring, task

if TYPE_CHECKING:
    from pathlib import Path

SAY = "import os, sys\nsays = sys.stdin.buffer.readline\nsays()\n"
PROGRESS = b'{"kind":"progress","progress":0.5}\n'


async def outcome(program: str, asked: Task) -> OverLimit | Crashed:
    """Ask a task of a real process that runs another program than ours, and return how that ends."""
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SAY + program),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
        limit=LINE_BYTES,
    )
    process = Process(started, time.monotonic)
    try:
        answer = await process.ask(asked, Allowance(0.5, 512 * MIB, 16 * MIB), lambda _: None)
    except (OverLimit, Crashed) as ended:
        return ended
    finally:
        await process.end()
        assert not process.alive
    pytest.fail(f"it was believed: {answer}")


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("os.write(1, b'gold\\n')", None),
        ("os.write(1, b'[' * 100_000 + b'\\n')", None),
        ('os.write(1, b\'{"kind":"ready"}\\n\')', None),
        ('os.write(1, b\'{"kind":"done","result":{},"more":1}\\n\')', None),
        ("os.close(1); says()", None),
        ("while True: os.write(1, b'x' * 65536)", "output"),
        (f"os.write(1, {PROGRESS!r} * {EVENTS + 1}); says()", "output"),
        ("while True: os.write(2, b'x' * 65536)", "output"),
        ("while True: pass", "time"),
        (
            "sys.stderr.write('terminate called after throwing: std::bad_alloc'); sys.stderr.flush(); os.abort()",
            "memory",
        ),
    ],
)
async def test_whatever_a_process_says_it_is_ended_and_told_apart(
    tmp_path: Path, program: str, what: str | None
) -> None:
    ended = await outcome(program, task(tmp_path, ring(tmp_path)))
    assert getattr(ended, "what", None) == what


async def test_a_crash_tells_what_was_said_last(tmp_path: Path) -> None:
    ended = await outcome("sys.stderr.write('the roof is on fire'); sys.exit(3)", task(tmp_path, ring(tmp_path)))
    assert isinstance(ended, Crashed)
    assert (ended.signal, ended.detail) == (None, "the roof is on fire")


def test_what_a_model_makes_unsayable_is_said_all_the_same() -> None:
    """Half a character in a name, and a place that is no number, must not end the child."""
    refusal = Refusal(RefusalCode.NOT_FINITE, "the part \ud800 is broken", ((1.0, 2.0, 3.0), (float("nan"), 0.0, 0.0)))
    said = SAID.validate_json(refused(refusal).model_dump_json())
    assert isinstance(said, Refused)
    assert (said.code, said.detail, said.where) == (refusal.code, "the part ? is broken", ((1.0, 2.0, 3.0),))
    assert sayable({"notes": ("\udfff", 1.5)}) == {"notes": ["?", 1.5]}


@pytest.fixture
def told(tmp_path: Path) -> tuple[Task, dict[str, Any]]:
    """Return a task and a result that is as it should be."""
    asked = task(tmp_path, ring(tmp_path))
    assert asked.model
    (asked.folder / PICTURE).touch()
    return asked, {"measured": json.loads(json.dumps(measured(asked.model).to_document())), "picture": PICTURE}


def test_a_result_as_it_should_be_is_taken(told: tuple[Task, dict[str, Any]]) -> None:
    assert checked(*told) is told[1]


def test_measures_that_are_none_are_not_taken(told: tuple[Task, dict[str, Any]]) -> None:
    asked, result = told
    for name, value in (
        ("volume_mm3", "much"),
        ("volume_mm3", float("nan")),
        ("area_mm2", float("inf")),
        ("bodies", None),
    ):
        wrong = result | {"measured": result["measured"] | {"measures": result["measured"]["measures"] | {name: value}}}
        with pytest.raises(Crashed):
            checked(asked, wrong)
    for wrong in ({}, result | {"gold": 1}, result | {"measured": []}, result | {"measured": {}}):
        with pytest.raises(Crashed):
            checked(asked, wrong)


@pytest.mark.parametrize(
    "name", ["../ring-120-24.stl", "/etc/passwd", "..", "", "gone.png", "link.png", "folder", 7, "a\0b"]
)
def test_files_that_the_child_may_not_name_are_not_taken(told: tuple[Task, dict[str, Any]], name: object) -> None:
    asked, result = told
    (asked.folder / "link.png").symlink_to(asked.folder / PICTURE)
    (asked.folder / "folder").mkdir()
    with pytest.raises(Crashed):
        checked(asked, result | {"picture": name})
    with pytest.raises(Crashed):
        checked(asked.model_copy(update={"kind": TaskKind.SLAB}), {"files": [name]})


@pytest.mark.parametrize("count", [DEFAULT.triangles + 1, 10**15, -1, 1.5, True, "8"])
def test_counts_that_no_model_has_are_not_taken(tmp_path: Path, count: object) -> None:
    """The worker cuts a model into slabs by them, and would hold a list of billions."""
    asked = task(tmp_path, ring(tmp_path), TaskKind.PREPARE)
    right = {"files": [], "triangles": DEFAULT.triangles, "chunks": 1}
    assert checked(asked, right) is right
    for name in ("triangles", "chunks"):
        with pytest.raises(Crashed):
            checked(asked, right | {name: count})


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "read", "triangles": 1 << 63, "file_bytes": 1},
        {"kind": "read", "triangles": 1, "file_bytes": 1 << 63},
    ],
)
def test_numbers_that_no_database_and_no_span_holds_are_not_understood(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SAID.validate_python(said)


def test_a_fact_that_no_span_holds_as_a_whole_number_is_held_as_a_float() -> None:
    ended = {"kind": "ended", "step": "load", "begin_ns": 1, "end_ns": 2, "facts": {"large": 1 << 63, "small": 7}}
    said = SAID.validate_python(ended)
    assert isinstance(said, StepEnded)
    assert {name: type(fact) for name, fact in said.facts.items()} == {"large": float, "small": int}
