"""Prometheus' own programs that judge what is generated: promtool, amtool and pint, where this machine has them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

PINT_CONFIG: Final = Path(__file__).parent / "pint.hcl"
# Without the last, promtool says that a rule stands there twice, and that all is well.
CHECK_RULES: Final = ("check", "rules", "--lint-fatal")
PATIENCE_S: Final = 900.0


class Refused(TouchstoneError):
    """A program found something wrong with a generated file."""


def found(name: str) -> str | None:
    """Return a program: the one on PATH, else the one that deploy/parts built; None where there is neither."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return shutil.which(name) or shutil.which(name, path=str(cache / "touchstone" / "bin"))


def run(command: Sequence[str], folder: Path) -> str:
    """Run a program in a folder and return what it says. Raises Refused, with its first lines, where it objects."""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(f"{Path(command[0]).name} did not end within {PATIENCE_S:.0f} s") from error
    said = f"{done.stdout}\n{done.stderr}".strip()
    if done.returncode != 0:
        lines = [line.strip() for line in said.splitlines() if line.strip() and "SUCCESS" not in line]
        raise Refused(f"{' '.join((Path(command[0]).name, *command[1:]))}: {' '.join(lines[:12])[:2_000]}")
    return said
