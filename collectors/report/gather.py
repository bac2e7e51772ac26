"""What the reports need beyond the replay's own figures, gathered batch by batch in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.report.content import Loss, Quality, Report, compose
from collectors.report.inflight import InFlight, Outlook
from collectors.report.journeys import Journey, journeys
from collectors.report.sampling import Counts, Sample
from collectors.stages.flow import DayGrid, Flow
from collectors.timelines.codebook import Codebook
from collectors.timelines.judging import BROKEN, CANCELLED, KEPT, OPEN, Judged
from collectors.timelines.measuring import NEVER

if TYPE_CHECKING:
    from collectors.promise.model import PromiseFile
    from collectors.replay import Line, Replay
    from collectors.sources.log import LoadedLog

SECOND_US: Final = 1_000_000
EXAMPLES: Final = 6  # shown of each verdict
LEADS_SAMPLED: Final = 100_000
EVENTS_SHOWN: Final = 2_400  # over all journeys: keeps the page below a megabyte
BINS_PER_PROMISE: Final = 21
MOST_JOURNEYS: Final = 120
URGENT: Final = 30  # journeys of orders to chase that come before any others
_SHORT_S: Final = (1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200)
_DAYS: Final = (1, 2, 5, 7, 14, 30, 60, 90, 180, 365)
NICE_US: Final = tuple(s * SECOND_US for s in (*_SHORT_S, *(86_400 * days for days in _DAYS)))


@dataclass
class Stays:
    """Per day of entry and stage: time and number of orders that have left, and of those still inside."""

    left_s: DayGrid
    left: DayGrid
    inside: DayGrid


class Gathering:
    """Observes a replay for its reports: pass it as an observer, then ask for the ``report``."""

    def __init__(self, promise: PromiseFile) -> None:
        self.promise = promise
        self.codebook = Codebook(promise)
        stages = len(self.codebook.stages)
        self.flow = Flow(stages)
        self.started, self.due = DayGrid(1), DayGrid(2)
        self.stays = Stays(DayGrid(stages), DayGrid(stages), DayGrid(stages))
        self.lateness = Counts(kinds=3)
        self.bin_us = 0
        self.promise_us: tuple[int, int] | None = None
        self.leads = Sample(LEADS_SAMPLED)
        self.loss = Loss.nothing(stages)
        self.in_flight = InFlight(self.codebook)
        self.examples = {verdict: Sample(EXAMPLES) for verdict in (KEPT, BROKEN, OPEN, CANCELLED)}
        self.latest = Sample(EXAMPLES)
        self.outlook = Outlook(0, 0, 0, 0, 0, [])
        self.journeys: dict[int, Journey] = {}
        self.names: dict[int, str] = {}
        self.quality = Quality()

    def see(self, judged: Judged, log: LoadedLog) -> None:  # noqa: ARG002 - the log is looked into once, at the end
        """Take in a batch."""
        counted = judged.take(judged.verdict >= KEPT)
        self._count_days(counted)
        self._count_stays(counted)
        self._count_lateness(counted)
        self.loss.add(counted)
        self.in_flight.add(judged)
        for verdict, sample in self.examples.items():
            chosen = judged.verdict == verdict
            sample.add(judged.measured.order[chosen], judged.lead_us[chosen])
        broken = counted.take(counted.verdict == BROKEN)
        late = broken.lead_us - broken.promise_us
        self.latest.add(broken.measured.order, late, -late.astype(np.float64))

    def see_line(self, judged: Judged, line: Line) -> None:
        """Take in a batch's stretches."""
        self.flow.add(judged, line.stretches, line.moving.order[line.moving.first])

    def finish(self, log: LoadedLog) -> None:
        """Look up the orders that are shown, while the log is open."""
        self.outlook, chased = self.in_flight.outlook()
        examples = {order: None for sample in self.examples.values() for order in sample.ranked()}
        urgent = [row.order for row in self.outlook.chased if not row.broken][:URGENT]
        overdue = [row.order for row in self.outlook.chased if row.broken][:URGENT]
        wanted = list(dict.fromkeys([*urgent, *overdue, *self.latest.ranked(), *examples, *chased]))
        self.names = log.names(chased)
        found = journeys(log, wanted[:MOST_JOURNEYS], self.in_flight.as_of)
        room = EVENTS_SHOWN
        for number in wanted[:MOST_JOURNEYS]:
            size = len(found[number].steps) + len(found[number].stays) // 2
            if size <= room:
                room -= size
                self.journeys[number] = found[number]
        reasons = Counter(log.quarantine.counts).most_common()
        self.quality = Quality(log.duplicates, log.quarantine.total, tuple(reasons), log.skewed)

    def report(self, replay: Replay) -> Report:
        """Put what was gathered together with what the replay found."""
        return compose(self, replay)

    def _count_days(self, judged: Judged) -> None:
        self.started.add(judged.measured.start, 0)
        due = np.flatnonzero((judged.promise_at <= judged.as_of) & (judged.verdict != OPEN))
        self.due.add(judged.promise_at[due], (judged.verdict[due] == BROKEN).astype(np.int64))

    def _count_stays(self, judged: Judged) -> None:
        entered = judged.measured.entered
        row, stage = np.nonzero(entered != NEVER)
        at, inside = entered[row, stage], judged.measured.tail_stage[row] == stage
        left = ~inside
        seconds = judged.stage_us[row[left], stage[left]] / SECOND_US
        self.stays.left_s.add(at[left], stage[left], seconds)
        self.stays.left.add(at[left], stage[left])
        self.stays.inside.add(at[inside], stage[inside])

    def _count_lateness(self, judged: Judged) -> None:
        """Count orders by how far from their promise moment they ended, or are now: kept, late, late and not ended."""
        if not len(judged.measured):
            return
        net = judged.promise_us - judged.stage_us[:, self.codebook.pauses].sum(axis=1)
        if not self.bin_us:
            self.bin_us = bin_width(int(np.median(net)))
        low, high = int(net.min()), int(net.max())
        known = self.promise_us or (low, high)
        self.promise_us = (min(low, known[0]), max(high, known[1]))
        chosen = judged.verdict != OPEN
        late = (judged.lead_us - judged.promise_us)[chosen]
        kind = np.where(judged.verdict == KEPT, 0, np.where(judged.ended, 1, 2))[chosen]
        # The promise moment itself still keeps the promise, so each bin holds its upper end.
        self.lateness.add(kind, -(-late // self.bin_us) - 1)
        ended = chosen & judged.ended
        self.leads.add(judged.measured.order[ended], judged.lead_us[ended])


def bin_width(promise_us: int) -> int:
    """Return a bin that people would choose, in microseconds: about a 21st of the promise, and a whole part of it."""
    wanted = max(promise_us, 1) / BINS_PER_PROMISE
    near = [step for step in NICE_US if wanted / 2.5 <= step <= wanted * 2.5 and promise_us % step == 0]
    return min(near or NICE_US, key=lambda step: abs(np.log(step / wanted)))
