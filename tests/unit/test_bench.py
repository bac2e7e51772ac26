"""The benchmark runs from its command line, checks that the peers do the same work, and ends with its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pricing.loading import load
from pricing.measuring import measure
from pricing.units import Unit
from tests.bench.aims import failures, judged
from tests.bench.logs import NoRoom, Source
from tests.bench.models import ring
from tests.bench.peers.clocked import clocked
from tests.bench.pricing import Agreement
from tests.bench.processes import Program, ProgramFailed, Run, compare, figures, run_process

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
KEYS = {"source", "promise", "machine", "runs", "replay", "xes", "live", "bus", "pricing", "aims", "failed", "report"}
FIGURES = {
    "version",
    "events",
    "events_per_s",
    "wall_s",
    "wall_min_s",
    "wall_max_s",
    "cpu_s",
    "peak_mib",
    "runs",
}
RATIOS = {"ratio", "ratio_min", "ratio_max", "ratio_cpu"}
SIMULATED = Source(None)


def test_the_last_line_is_json_with_the_documented_keys(tmp_path: Path) -> None:
    options = ["--events", "2000", "--runs", "1", "--only", "replay", "--peers", "duckdb"]
    folders = ["--cache", str(tmp_path / "cache"), "--reports", str(tmp_path / "reports")]
    command = [sys.executable, "-m", "tests.bench", *options, *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout.splitlines()[-1])
    assert set(document) == KEYS
    rows = document["replay"]["2000"]
    assert set(rows["touchstone"]) == FIGURES
    assert set(rows["duckdb"]) == FIGURES | RATIOS
    assert rows["duckdb"]["events"] == 2000
    assert document["failed"] == []
    assert json.loads((tmp_path / "reports" / "bench.json").read_text(encoding="utf-8")) == document
    assert "duckdb" in (tmp_path / "reports" / "bench.txt").read_text(encoding="utf-8")


def test_an_enlarged_log_has_the_events_asked_for_sorted_by_time(tmp_path: Path) -> None:
    events = len(SIMULATED.rows) + 100
    lines = SIMULATED.csv(events, tmp_path).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "order_id,status,at"
    rows = [line.split(",") for line in lines[1:]]
    assert len(rows) == events
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)
    whole = len({order for order, _, _ in SIMULATED.rows})
    assert len({row[0] for row in rows if row[0].endswith("-0")}) == whole


def test_the_same_log_as_xes_holds_the_same_events(tmp_path: Path) -> None:
    plain = SIMULATED.xes(1, tmp_path)
    content = plain.read_bytes()
    assert content.count(b"<event>") == SIMULATED.copied(1) == len(SIMULATED.rows)
    assert content.count(b"<trace>") == len({order for order, _, _ in SIMULATED.rows})


def test_a_full_disk_is_said_before_it_is_full(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="GiB of disk"):
        SIMULATED.csv(10**15, tmp_path)


def _program(name: str, *walls: float, found: Mapping[str, Any] | None = None) -> Program:
    runs = iter([Run(wall, wall / 2, 1 << 20, dict(found or {})) for wall in walls])
    return Program(name, "1.0", lambda: next(runs))


def _ignore(_line: str) -> None:
    """Say nothing."""


def test_ratios_are_taken_between_neighbouring_runs() -> None:
    ours, theirs = compare([_program("ours", 2.0, 30.0, 4.0), _program("theirs", 1.0, 10.0, 2.0)], 3, _ignore)
    found = figures(theirs, 100, ours)
    assert (found["ratio"], found["ratio_min"], found["ratio_max"]) == (2.0, 2.0, 3.0)
    assert found["events_per_s"] == 50
    assert "ratio" not in figures(ours, 100, ours)


def test_a_peer_that_does_other_work_fails_and_the_others_go_on() -> None:
    def refuse(_found: Mapping[str, Any]) -> None:
        raise ProgramFailed("found 1 events instead of 2")

    wrong = Program("wrong", "1.0", _program("wrong", 1.0).measure, refuse)
    right, refused = compare([_program("ours", 1.0, 1.0), wrong], 2, _ignore)
    assert len(right.runs) == 2
    assert figures(refused, 2, right) == {"failed": "found 1 events instead of 2"}


def test_a_program_that_fails_says_its_last_words() -> None:
    with pytest.raises(ProgramFailed, match="no such log"):
        run_process([sys.executable, "-c", "raise SystemExit('no such log')"])


def test_what_a_program_took_is_its_own_time_and_memory() -> None:
    code = "x = bytearray(200 << 20); print('{}')"
    assert run_process([sys.executable, "-c", code]).peak_bytes > 200 << 20
    waits = run_process([sys.executable, "-c", "import time; time.sleep(0.3); print('{}')"])
    assert waits.wall_s > 0.3
    assert waits.cpu_s < waits.wall_s


@pytest.mark.parametrize(("ratio", "met"), [(2.4, True), (2.6, False)])
def test_aims_are_judged_by_the_figures(ratio: float, *, met: bool) -> None:
    (aim,) = judged({"replay": {"10000000": {"duckdb": {"ratio": ratio}}}, "xes": {}})
    assert (aim["figure"], aim["limit"], aim["met"]) == (ratio, 2.5, met)


def test_failures_name_what_failed() -> None:
    document = {
        "replay": {"10": {"polars": {"failed": "no memory"}, "pm4py": {"skipped": "x"}}},
        "xes": {},
        "live": {},
        "bus": {},
        "pricing": {},
    }
    assert failures(document) == ["replay 10 polars: no memory"]


def test_a_made_ring_is_one_closed_body_of_the_size_asked_for(tmp_path: Path) -> None:
    surface = load(ring(5_000, tmp_path)).surface
    assert 5_000 <= surface.count < 5_300
    measures = measure(surface, Unit.MILLIMETRE)
    assert measures.sound
    assert measures.bodies == 1
    assert measures.volume_mm3 > 0


def test_a_kernel_is_timed_apart_from_its_process() -> None:
    with clocked() as found:
        held = np.ones(200_000_000, dtype=np.uint8)  # so much is never a piece of what was given back before
    assert held.sum() == 200_000_000
    assert 190_000_000 <= found["extra_bytes"] < 400_000_000
    assert 0 < found["cpu_s"] <= found["wall_s"] * 4


def test_peers_that_measure_something_else_are_told_apart(tmp_path: Path) -> None:
    """Each prints what it measured, so that a wrong volume cannot pass as a fast one."""
    model = ring(5_000, tmp_path)
    script = str(ROOT / "tests" / "bench" / "peers" / "touchstone_stl.py")
    run = run_process([sys.executable, script, "layers", str(model), "20"], {"PYTHONPATH": str(ROOT)})
    agreement = Agreement()
    agreement.same(run.found)
    agreement.same(run.found)
    with pytest.raises(ProgramFailed, match="volume"):
        agreement.same(run.found | {"volume": run.found["volume"] * 1.001})
    with pytest.raises(ProgramFailed, match="layer"):
        agreement.same(run.found | {"layers": [0.0] * 20})
