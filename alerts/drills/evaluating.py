"""What a real Prometheus says of a history: recorded series first, then every alert over the whole time.

Samples, recordings and alerts share one grid of moments, and the server looks back for less than a step: what was not
shown at a moment is not there at that moment, as Prometheus has it by its staleness markers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from alerts import building, catalogue
from alerts.drills.episodes import episodes
from alerts.promql import metrics
from collectors.promise.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from alerts.drills.episodes import Episode
    from alerts.drills.parts import Parts, Prometheus, Series
    from alerts.drills.scrapes import History
    from alerts.model import Alert, Recording
    from alerts.settings import Settings
    from collectors.promise import PromiseFile

_SHORT: Final = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Grid:
    """The moments at which a house is scraped and its rules are evaluated."""

    begin: datetime
    end: datetime
    step: timedelta

    def moments(self) -> list[datetime]:
        """Return all of them."""
        return [self.begin + number * self.step for number in range((self.end - self.begin) // self.step + 1)]


@dataclass(frozen=True)
class Rules:
    """What is evaluated: the rules of a promise file under settings."""

    promise: PromiseFile
    settings: Settings

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Every alert."""
        return catalogue.alerts(self.promise, self.settings)

    def layers(self) -> Iterator[list[Recording]]:
        """Yield recorded series so that each one needs only those of the layers before it."""
        left = [*catalogue.recorded_targets(self.promise, self.settings), *catalogue.recordings()]
        while left:
            open_names = {one.name for one in left}
            layer = [one for one in left if not metrics(one.expr) & open_names]
            left = [one for one in left if one not in layer]
            yield layer


def evaluate(parts: Parts, home: Path, history: History, grid: Grid, rules: Rules) -> dict[str, list[Episode]]:
    """Return the episodes of every alert by its name. Raises TouchstoneError where Prometheus cannot be used."""
    path = home / "history.txt"
    history.write(path)
    with parts.prometheus(home, lookback=grid.step - _SHORT, blocks=path) as server:
        for layer in rules.layers():
            recorded = type(history)()
            for one in layer:
                for series in _asked(server, one.expr, grid):
                    recorded.recorded(one.name, {**series.labels, **one.labels}, series.points)
            if len(recorded):
                recorded.write(path)
                server.stop()
                server.backfill(path)
                server.start()
        return {
            alert.name: _episodes(server, building.rule_of(alert, rules.settings.links), grid) for alert in rules.alerts
        }


def _asked(server: Prometheus, expression: str, grid: Grid) -> Sequence[Series]:
    return server.query_range(expression, grid.begin, grid.end, grid.step)


def _episodes(server: Prometheus, rule: Mapping[str, Any], grid: Grid) -> list[Episode]:
    waits, keep = (parse_duration(rule.get(name, "0s")) for name in ("for", "keep_firing_for"))
    moments = grid.moments()
    found: list[Episode] = []
    for series in _asked(server, rule["expr"], grid):
        labels = {name: value for name, value in series.labels.items() if name != "__name__"}
        told = {**labels, **rule["labels"], "alertname": rule["alert"]}
        found += episodes(told, moments, {at for at, _ in series.points}, waits, keep)
    return sorted(found, key=lambda one: one.since)
