"""Logs in which orders are flagged: the simulated house, or a real log, as visits with their outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.promise.document import parse_document
from collectors.promise.reading import promise_from
from collectors.replay import micros
from collectors.signals.flights import Outcomes, Visits, outcomes_of, visits_of
from collectors.simulation import simulate
from collectors.timelines.batch import EventBatch
from collectors.timelines.codebook import Codebook
from collectors.timelines.judging import judge
from collectors.timelines.measuring import NEVER, measure_stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.simulation import Scenario

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
SEGMENTS: Final = ("channel", "product")


@dataclass(frozen=True)
class FlagLog:
    """A log and what became of its orders: ``texts`` names the values of each segment attribute."""

    codebook: Codebook
    visits: Visits
    begin: int
    end: int
    texts: tuple[tuple[str, ...], ...]

    @cached_property
    def outcomes(self) -> Outcomes:
        """The verdicts as of the end of the log."""
        return outcomes_of(self.visits, self.end, self.codebook)


def house_codebook(segments: tuple[str, ...] = SEGMENTS) -> Codebook:
    """Return the codebook of the house's own promise with these segments."""
    text = (files("collectors") / "promise.yaml").read_text(encoding="utf-8")
    promise = promise_from(parse_document(text), "promise.yaml")
    return Codebook(promise.model_copy(update={"segments": list(segments)}))


def simulated(scenario: Scenario, segments: tuple[str, ...] = SEGMENTS) -> FlagLog:
    """Run the house and return its log; attribute values are numbered in the order in which they come."""
    codebook = house_codebook(segments)
    numbers: dict[str, int] = {}
    texts: list[dict[str, int]] = [{} for _ in segments]
    rows = []
    for event in simulate(scenario):
        named = zip(segments, texts, strict=True)
        values = [names.setdefault(getattr(event, name), len(names)) for name, names in named]
        number = numbers.setdefault(event.order, len(numbers))
        rows.append((number, micros(event.at), codebook.code_of[event.status], *values))
    table = np.array(rows, dtype=np.int64)
    table = table[np.argsort(table[:, 0], kind="stable")]
    attributes = {name: table[:, 3 + place].copy() for place, name in enumerate(segments)}
    batch = EventBatch(table[:, 0], table[:, 1], table[:, 2], attributes=attributes)
    begin = micros(scenario.start)
    end = begin + scenario.days * DAY_US
    named_values = tuple(tuple(names) for names in texts)
    return FlagLog(codebook, _visits(batch, codebook, end), begin, end, named_values)


def _visits(batch: EventBatch, codebook: Codebook, end: int) -> Visits:
    measured, stretches = measure_stretches(batch, codebook)
    within = codebook.promise.promise.within
    assert within is not None
    judged = judge(measured, codebook, end, np.full(len(measured), round(within.total_seconds() * 1e6)))
    return visits_of(judged, stretches, measured.order, codebook)


def attempts(visits: Visits, moment: int, orders: NDArray[np.int64], stages: int) -> NDArray[np.int64]:
    """Return how often each of these orders (rising numbers) had entered each stage by a moment [n, S]."""
    known = visits.take((visits.entered <= moment) & np.isin(visits.order, orders))
    cell = np.searchsorted(orders, known.order) * stages + known.stage
    return np.bincount(cell, minlength=len(orders) * stages).reshape(len(orders), stages)


def resolved(log: FlagLog, orders: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of these orders' promises are decided by the end of the log, and were not cancelled."""
    outcomes = log.outcomes.of(orders)
    return np.asarray((outcomes.promise_at < log.end) & (outcomes.promise_at != NEVER) & (outcomes.verdict > 1))
