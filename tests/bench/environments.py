"""The peers, each in an environment of its own under the cache folder: none of them is a dependency of ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = Path(__file__).parent / "peers"
RETRY: Final = ROOT / "deploy" / "retry"


class Skipped(Exception):
    """A peer is left out; the message says why."""


def environment(package: str, folder: Path) -> Path:
    """Return the Python of a package's own environment, made on first use. Raises Skipped."""
    failure = _failure(package, folder)
    if failure is not None:
        raise Skipped(f"not installed: {failure}")
    return folder / package / "bin" / "python"


@cache
def _failure(package: str, folder: Path) -> str | None:
    # Remembered, so that a machine without a network waits for it once.
    complete = folder / package / "complete"
    if complete.exists():
        return None
    for command in _commands(folder / package, package):
        try:
            done = subprocess.run([str(RETRY), *command], capture_output=True, text=True, check=False, timeout=900)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            return lines[-1][:200] if lines else f"installing {package} ended with status {done.returncode}"
    complete.touch()
    return None


def _commands(folder: Path, package: str) -> list[list[str]]:
    python = str(folder / "bin" / "python")
    ours = Path(sys.executable).parent / "uv"
    uv = str(ours) if ours.exists() else shutil.which("uv")
    if uv is None:
        return [[sys.executable, "-m", "venv", str(folder)], [python, "-m", "pip", "install", "-q", package]]
    return [
        [uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "-q", "--python", python, package],
    ]


@cache
def version(package: str, python: Path) -> str:
    """Return the version of a package that a Python has, empty if it has none."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()
