"""Where the house of `make up` keeps its data, and who holds it up: one supervisor at a time, known by a lock."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# For root alone, where PostgreSQL's own user could not enter the checkout.
_ELSEWHERE: Final = Path("/var/lib/touchstone")
_TRIES: Final = 40


def usual_folder(checkout: Path, *, root: bool) -> Path:
    """Return ``build/up`` of a checkout; for root, whose servers are other users, a folder that those can enter."""
    usual = checkout / "build" / "up"
    there = [folder for folder in (usual, *usual.parents) if folder.is_dir()]
    if root and not all(folder.stat().st_mode & stat.S_IXOTH for folder in there):
        return _ELSEWHERE / f"up-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}"
    return usual


@dataclass(frozen=True)
class Place:
    """The folder of one house."""

    folder: Path

    @property
    def logs(self) -> Path:
        """Where each process writes what it says."""
        return self.folder / "logs"

    @property
    def environment(self) -> Path:
        """What a shell reads to reach the house. Holds a secret."""
        return self.folder / "environment"

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the supervisor. Raises TouchstoneError where another one is.

        The system lets go of the lock however the supervisor ends; a process id alone may be somebody else's by then.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+", encoding="ascii") as lock:
            for _ in range(_TRIES):  # whoever asks for the holder has the lock for a moment
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(0.05)
            else:
                raise TouchstoneError(f"another supervisor holds up the house in {self.folder}; `make down` stops it")
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            self.forget()
            try:
                yield
            finally:
                self.forget()
                lock.truncate(0)

    def holder(self) -> int | None:
        """Return the process id of the supervisor, None where there is none."""
        for _ in range(_TRIES):
            try:
                lock = self._lock.open(encoding="ascii")
            except FileNotFoundError:
                return None  # never started here
            with lock:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return None
                if pid := lock.read().strip():
                    return int(pid)
            time.sleep(0.05)  # held, and its holder has not written yet who it is
        return None

    def tell(self, environment: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        """Write how the house is reached; the state comes last, because it says that everything is there."""
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
        _write_private(self.environment, exports)
        _write_private(self._state, json.dumps({"addresses": addresses}, indent=2))

    def addresses(self) -> dict[str, str] | None:
        """Return where everything listens, None where the house is not up, or not yet."""
        try:
            state: dict[str, Any] = json.loads(self._state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        found: dict[str, str] = state["addresses"]
        return found

    def forget(self) -> None:
        """Take away what says that the house is up."""
        self._state.unlink(missing_ok=True)


def _write_private(path: Path, content: str) -> None:
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)
