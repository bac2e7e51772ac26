"""What a part of a program takes: wall and processor time, and the memory that it adds. Standard library only."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = resource.getpagesize()
EVERY_S = 0.002


@contextlib.contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Fill ``{wall_s, cpu_s, extra_bytes}`` when the block ends.

    ``extra_bytes``: the most that the process held at any of the looks of a second thread, above what it held before,
    without pages of mapped files, which are the system's cache.
    """
    found: dict[str, float] = {}
    before = most = _held()
    ended = threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(EVERY_S):
            most = max(most, _held())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    wall, cpu = time.perf_counter(), _used()
    yield found
    found |= {"wall_s": time.perf_counter() - wall, "cpu_s": _used() - cpu}
    most = max(most, _held())
    ended.set()
    thread.join()
    found["extra_bytes"] = max(most - before, 0)


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _held() -> int:
    # statm: pages resident, of these shared with files. Where there is no /proc, the peak of the whole process.
    try:
        _, resident, shared, *_ = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (int(resident) - int(shared)) * PAGE
