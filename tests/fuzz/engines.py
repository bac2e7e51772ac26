"""The two ways of making inputs: atheris, guided by coverage in a process of its own; Hypothesis, in this one."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.fuzz.campaign import BUILD, INPUT, STATE, Campaign, Failure, mark, saved
from tests.fuzz.mutating import mutate
from tests.fuzz.seeds import seeds

if TYPE_CHECKING:
    from pricing.surface import Format

    Document = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
TIMEOUT_S: Final = 120
# Code that atheris has instrumented loses some 4 KB a run, and it ends at 2 GB: a new process from time to time.
LEG: Final = 100_000
# Inputs that kill the process; after these it has to be mended first.
MOST_DEATHS: Final = 20
_FEATURES: Final = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder to write inputs in, in memory where the system has such."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    return tempfile.TemporaryDirectory(prefix="touchstone-fuzz-", dir=memory if memory.is_dir() else None)


def drawn(form: Format, runs: int, seed: int, folder: Path = BUILD) -> Document:
    """Judge inputs whose mutations Hypothesis draws. Without its database: the same seed makes the same inputs."""
    with scratch_folder() as home:
        # It makes fewer inputs a second than atheris, so that more of them can go all the way.
        campaign = Campaign(form, runs, Path(home), folder, price_every=8)

        @seeded(seed)
        @settings(
            max_examples=runs,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(model=st.sampled_from(seeds(form)), chances=st.lists(st.integers(0, 1 << 32), max_size=2))
        def judged(model: bytes, chances: list[int]) -> None:
            for number in chances:
                model = mutate(form, model, random.Random(number))  # noqa: S311 - a seeded search
            campaign.one(model)

        judged()
        return campaign.document()


def guided(form: Format, runs: int, seed: int, folder: Path = BUILD) -> Document:
    """Judge inputs that atheris finds; started anew, behind the input, whenever one kills the process."""
    found: Document = {"runs": 0, "loaded": 0, "priced": 0, "refused": Counter(), "failures": []}
    began, deaths = time.monotonic(), 0
    with scratch_folder() as home:
        child = _Child(form, Path(home), folder)
        while found["runs"] < runs and deaths < MOST_DEATHS:
            leg = min(LEG, runs - found["runs"])
            status, part = child.run(leg, seed)
            seed += 1
            _add(found, part)
            if status or part.get("runs", 0) < leg:
                deaths += 1
                file = saved(child.scratch.read_bytes() if child.scratch.exists() else b"", form, "died", folder)
                death = Failure("the process died", f"status {status}, see {child.log}", file)
                found["failures"].append(asdict(death))
    found["seconds"] = round(time.monotonic() - began, 3)
    return found | {"refused": dict(found["refused"]), "coverage": _coverage(child.log)}


def _add(found: Document, part: Document) -> None:
    for name in ("runs", "loaded", "priced"):
        found[name] += part.get(name, 0)
    found["refused"].update(part.get("refused", {}))
    known = {mark(**each): each for each in found["failures"]}
    for each in part.get("failures", []):
        if mark(**each) in known:
            known[mark(**each)]["inputs"] += each["inputs"]
        else:
            found["failures"].append(each)


class _Child:
    """Starts the process that atheris runs in."""

    def __init__(self, form: Format, home: Path, folder: Path) -> None:
        self.form, self.home, self.folder = form, home, folder
        self.scratch, self._state = home / INPUT, home / STATE
        self.log = folder / f"{form}.log"
        self._corpus, made = folder / "corpus" / form, home / "seeds"
        for each in (self._corpus, made):
            each.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(seeds(form)):
            (made / str(number)).write_bytes(data)
        self.log.unlink(missing_ok=True)

    def run(self, runs: int, seed: int) -> tuple[int, Document]:
        """Return the exit status, and what was done by then."""
        self._state.unlink(missing_ok=True)
        told = {
            "format": self.form,
            "runs": runs,
            "seed": seed,
            "timeout_s": TIMEOUT_S,
            "home": str(self.home),
            "folder": str(self.folder),
            "corpora": [str(self._corpus), str(self.home / "seeds")],
        }
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.fuzz.guided", json.dumps(told)]
            status = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode
        return status, json.loads(self._state.read_bytes()) if self._state.exists() else {}


def _coverage(log: Path) -> dict[str, int]:
    """Return the last counts of branches, features and inputs kept that libFuzzer printed."""
    found = _FEATURES.findall(log.read_text(encoding="utf-8", errors="replace"))
    return dict(zip(("branches", "features", "inputs"), map(int, found[-1]), strict=True)) if found else {}
