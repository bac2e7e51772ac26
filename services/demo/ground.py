"""What the demo stands on: a folder that no other demo uses, a log, and free ports."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
import socket
from collections import Counter
from typing import IO, TYPE_CHECKING

from instrumentation.errors import BadInput, TouchstoneError
from instrumentation.logs import JsonLines
from services.demo.house import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder, new and empty, for this process alone.

    Raises BadInput where another demo has it, or where it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(folder.with_name(folder.name + ".lock").open("a"))
            _lock(lock, folder)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        except OSError as error:
            raise BadInput(
                f"{folder}: cannot be made anew ({error.strerror}); start the demo in a folder where you may write"
            ) from error
        yield


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadInput(f"{folder}: another demo runs here; stop it, or start this one in another folder") from error


class _Counting(logging.Handler):
    """Counts log lines by level."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line."""
        self.counts[record.levelname] += 1


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[Counter[str]]:
    """Write what all parts log into a file, and count it."""
    root, counting = logging.getLogger(), _Counting()
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(JsonLines())
    level = root.level
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request tells nothing new
    for handler in (file, counting):
        root.addHandler(handler)
    try:
        yield counting.counts
    finally:
        for handler in (file, counting):
            root.removeHandler(handler)
        file.close()
        root.setLevel(level)


def free_ports(wanted: Sequence[int]) -> list[int]:
    """Return these ports, or for each one that is taken the next one that is free. Raises TouchstoneError."""
    found: list[int] = []
    for first in wanted:
        found.append(next((port for port in range(first, first + 100) if port not in found and _free(port)), 0))
        if not found[-1]:
            raise TouchstoneError(f"no port between {first} and {first + 100} is free; give another one with --port")
    return found


def _free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False
