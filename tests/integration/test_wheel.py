"""The built wheel works by itself: what the repository has beside it is not needed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it somewhere else."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -P keeps the repository off the path, so that only the wheel's own files can be found.
    command = [sys.executable, "-P", "-m", "touchstone", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(site), "TERM": "dumb"}
    return subprocess.run(command, cwd=site.parent, env=environment, check=False, capture_output=True, text=True)


def test_the_wheel_holds_no_tests(unpacked: Path) -> None:
    assert not list(unpacked.rglob("test_*.py"))
    assert (unpacked / "touchstone.py").is_file()


def test_the_wheel_simulates_replays_and_reports(unpacked: Path, tmp_path: Path) -> None:
    log, page = tmp_path / "log.csv", tmp_path / "report.html"
    simulated = run(unpacked, "simulate", "--days", "30", "--orders-per-day", "5", "-o", str(log))
    assert simulated.returncode == 0, simulated.stderr
    replayed = run(unpacked, "replay", str(log), "--html", str(page))
    assert replayed.returncode == 0, replayed.stderr
    assert "21-day promise" in replayed.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_wheel_drafts_a_promise_file(unpacked: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "case,activity,time\n"
        + "".join(f"{n},{a},2026-01-0{d}T10:00:00Z\n" for n in range(30) for d, a in enumerate("ABC", 1))
    )
    drafted = run(unpacked, "promise", "init", str(log), "-o", str(tmp_path / "promise.yaml"))
    assert drafted.returncode == 0, drafted.stderr
    checked = run(unpacked, "promise", "check", str(tmp_path / "promise.yaml"))
    assert checked.returncode == 0, checked.stderr
