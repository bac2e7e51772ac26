"""Faults of the watchers: rules that cannot be evaluated, an Alertmanager that is dead, a wrong configuration."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import yaml

from alerts.drills.model import NO_COLLECTOR, Drill, Named
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alerts.drills.parts import Alertmanager, Prometheus
    from alerts.drills.run import Run

PATIENCE_S: Final = 90.0
WINDOW: Final = 16  # minutes: what looks 15 minutes back sees both sides of a fault
_JOBS: Final = ("prometheus", "alertmanager")
_EVERY: Final = "1s"
_WATCHDOG: Final = {"alert": "Watchdog", "expr": "vector(1)"}
# Two series with the same labels on one side: the mistake that a doubled target makes.
_DOUBLED: Final = {
    "record": "twice",
    "expr": 'vector(1) * on () (vector(1) or label_replace(vector(1), "a", "b", "", ""))',
}


def _rules(path: Path, *some: dict[str, Any]) -> Path:
    groups = [{"name": "drilled", "interval": _EVERY, "rules": list(some)}]
    path.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    return path


async def eventually(run: Run, job: str, true: Callable[[str], bool], what: str) -> None:
    """Wait, in real time, until a target shows something. Raises TouchstoneError where it does not."""
    [target] = [target for (name, _), target in run.targets.items() if name == job]
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if true(await target.show()):
                return
        await asyncio.sleep(0.1)
    raise TouchstoneError(f"{run.drill.name}: {job} did not show {what} within {PATIENCE_S:.0f} s")


def counted(name: str, least: float = 1) -> Callable[[str], bool]:
    """Return whether an exposition shows a figure of at least so much, whatever its labels."""

    def true(exposition: str) -> bool:
        return any(figure >= least for figure in figures(exposition, name))

    return true


def figures(exposition: str, name: str) -> list[float]:
    """Return the figures of a series in an exposition, whatever the labels that ``name`` does not tell."""
    lines = [line for line in exposition.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return [float(line.rpartition(" ")[2]) for line in lines]


async def _monitors(run: Run, rules: Path) -> tuple[Prometheus, Alertmanager, dict[str, Any]]:
    """Start both, and wait until one has found the other."""
    teller = run.stack.enter_context(run.parts.alertmanager(run.folder / "alertmanager"))
    await run.watch("alertmanager", teller.address)
    config = run.parts.configuration(rules=[rules], alertmanager=teller.address)
    server = run.stack.enter_context(run.parts.prometheus(run.folder / "prometheus", config=config))
    await run.watch("prometheus", server.address)
    await _found(run)
    return server, teller, config


async def _found(run: Run) -> None:
    """Wait until Prometheus knows Alertmanager, which takes it 5 s after each reading of its configuration."""
    await eventually(run, "prometheus", counted("prometheus_notifications_alertmanagers_discovered"), "Alertmanager")


async def _rules_failing(run: Run) -> None:
    rules = _rules(run.folder / "rules.yaml", _WATCHDOG)
    server, _, _ = await _monitors(run, rules)
    await run.steps(WINDOW)
    async with run.broken():
        _rules(rules, _WATCHDOG, _DOUBLED)
        server.reload()
        await eventually(run, "prometheus", counted("prometheus_rule_evaluation_failures_total"), "a failed rule")
        await _found(run)
        await run.steps(5)
        _rules(rules, _WATCHDOG)
        server.reload()
        await _found(run)
    await run.steps(WINDOW + 4)


async def _configuration_wrong(run: Run) -> None:
    rules = _rules(run.folder / "rules.yaml", _WATCHDOG)
    wrong = _rules(run.folder / "wrong.yaml", {"record": "wrong", "expr": "1 +"})
    server, _, config = await _monitors(run, rules)
    await run.steps(3)
    async with run.broken():
        try:
            server.reload({**config, "rule_files": [str(wrong)]})
        except TouchstoneError:
            await _found(run)
            await run.steps(14)
        server.reload(config)
        await _found(run)
    await run.steps(3)


async def _alertmanager_dead(run: Run) -> None:
    rules = _rules(run.folder / "rules.yaml", _WATCHDOG)
    server, teller, _ = await _monitors(run, rules)
    await run.steps(WINDOW)
    async with run.broken():
        if teller.pid is not None:
            os.kill(teller.pid, signal.SIGKILL)
        _rules(rules, _WATCHDOG, {**_WATCHDOG, "alert": "Another"})
        server.reload()
        await eventually(run, "prometheus", counted("prometheus_notifications_dropped_total"), "a dropped alert")
        await _found(run)
        await run.steps(6)
        teller.start()
    await run.steps(WINDOW + 4)


DRILLS: Final = (
    Drill(
        "rules-failing",
        "A rule cannot be evaluated, since a target is there twice.",
        _rules_failing,
        (Named("RulesFailing", {"job": "prometheus"}),),
        jobs=_JOBS,
        also=NO_COLLECTOR,
    ),
    Drill(
        "configuration-wrong",
        "Prometheus is told to read a configuration that it must refuse.",
        _configuration_wrong,
        (Named("ConfigurationStale", {"job": "prometheus"}),),
        jobs=_JOBS,
        also=NO_COLLECTOR,
    ),
    Drill(
        "alertmanager-dead",
        "Alertmanager is killed, and nobody hears of alerts.",
        _alertmanager_dead,
        (Named("AlertsUndelivered", {"job": "prometheus"}), Named("ServiceDown", {"job": "alertmanager"})),
        jobs=_JOBS,
        also=NO_COLLECTOR,
    ),
)
