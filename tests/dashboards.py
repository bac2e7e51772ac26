"""A house's metrics for tests of dashboards: the real exporters of every room, told what happens, served for a scrape.

Numbers come out of our own metric classes, as services have them. Only signals that the collector's exporter does not
tell by itself are added by hand, under the names of collectors.conventions.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from collectors import conventions as names
from collectors.live.handlers import Receipt
from collectors.live.metrics import Metrics, State
from collectors.live.model import Visits
from collectors.timelines.codebook import Codebook
from instrumentation.metrics import SpanMetrics
from instrumentation.telemetry import Telemetry
from pricing.messages import PriceClass
from pricing.workers.metrics import PricingMetrics
from pricing.workers.store import Queue
from services.bus import BUS_MIGRATIONS, Bus, Database, EmbeddedTransport
from services.bus import metrics as bus_metrics
from services.bus.held import Waiting
from services.bus.outbox import Backlog
from services.bus.watch import Seen
from services.mes.metrics import Cause, fallbacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from collectors.promise import PromiseFile

SERVICES: Final = ("shop", "crm", "mes", "pricing")
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SECOND: Final = 1_000_000
SEGMENTS: Final = (names.ALL, "channel=b2b")


def now_us() -> int:
    """Return the present moment in microseconds."""
    return time.time_ns() // 1000


class Signals:
    """The collector's signals, in a house whose third stage is slow; those only that its exporter does not tell."""

    def __init__(self, codebook: Codebook, known: str, *, well: bool) -> None:
        self.stages, self.known, self.well = codebook.stages, known, well

    def collect(self) -> Iterator[Metric]:
        """Yield every signal that is not told elsewhere."""
        for name, (labels, samples) in self._all().items():
            if f"\n{name}" not in self.known:
                family = GaugeMetricFamily(name, "A signal.", labels=labels)
                for values, value in samples:
                    family.add_metric(values, value)
                yield family

    def describe(self) -> Iterator[Metric]:
        """Yield nothing."""
        yield from ()

    def _all(self) -> dict[str, tuple[list[str], list[tuple[list[str], float]]]]:
        slow = 1.0 if self.well else 2.4
        now = time.time()
        each = [[stage] for stage in self.stages]
        parts = [[stage, segment] for stage in self.stages for segment in SEGMENTS]
        bounds = [[*part, bound] for part in parts for bound in (names.LOWER, names.UPPER)]
        ages = [[*part, share] for part in parts for share in ("0.5", "0.9")]
        of_stage, of_part = [names.STAGE], [names.STAGE, names.SEGMENT]

        def alike(labels: list[str], values: list[list[str]], value: float) -> Any:
            return labels, [(one, value) for one in values]

        return {
            names.STAGE_SLOWDOWN: alike(of_part, parts, slow),
            names.STAGE_SLOWDOWN_BOUND: alike([*of_part, names.BOUND], bounds, slow),
            names.STAGE_EVIDENCE: alike(of_part, parts, 0.2 if self.well else 1.4),
            names.STAGE_BUDGET_EVIDENCE: alike(of_part, parts, 0.2),
            names.STAGE_EFFECT_MINIMUM: alike([], [[]], 1.3),
            names.STAGE_OVER_BUDGET: alike(of_stage, each, 3.0),
            names.STAGE_EXPECTED_BREAKS: alike(of_stage, each, 2.5),
            names.STAGE_AGE: alike([*of_part, names.QUANTILE], ages, 90_000.0),
            names.STAGE_REFERENCE_AGE: alike([*of_part, names.QUANTILE], ages, 80_000.0),
            names.STAGE_ARRIVALS: alike(of_part, parts, 1e-4),
            names.STAGE_DEPARTURES: alike(of_part, parts, 1e-4),
            names.STAGE_UTILISATION: alike(of_stage, each, 0.6),
            names.STAGE_REFERENCE_DEPARTURES: alike(of_part, parts, 400.0 if self.well else 0.0),
            names.REFERENCE_TIMESTAMP: alike([], [[]], now - 1e6),
            names.EXPECTED_BREAKS: alike([], [[]], 4.5),
            names.EXPECTED_BREAK_RATIO: alike([names.SEGMENT], [[one] for one in SEGMENTS], 0.1),
            names.EXPECTED_BREAK_BOUND: alike(
                [names.SEGMENT, names.BOUND], [[s, b] for s in SEGMENTS for b in (names.LOWER, names.UPPER)], 0.1
            ),
            names.BUDGET_SPENT: alike([], [[]], 0.4),
            names.BUDGET_FORECAST: alike([], [[]], 0.9),
            names.CULPRIT: (of_stage, [([s], float(not self.well and s == self.stages[2])) for s in self.stages]),
            names.CULPRIT_RESCUED: alike([], [[]], 0.6),
            names.BUSINESS_HOURS: alike([], [[]], 1.0),
            names.MAINTENANCE: alike([], [[]], 0.0),
            names.LAST_EVENT: alike([names.SOURCE], [["/shop"], ["/crm"], ["/mes"]], now - 60),
            names.SIGNALS_LAST_RUN: alike([], [[]], now - 5),
            names.SIGNALS_DURATION: alike([], [[]], 0.2),
        }


@dataclass
class House:
    """The registries of all jobs. ``well``: whether nothing goes wrong."""

    promise: PromiseFile
    well: bool = True
    registries: dict[str, CollectorRegistry] = field(default_factory=dict)
    _ticks: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Open the exporters."""
        self.telemetry = {name: Telemetry(name, "1.0") for name in SERVICES}
        self.registries = {name: telemetry.registry for name, telemetry in self.telemetry.items()}
        self.spans = SpanMetrics()
        self.spans.register(self.registries["shop"])
        self.pricing = PricingMetrics(self.registries["pricing"])
        self.fallbacks = fallbacks(self.registries["mes"])
        self.buses = {name: self._bus(name) for name in SERVICES}
        codebook = Codebook(self.promise)
        self.metrics = Metrics(codebook)
        self.metrics.state = State(0, 0, 0, 0, 0, 0, 0, {}, {})
        self.registries["collector"] = self.metrics.registry
        known = generate_latest(self.metrics.registry).decode()
        self.metrics.registry.register(Signals(codebook, known, well=self.well))

    def _bus(self, name: str) -> Bus:
        database = Database("sqlite+aiosqlite:///never-opened.db", BUS_MIGRATIONS)
        bus = Bus(database, EmbeddedTransport(), source=f"/{name}")
        bus_metrics.register(bus, self.registries[name])
        return bus

    def happen(self) -> None:
        """Let a minute's worth of things happen in every room."""
        tick = next(self._ticks)
        for name, telemetry in self.telemetry.items():
            for route, seconds in (("/orders", 0.02), ("/orders/{order}", 0.2)):
                telemetry.requests.begun("GET")
                telemetry.requests.ended("GET", route, 200, seconds, TRACE)
            telemetry.requests.begun("POST")
            telemetry.requests.ended("POST", "/orders", 201 if self.well else 503, 0.4, None)
            self._carry(self.buses[name])
        self.spans.ended.inc(9)
        self.spans.delivered.inc(8)
        self._price()
        self._collect(tick)

    def _carry(self, bus: Bus) -> None:
        bus.relay.offered += 5
        bus.relay.confirmed += 5
        bus.received.applied += 4
        bus.received.duplicates += 1
        held = Waiting(0, 0, 0, 0, 0) if self.well else Waiting(2, 1, 3, 1, 1)
        bus.watch.seen = Seen(now_us(), Backlog(0, None) if self.well else Backlog(4, now_us() - 90 * SECOND), held)

    def _price(self) -> None:
        for one in PriceClass:
            self.pricing.calculated(one, 5_000, 0.7, TRACE)
            self.pricing.answered(one, None)
        for cache in ("measures", "quotes"):
            self.pricing.cache(cache, hit=True)
            self.pricing.cache(cache, hit=False)
        self.pricing.see([Queue(PriceClass.SHOP, 2, now_us() - SECOND)], now_us())
        if not self.well:
            self.pricing.answered(PriceClass.SHOP, "open")
            self.pricing.killed("time")
            self.pricing.lease_lost()
            self.pricing.slab()
            self.fallbacks.labels(Cause.LATE.value).inc()
            self.spans.dropped.inc()

    def _collect(self, tick: int) -> None:
        stages = np.arange(len(self.metrics.codebook.stages))
        lengths = (stages + 1) * 3_600 * SECOND
        accepted, bad = 10, int(not self.well)
        self.metrics.count(Receipt(accepted, 1, bad, bad, [2 * SECOND, 30 * SECOND], Visits(stages, lengths)))
        self.metrics.skipped.inc()
        orders = {(stage, risk): 3 + tick for stage in stages.tolist() for risk in range(3)}
        oldest = dict.fromkeys(stages.tolist(), 9e5)
        self.metrics.state = State(90, 10, 40, 3, bad, bad, bad, orders, oldest)
        self.metrics.reconciled = (0.0, 0.0, 0.0, 0.0, time.time())
        self.metrics.violations = dict.fromkeys(names.INVARIANTS, bad)

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Serve each job's metrics at /JOB, with exemplars where they are asked for; yields host:port."""
        registries = self.registries

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                encode, kind = choose_encoder(self.headers.get("accept", ""))
                content = encode(registries[self.path.strip("/")])
                self.send_response(200)
                self.send_header("content-type", kind)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
