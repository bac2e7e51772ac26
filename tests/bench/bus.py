"""The bus from commit to handled, against raw aio-pika and FastStream from publish to acknowledged."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deploy import servers
from tests.bench.contests import OURS, Bench, Figures
from tests.bench.environments import PROGRAMS, ROOT, Skipped, environment, version
from tests.bench.processes import MIB, Program, ProgramFailed, Run
from tests.bench.servers import PostgreSQL, postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PATIENCE_S: Final = 300
PYTHON: Final = Path(sys.executable)
CARRYING: Final = (str(PYTHON), "-m", "tests.bench.carrying")


@dataclass(frozen=True)
class Parts:
    """The servers of a contest."""

    broker: str
    postgres: PostgreSQL
    count: int


def carrying(bench: Bench, count: int) -> dict[str, Figures]:
    """Measure throughput, and the processor time of the worker."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            postgresql() as postgres,
            servers.rabbitmq(Path(folder)) as broker,
        ):
            parts = Parts(broker.address, postgres, count)
            return {"end to end": _throughput(bench, parts), "worker": _worker(bench, parts)}
    except (Skipped, ProgramFailed, servers.Absent) as reason:
        bench.say(f"bus: {reason}")
        return {"end to end": {OURS: {"skipped": str(reason)}}}


def _throughput(bench: Bench, parts: Parts) -> Figures:
    bench.say(f"the bus, {parts.count:,} events from commit to handled")
    check = partial(_all_handled, count=parts.count)
    ours = Program(OURS, "this checkout", partial(_ours, parts, "count"), check)
    rivals = {
        "aio-pika": lambda: _peer(PYTHON, "aio-pika", "aio_pika_raw.py", parts),
        "faststream": lambda: _peer(
            environment("faststream[rabbit]", bench.cache / "environments"), "faststream", "faststream_raw.py", parts
        ),
    }
    return bench.hold(ours, rivals, parts.count, bench.runs)


def _worker(bench: Bench, parts: Parts) -> Figures:
    bench.say(f"the worker, {parts.count:,} events with one statement each")
    check = partial(_all_handled, count=parts.count)
    ours = Program(OURS, "this checkout", partial(_ours, parts, "store"), check)
    raw = Program("aio-pika", version("aio-pika", PYTHON), partial(_ours, parts, "raw"), check)
    return bench.hold(ours, {"aio-pika": lambda: raw}, parts.count, bench.runs)


def _peer(python: Path, name: str, script: str, parts: Parts) -> Program:
    def measure() -> Run:
        command = [str(python), str(PROGRAMS / script)]
        place = [parts.broker, f"bench-{uuid.uuid4().hex[:8]}", str(parts.count)]
        return _run([*command, "consume", *place], [*command, "publish", *place])

    return Program(name, version(name, python), measure, partial(_all_handled, count=parts.count))


def _ours(parts: Parts, handling: str) -> Run:
    """Commit all events to an outbox, then measure from the relay's start to the last one handled."""
    run = uuid.uuid4().hex[:8]
    sender, receiver = (f"postgresql+asyncpg://{parts.postgres.database()}" for _ in range(2))
    place = [parts.broker, run, str(parts.count)]
    committed = subprocess.run([*CARRYING, "commit", sender, *place], cwd=ROOT, capture_output=True, check=False)
    if committed.returncode:
        raise ProgramFailed(committed.stderr.decode(errors="replace").strip().splitlines()[-1][:300])
    return _run([*CARRYING, handling, receiver, *place], [*CARRYING, "relay", sender, *place])


def _run(consumer: Sequence[str], publisher: Sequence[str]) -> Run:
    """Start a consumer, then a publisher; return the time between the first's end and the second's beginning.

    Processor time and memory are the consumer's, without its start.
    """
    with _started(consumer) as consuming, _started(publisher) as publishing:
        begun = _said(publishing, "publisher")["begun"]
        found = _said(consuming, "consumer")
    return Run(found["ended"] - begun, found["cpu_s"], found["peak_mib"] * MIB, found)


@contextlib.contextmanager
def _started(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise ProgramFailed(_last(process) or "it did not become ready")
        yield process
    finally:
        process.kill()
        process.communicate()


def _said(process: subprocess.Popen[str], what: str) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise ProgramFailed(f"the {what} failed: {_last(process)}")
    document: dict[str, Any] = json.loads(line)
    return document


def _last(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=PATIENCE_S)
    lines = errors.strip().splitlines()
    return lines[-1][:300] if lines else ""


def _all_handled(found: Mapping[str, Any], count: int) -> None:
    if found["events"] != count:
        raise ProgramFailed(f"handled {found['events']:,} events instead of {count:,}")
