"""Every command of every runbook runs, against a house as `make up` runs it: what looks prints something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import orjson
import pytest

from deploy.servers import Absent
from tests import runbook_house
from tests.parts import absent, amtool, promtool
from tests.runbooks import CHANGE, LOOK, Command, commands, pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = ("bash", "curl", "jq", "psql", "ps", "ss")
PATIENCE_S: Final = 60.0
AT_ONCE: Final = 6  # of commands that only look
# Runs each command by itself, its output and exit status into files by its number.
RUN: Final = """
. docs/runbooks/house.sh
run() {
  (set -euo pipefail; eval "$2") >"$TO/$1.out" 2>"$TO/$1.err" </dev/null
  echo $? >"$TO/$1.status"
}
number=0
while IFS= read -r -d '' command; do
  run "$number" "$command" &
  number=$((number + 1))
  [ $((number % AT_ONCE)) != 0 ] || wait
done
wait
"""


@dataclass
class Shell:
    """A shell in the house. ``done``: what came of each command, so that none is run twice for two pages."""

    environment: dict[str, str]
    folder: Path
    done: dict[str, str] = field(default_factory=dict)

    def run(self, asked: Sequence[Command], at_once: int = 1) -> list[str]:
        """Run commands in their order; return a sentence for each that failed, or that looked and showed nothing."""
        new = list({command.line: command for command in asked if command.line not in self.done}.values())
        if new:
            self._run(new, at_once)
        return [
            f"{command.page}: {command.line}\n{self.done[command.line]}" for command in asked if self.done[command.line]
        ]

    def _run(self, new: Sequence[Command], at_once: int) -> None:
        given = "".join(f"{command.line}\0" for command in new).encode()
        environment = {**self.environment, "TO": str(self.folder), "AT_ONCE": str(at_once)}
        ended = subprocess.run(
            ["bash", "-c", RUN], cwd=ROOT, env=environment, input=given, capture_output=True, check=False, timeout=600
        )
        assert ended.returncode == 0, ended.stderr.decode()
        for number, command in enumerate(new):
            said, wrong, status = (self._told(number, kind) for kind in ("out", "err", "status"))
            silent = command.kind == LOOK and not said.strip()
            failed = f"exit status {status.strip()}: {wrong[-600:]}" if status.strip() != "0" else ""
            self.done[command.line] = failed or (f"shows nothing\n{wrong[-600:]}" if silent else "")

    def _told(self, number: int, kind: str) -> str:
        return (self.folder / f"{number}.{kind}").read_text(encoding="utf-8", errors="replace")

    def settle(self) -> None:
        """Wait until everything answers again after a change."""
        state = orjson.loads((Path(self.environment["UP"]) / "state.json").read_bytes())
        addresses = state["addresses"]
        wanted = [f"{addresses[name]}/readyz" for name in ("shop", "crm", "mes", "pricing", "collector")]
        wanted += [f"{addresses[name]}/-/ready" for name in ("Prometheus", "Alertmanager")]
        until = time.monotonic() + PATIENCE_S
        for url in wanted:
            while not _answers(url):
                assert time.monotonic() < until, f"{url} does not answer"
                time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Open a shell in a running house."""
    promtool()
    amtool()
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        absent(f"no {', '.join(lacking)} here")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with pytest.MonkeyPatch.context() as patch:
        try:
            house = runbook_house.running(patch)
            variables = house.__enter__()
        except Absent as reason:
            absent(str(reason))
        try:
            environment = {**os.environ, **variables, "PATH": path, "TERM": "dumb", "COLUMNS": "200"}
            yield Shell(environment, tmp_path_factory.mktemp("said"))
        finally:
            house.__exit__(None, None, None)


def test_every_command_of_every_page_runs(shell: Shell) -> None:
    """First all that look, then all that change something, restarts last; after them everything answers again.

    One test, because the house is dear: workers of a parallel run would start one each.
    """
    every = [command for page in pages() for command in commands(page)]
    looking = [command for command in every if command.kind != CHANGE]
    changing = [command for command in every if command.kind == CHANGE]
    restarting = [command for command in changing if command.line.startswith("restart ")]
    assert min(len(looking) // 30, len(changing) // 2, len(restarting)) >= 10
    wrong = shell.run(looking, AT_ONCE) + shell.run([command for command in changing if command not in restarting])
    wrong += shell.run(restarting)
    shell.settle()
    assert not wrong, "\n\n".join(wrong)
    planted = [Command("planted", LOOK, "at nobody"), Command("planted", LOOK, "query 'no_such_metric'")]
    assert [one.splitlines()[1].partition(":")[0] for one in shell.run(planted)] == ["exit status 1", "shows nothing"]
