"""Mutants of the alerting rules: each is judged by the scenes of its alerts, played by promtool."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from alerts import proving, tools, unit_tests
from alerts.catalogue import alerts
from alerts.model import Severity
from alerts.settings import default_settings
from collectors.promise import DEFAULT_PROMISE, load_promise
from tests.mutations.promql import mutants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alerts.model import Alert, Recording

SURVIVED: Final = "survived"
KILLED: Final = "killed"
_RANGE: Final = re.compile(r"\[[^\]]*\]")
INVALID: Final = "invalid"  # no rule at all: nobody could commit it


class Case(NamedTuple):
    """A mutant: of an alert (``alert``), or of what it records (``recorded``); the alert's scenes judge it."""

    judge: Alert
    what: str
    alert: Alert
    recorded: tuple[Recording, ...]


def cases(found: Sequence[Alert], only: Sequence[str]) -> Iterator[Case]:
    """Yield every mutant of some alerts (all, if none is named) and of the series that they record."""
    seen: set[tuple[object, ...]] = set()
    for judge in found:
        asked, recorded = not only or judge.name in only, proving.needed(judge)
        for what, mutant in _of_alert(judge) if asked else ():
            yield Case(judge, what, mutant, recorded)
        for place, one in enumerate(recorded):
            # Over each window the same expression is recorded: the mistakes in one window are those in all.
            shape = (_RANGE.sub("[]", one.expr), *one.labels.items())
            if shape in seen:
                continue
            seen.add(shape)
            for what, expr in mutants(one.expr) if asked else ():
                # The name of a recorded series says over which window it is; test_alerts_names holds the two together.
                if _ranges(expr) != _ranges(one.expr):
                    continue
                changed = (*recorded[:place], replace(one, expr=expr), *recorded[place + 1 :])
                yield Case(judge, f"{one.name} {dict(one.labels)} {what}", judge, changed)


def _ranges(expr: str) -> list[str]:
    return _RANGE.findall(expr)


def _of_alert(alert: Alert) -> Iterator[tuple[str, Alert]]:
    for what, expr in mutants(alert.expr):
        yield what, replace(alert, expr=expr)
    pending = unit_tests.minutes(alert.for_)
    for other in (pending * 2, pending // 2) if pending else (5,):
        yield f"for: {alert.for_} becomes {other}m", replace(alert, for_=f"{other}m")
    kept = unit_tests.minutes(alert.keep_firing_for)
    for other in (kept * 2, kept // 2) if kept else ():
        yield f"keep_firing_for: {alert.keep_firing_for} becomes {other}m", replace(alert, keep_firing_for=f"{other}m")
    severity = Severity.TICKET if alert.severity == Severity.PAGE else Severity.PAGE
    yield f"severity: {severity}", replace(alert, severity=severity)
    if alert.owner is not None:
        yield "owner: nobody", replace(alert, owner="nobody")


def run(only: Sequence[str], jobs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Judge every mutant and return the figures. Raises Refused where there is no promtool."""
    promtool = tools.found("promtool")
    if promtool is None:
        raise tools.Refused("promtool is not on this machine; install the package `prometheus`")
    found = alerts(load_promise(DEFAULT_PROMISE))
    made = list(cases(found, only))
    for judge in {case.judge.name: case.judge for case in made}.values():
        proving.prove(promtool, judge, default_settings().links)  # scenes that fail anyhow would kill every mutant
    say(f"{len(made)} mutants of {len(found)} alerts and the series that they record")
    with ThreadPoolExecutor(jobs) as pool:
        fates = []
        for fate in pool.map(lambda case: _fate(promtool, case), made):
            fates.append(fate)
            if fate == SURVIVED:
                case = made[len(fates) - 1]
                say(f"survived: {case.judge.name}: {case.what}")
            if len(fates) % 100 == 0:
                say(f"{len(fates)} judged")
    survivors = [f"{case.judge.name}: {case.what}" for case, fate in zip(made, fates, strict=True) if fate == SURVIVED]
    valid = len(fates) - fates.count(INVALID)
    return {
        "mutants": valid,
        "killed": fates.count(KILLED),
        "killed_share": round(fates.count(KILLED) / valid, 4) if valid else None,
        "invalid": fates.count(INVALID),
        "survivors": survivors,
    }


def _fate(promtool: str, case: Case) -> str:
    try:
        proving.prove(promtool, case.judge, default_settings().links, case.alert, case.recorded)
    except tools.Refused as error:
        # A scene that did not come out, or a rule that could not be evaluated: anything else is no rule.
        return KILLED if "alertname:" in str(error) or "err:" in str(error) else INVALID
    return SURVIVED
