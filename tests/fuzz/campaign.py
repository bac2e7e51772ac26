"""A campaign: inputs judged one after another, what fails kept, made smaller and counted by what is wrong."""

from __future__ import annotations

import hashlib
import json
import re
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.judging import Judge
from tests.fuzz.solids import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from pricing.surface import Format

BUILD: Final = Path(__file__).parents[2] / "build" / "fuzz"
INPUT, STATE = "upload", "state.json"
SAVED_EVERY: Final = 2_000
ATTEMPTS: Final = 1_000
MINIMISING_S: Final = 20.0


@dataclass
class Failure:
    """Something that is wrong: the first input that showed it, how many did."""

    kind: str
    where: str
    file: str
    inputs: int = 1


class Campaign:
    """Judges inputs until so many ran; its state is on disk, for the process may die of an input."""

    def __init__(self, form: Format, runs: int, home: Path, folder: Path, *, price_every: int = 24) -> None:
        """``home``: where the input and the state are, in memory at best; ``folder``: where failures are left."""
        self.form, self.runs, self.folder = form, runs, folder
        self.state = home / STATE
        self.judge = Judge(home / INPUT, price_every)
        self.failures: dict[str, Failure] = {}
        self._began = time.monotonic()
        # As in the tests: what a library warns of is somebody's mistake.
        warnings.simplefilter("error")

    def one(self, data: bytes) -> None:
        """Judge an input; what is wrong is recorded, and the campaign goes on."""
        if self.done:
            return
        try:
            self.judge(data)
        except Broken as broken:
            self._record(data, broken)
        if self.judge.tally.runs % SAVED_EVERY == 0 or self.done:
            self.save()

    @property
    def done(self) -> bool:
        """Whether all runs were made."""
        return self.judge.tally.runs >= self.runs

    def document(self) -> dict[str, Any]:
        """Return what came of it so far."""
        tally = self.judge.tally
        return {
            "runs": tally.runs,
            "seconds": round(time.monotonic() - self._began, 3),
            "loaded": tally.loaded,
            "priced": tally.priced,
            "refused": dict(tally.refused),
            "failures": [asdict(failure) for failure in self.failures.values()],
        }

    def save(self) -> None:
        """Leave the state for whoever started this process; a new file each time, so that none is half written."""
        fresh = self.state.with_suffix(".new")
        fresh.write_text(json.dumps(self.document()), encoding="utf-8")
        fresh.replace(self.state)

    def _record(self, data: bytes, broken: Broken) -> None:
        name = mark(broken.kind, broken.where)
        if name in self.failures:
            self.failures[name].inputs += 1
            return
        self.failures[name] = Failure(broken.kind, broken.where, "")
        least = smaller(data, lambda other: self._shows(other, name))
        self.failures[name].file = saved(least, self.form, broken.kind, self.folder)
        self.save()

    def _shows(self, data: bytes, name: str) -> bool:
        runs = self.judge.tally.runs
        try:
            self.judge(data, thorough=True)
        except Broken as broken:
            return mark(broken.kind, broken.where) == name
        finally:
            self.judge.tally.runs = runs
        return False


def mark(kind: str, where: str, **_: object) -> str:
    """Return what tells a failure from others: its numbers, which are the input's, left out."""
    return re.sub(r"[\d.]+(e[+-]?\d+)?", "0", f"{kind} {where}")


def saved(data: bytes, form: Format, kind: str, folder: Path) -> str:
    """Write an input that failed; return the file's name."""
    failures = folder / "failures"
    failures.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", kind).strip("-").lower()
    file = failures / f"{form}-{name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
    file.write_bytes(data)
    return str(file)


def smaller(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return a smaller input that fails the same way: pieces are left out, of half the size each round."""
    end, attempts = time.monotonic() + MINIMISING_S, ATTEMPTS
    size = len(data) // 2
    while size >= 1:
        at = 0
        while at < len(data):
            attempts -= 1
            if attempts < 0 or time.monotonic() > end:
                return data
            shorter = data[:at] + data[at + size :]
            if fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
