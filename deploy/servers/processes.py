"""Starting a server program, waiting until it answers, and ending it with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, NoReturn

from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PATIENCE_S: Final = 120.0
_GOODBYE_S: Final = 30.0
_TAIL_BYTES: Final = 2_000
# Ends a server whose starter is gone: the starter holds the other end of the pipe, which the system closes even after
# kill -9. PR_SET_PDEATHSIG would be less to write, but it fires when the starting *thread* ends, so that a server
# restarted from a worker thread would die with that thread.
_GUARD: Final = 'read -r _; kill -s "$1" -- "-$2"; sleep 2; kill -s KILL -- "-$2"'


class Absent(TouchstoneError):
    """This machine does not have the server."""


class Child:
    """A program in a process group of its own, which ends with us however we end."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        home: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        if_orphaned: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a server's own command line
                command,
                cwd=home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._guard = subprocess.Popen(  # noqa: S603 - the constant above
                ["/bin/sh", "-c", _GUARD, "guard", if_orphaned.name.removeprefix("SIG"), str(self.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._kill(self._process)
            raise

    @property
    def pid(self) -> int:
        """The process id, which is that of the process group too."""
        return self._process.pid

    def running(self) -> bool:
        """Whether the program has not ended."""
        return self._process.poll() is None

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal that ends the program, wait, and kill what is left of its group."""
        try:
            if self.running():
                self._process.send_signal(how)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GOODBYE_S)
        finally:
            self._kill(self._process)
            self._kill(self._guard)

    def said(self) -> str:
        """Return the end of the program's output."""
        return self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


class Server(ABC):
    """A server on fixed ports with one folder: it can be stopped, started again, and killed."""

    name: str
    gently = signal.SIGTERM
    abruptly = signal.SIGKILL

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the server itself; None while it is stopped."""
        return self._child.pid if self._child else None

    def running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._child is not None and self._child.running()

    def start(self) -> None:
        """Start the server, unless it runs, and wait until it answers. Raises TouchstoneError where it does not."""
        if self.running():
            return
        self._end_child(self.abruptly)
        self._child = self._launch()
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while not self._ready():
                if not self._child.running() or time.monotonic() > deadline:
                    self._give_up(self._child)
                time.sleep(0.05)
        except BaseException:
            self._end_child(self.abruptly)
            raise

    def stop(self) -> None:
        """Stop the server in good order and wait for its end. A stopped server stays stopped."""
        self._end_child(self.gently)

    def restart(self) -> None:
        """Stop the server in good order, and start it on the same ports and data."""
        self._end_child(self.gently)
        self.start()

    def kill(self) -> None:
        """End the server as a crash would, and start it on the same ports and data."""
        self._end_child(self.abruptly)
        self.start()

    def _end_child(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end(how)

    def _give_up(self, child: Child) -> NoReturn:
        what = f"did not answer in {_PATIENCE_S:.0f} s" if child.running() else "ended as soon as it was started"
        raise TouchstoneError(f"{self.name} in {self.home} {what}; {child.log} ends with:\n{child.said()}")

    @abstractmethod
    def _launch(self) -> Child: ...

    @abstractmethod
    def _ready(self) -> bool: ...
