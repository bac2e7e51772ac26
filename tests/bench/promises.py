"""The promise file that the enlarged log is replayed by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence


def write_promise(log: Path, statuses: Sequence[str], target: Path) -> str:
    """Let ``touchstone promise init`` draft it, or write a plain one of a stage a status; return which."""
    touchstone = str(Path(sys.executable).parent / "touchstone")
    draft = subprocess.run(
        [touchstone, "promise", "init", str(log), "-o", str(target)], capture_output=True, check=False
    )
    if draft.returncode == 0:
        check = subprocess.run([touchstone, "promise", "check", str(target)], capture_output=True, check=False)
        if check.returncode == 0:
            return "drafted by `touchstone promise init`"
    target.write_text(yaml.safe_dump(_plain(statuses), sort_keys=False), encoding="utf-8")
    return "a stage a status, from the first event to the last"


def _plain(statuses: Sequence[str]) -> dict[str, object]:
    return {
        "touchstone": 1,
        "name": "bench",
        "statuses": {"main": list(statuses)},
        "stages": [
            {"name": f"in {status}", "in": [status], "kind": "work", "budget": f"{2 + place % 3}d"}
            for place, status in enumerate(statuses)
        ],
        "promise": {"from": "first", "to": "last", "within": "21d", "objective": "90%"},
        "log": {"format": "csv", "order": "order_id", "status": "status", "time": "at"},
    }
