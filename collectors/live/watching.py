"""What the collector looks at by itself, turn after turn: the invariants, and what watched systems say."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from collectors.invariants.checking import INVARIANTS, check_all
from collectors.invariants.model import House
from collectors.live.model import shown
from collectors.reconciliation.asking import Asker
from collectors.reconciliation.reconciling import Reconciler, check_against, rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from collectors.invariants.model import Result
    from collectors.live.handlers import Collector
    from collectors.live.metrics import Metrics
    from collectors.live.reports import Reports
    from collectors.pollers.systems import Systems
    from collectors.reconciliation.comparing import Claims
    from collectors.reconciliation.report import Report

LOG: Final = logging.getLogger("touchstone.watch")
SECOND: Final = 1_000_000


class Watch:
    """Checks invariants and reconciles on a schedule. ``every_s``: between two checks of the invariants."""

    def __init__(
        self,
        collector: Collector,
        reports: Reports,
        every_s: float,
        systems: Systems | None = None,
        networks: Mapping[str, httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self.collector, self.reports, self.every_s, self.systems = collector, reports, every_s, systems
        if systems is not None:
            check_against(systems, collector.promise)
        self.asker = Asker(systems, networks) if systems is not None and systems.asked else None
        self.house = House(collector, reports, systems, self.asker)
        self.report: Report | None = None
        self.said: dict[str, Claims] = {}
        self.checked_at: int | None = None
        self.results: list[Result] = []

    @property
    def metrics(self) -> Metrics:
        """Where the figures of each turn are shown."""
        return self.collector.metrics

    async def run(self) -> None:
        """Watch until cancelled."""
        await asyncio.gather(self._checking(), self._reconciling())

    async def _checking(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            await self.check()

    async def _reconciling(self) -> None:
        while self.systems is not None and self.asker is not None:
            await asyncio.sleep(self.systems.every.total_seconds())
            try:
                await self.reconcile()
            except Exception:
                # The time of the last run stands still in the metrics, which is what an alert looks at.
                LOG.exception("reconciling failed; trying again in due time")

    async def check(self) -> None:
        """Check every invariant now."""
        self.results = await check_all(self.house)
        self.checked_at = self.collector.clock()
        self.metrics.violations = {result.invariant.name: result.violations for result in self.results}

    async def reconcile(self) -> None:
        """Compare what the watched systems say now."""
        if self.systems is None or self.asker is None:
            return
        limits = await self.reports.limits()
        rules = rules_of(self.systems, self.collector.timelines.codebook, limits)
        report = await Reconciler(self.asker, rules, self.collector.clock).look()
        found = report.findings
        # Of finished orders on which all agree nothing is kept: they only ever grow in number.
        self.said = {
            order: says
            for order, says in report.says.items()
            if len({claim.status for claim in says.values()}) > 1
            or any(claim.status in rules.limits for claim in says.values())
        }
        self.report = replace(report, says={})
        self.metrics.reconciled = (
            len(found.mismatches),
            len(found.lost),
            len(found.stuck),
            len(self.report.silent),
            self.report.as_of / SECOND,
        )

    def says(self, order: str) -> list[dict[str, Any]]:
        """Return what each watched system said of an order when it was last asked."""
        if self.report is None:
            return []
        claims = self.said.get(order, {})
        return [
            {"system": name, "status": claim.status, "since": shown(claim.since), "as_of": shown(self.report.as_of)}
            for name, claim in claims.items()
        ]

    def document(self) -> dict[str, Any]:
        """Return the document of ``GET /invariants``."""
        results = {result.invariant.name: result for result in self.results}
        return {
            "as_of": None if self.checked_at is None else shown(self.checked_at),
            "invariants": [
                {
                    "invariant": invariant.name,
                    "sentence": invariant.sentence,
                    "severity": invariant.severity,
                    "violations": result.violations if result else None,
                    "examples": result.examples if result else [],
                    "reason": (result.reason if result else "not checked yet"),
                }
                for invariant in INVARIANTS
                for result in [results.get(invariant.name)]
            ],
        }

    async def close(self) -> None:
        """Close the connections to the systems."""
        if self.asker is not None:
            await self.asker.close()
