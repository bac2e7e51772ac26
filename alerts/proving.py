"""Scenes played by promtool, an alert at a time: with all rules at once it would take minutes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alerts import building, tools, unit_tests
from alerts.catalogue import recordings
from alerts.promql import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alerts.model import Alert, Recording, Scene
    from alerts.settings import Links


_IMPATIENT: Final = "context deadline exceeded"


def needed(alert: Alert) -> tuple[Recording, ...]:
    """Return the recorded series that an alert asks for."""
    return tuple(one for one in recordings() if one.name in metrics(alert.expr))


def prove(
    promtool: str,
    judge: Alert,
    links: Links,
    alert: Alert | None = None,
    recorded: Sequence[Recording] | None = None,
) -> None:
    """Play an alert's scenes, short ones first. Raises Refused at the first that does not come out.

    ``alert`` and ``recorded`` stand in for the alert itself and for what it needs: mutants are judged so.
    """
    rule = alert or judge
    for scenes, read in _batches(judge, needed(judge) if recorded is None else recorded):
        with tempfile.TemporaryDirectory(prefix="touchstone-rules-") as name:
            folder = Path(name)
            rules, tests = building.groups((*read, rule), links), _tests(judge, scenes, links)
            (folder / building.RULES).write_text(building.dumped(rules), encoding="utf-8")
            (folder / building.TESTS).write_text(building.dumped(tests), encoding="utf-8")
            _play(promtool, folder)


def _play(promtool: str, folder: Path) -> None:
    """Have promtool play what lies in a folder; once more where its patience ended on a machine that stood still."""
    command = [promtool, "test", "rules", building.TESTS]
    try:
        tools.run(command, folder)
    except tools.Refused as error:
        if _IMPATIENT not in str(error):
            raise
        tools.run(command, folder)


def _tests(judge: Alert, scenes: Sequence[Scene], links: Links) -> dict[str, object]:
    return building.tests([(judge, scene) for scene in scenes], links, long=unit_tests.is_long(scenes[0]))


def _batches(judge: Alert, recorded: Sequence[Recording]) -> Iterator[tuple[list[Scene], list[Recording]]]:
    """Yield scenes that may be played together, with those of the recorded series that they have something for."""
    batches: dict[tuple[object, ...], tuple[list[Scene], list[Recording]]] = {}
    for scene in sorted(unit_tests.scenes(judge), key=_cost):
        there = {series.partition("{")[0] for series in scene.series}
        read = [one for one in recorded if metrics(one.expr) & there]
        key = (unit_tests.is_long(scene), _cost(scene) > unit_tests.LONG_SCENE, *(id(one) for one in read))
        batches.setdefault(key, ([], read))[0].append(scene)
    yield from batches.values()


def _cost(scene: Scene) -> int:
    """Return how often rules are evaluated in a scene."""
    last = max(unit_tests.minutes(moment) for moment in scene.moments)
    return last // unit_tests.LONG_STEP if unit_tests.is_long(scene) else last
