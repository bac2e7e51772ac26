"""What a task has used so far: CPU and running time of its process, and bytes said and written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pricing.sandbox.allowance import Allowance
    from pricing.sandbox.outcomes import What

# Wall time per second of the allowance: a child that shares its core or waits for a disk has not used it up.
PATIENCE: Final = 4
FILES: Final = 64
TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of a process, its threads included; None where that cannot be known (only Linux tells)."""
    try:
        # The name stands in brackets and may hold anything; utime and stime are fields 14 and 15 (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS if len(fields) > 12 else None


def address_space(pid: int) -> int | None:
    """Return the bytes of address space of a process, which is what RLIMIT_AS bounds; None where unknown."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[0]) * PAGE
    except (OSError, IndexError):
        return None


class Meter:
    """The clock of one task. It stands while the child is stopped."""

    def __init__(self, pid: int, allowance: Allowance, folder: Path | None, now: Callable[[], float]) -> None:
        """``folder``: where the task writes; ``now``: seconds of a monotonic clock."""
        self.allowance = allowance
        self.said_bytes = 0
        self._pid, self._folder, self._now = pid, folder, now
        self._cpu_before = cpu_seconds(pid) or 0.0
        self._ran = 0.0
        self._since: float | None = now()

    def stop(self) -> None:
        """Stand still: the child has been stopped."""
        if self._since is not None:
            self._ran, self._since = self.running_s, None

    def go(self) -> None:
        """Go on: the child runs again."""
        if self._since is None:
            self._since = self._now()

    @property
    def running_s(self) -> float:
        """Wall time that the child has not been stopped."""
        return self._ran + (0.0 if self._since is None else self._now() - self._since)

    @property
    def left_s(self) -> float:
        """Seconds of the allowance that are not used up; negative where it is exceeded."""
        used = (cpu_seconds(self._pid) or 0.0) - self._cpu_before
        return self.allowance.seconds - max(used, self.running_s / PATIENCE)

    def exceeded(self) -> What | None:
        """Return what is used up, if anything."""
        if self.left_s < 0:
            return "time"
        return "output" if self.too_much_output() else None

    def too_much_output(self) -> bool:
        """Whether more was said or written than the allowance has, or more files were made than any task makes."""
        written = 0
        for number, size in enumerate(_sizes(self._folder) if self._folder else (), start=1):
            written += size
            if number > FILES:
                return True
        return self.said_bytes + written > self.allowance.output_bytes


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the size of each file and folder, links not followed; one that goes meanwhile counts nothing."""
    for where, folders, names in os.walk(folder):
        for name in (*folders, *names):
            with suppress(FileNotFoundError):
                yield os.lstat(Path(where, name)).st_size
