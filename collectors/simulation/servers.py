"""The clockwork of the simulation: an agenda of processes, and groups of servers that they queue for.

A process is a generator. It yields a moment (microseconds) to be resumed then, or a `Claim` to be resumed
when a server of that group is at it; it is sent the moment at which it resumes.
"""

from __future__ import annotations

from collections.abc import Generator
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.simulation.calendars import Calendar


class Claim(NamedTuple):
    """A process's wish for a server of this group; the lower number goes first, then who came first."""

    servers: Servers
    priority: int


Process: TypeAlias = Generator[int | Claim, int, None]


class Agenda:
    """What happens next: processes by the moment at which they resume, ties in the order of entry."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Process]] = []
        self._ties = count()

    def resume_at(self, moment: int, process: Process) -> None:
        """Resume the process then."""
        heappush(self._entries, (moment, next(self._ties), process))

    def start(self, process: Process, now: int) -> None:
        """Run a new process up to its first wish."""
        for wish in process:
            self._grant(wish, process, now)
            return

    def run(self, until: int) -> Iterator[int]:
        """Resume processes in the order of time, yielding each moment before `until`."""
        while self._entries and self._entries[0][0] < until:
            now, _, process = heappop(self._entries)
            try:
                wish = process.send(now)
            except StopIteration:
                pass
            else:
                self._grant(wish, process, now)
            yield now

    def _grant(self, wish: int | Claim, process: Process, now: int) -> None:
        if isinstance(wish, int):
            self.resume_at(wish, process)
        else:
            wish.servers.claim(process, wish.priority, now)


class Servers:
    """Equal servers with one calendar and one queue; what is begun is not interrupted by another order."""

    def __init__(self, number: int, calendar: Calendar, agenda: Agenda) -> None:
        self.calendar = calendar
        self._free = number
        self._agenda = agenda
        self._queue: list[tuple[int, int, Process]] = []
        self._tickets = count()

    def claim(self, process: Process, priority: int, now: int) -> None:
        """Give the process a server, on duty, or a place in the queue."""
        if self._free:
            self._free -= 1
            self._agenda.resume_at(self.calendar.next_open(now), process)
        else:
            heappush(self._queue, (priority, next(self._tickets), process))

    def release(self, now: int) -> None:
        """Pass the server on to the first of the queue."""
        if self._queue:
            self._agenda.resume_at(self.calendar.next_open(now), heappop(self._queue)[2])
        else:
            self._free += 1
