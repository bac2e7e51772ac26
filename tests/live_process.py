"""The live collector as a process of its own: what tests start, ask and kill."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from tests.parts import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVE: Final = "from collectors.live.app import serve; from collectors.live.settings import Settings; serve(Settings())"
PATIENCE_S: Final = 60


class Process:
    """A collector as a process of its own, and its address."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        named = {
            "database": f"sqlite+aiosqlite:///{folder / 'live.db'}",
            "promise": folder / "promise.yaml",
            **settings,
        }
        named["port"] = self.address.rpartition(":")[2]
        environment = {f"TOUCHSTONE_{name.upper()}": str(value) for name, value in named.items()}
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE_S)
        self.log = (folder / "collector.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE], env={**os.environ, **environment}, stderr=self.log, stdout=self.log
        )

    def ready(self) -> None:
        """Wait until it takes in events."""

        def answers() -> bool:
            assert self.process.poll() is None, Path(self.log.name).read_text(encoding="utf-8")
            with contextlib.suppress(httpx.TransportError):
                return self.client.get("/readyz").status_code == httpx.codes.OK
            return False

        eventually(answers)

    def end(self, how: signal.Signals) -> int:
        """End it, and return its exit status."""
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE_S)


@contextlib.contextmanager
def served(folder: Path, **settings: object) -> Iterator[Process]:
    """Serve, and kill what is left of it."""
    process = Process(folder, **settings)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)
        process.client.close()
        process.log.close()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.02)
