"""A house's metrics for tests of dashboards: the real exporters of every room, told what happens, served for a scrape.

Numbers come out of our own metric classes, as services have them; only what they are told to show is made up.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from prometheus_client.exposition import choose_encoder

from collectors import conventions as names
from collectors.live.handlers import Receipt
from collectors.live.metrics import Metrics, State
from collectors.live.model import Visits
from collectors.live.signalling.figures import Figures
from collectors.live.signalling.gauges import SignalGauges
from collectors.promise.model import ELSEWHERE
from collectors.signals.culprit_now import Culprit
from collectors.signals.error_budget import ErrorBudget, Spending
from collectors.signals.flow import StageFlow
from collectors.signals.monitor import StageSignal
from collectors.signals.promise_risk import Risk
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
from services.mes.metrics import Cause, VendorGauges, fallbacks
from services.mes.store import Owed
from services.mes.watch import Seen as SeenOfVendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry

    from collectors.live.signalling.running import Signalling
    from collectors.promise import PromiseFile
    from services.mes.watch import Watch

SERVICES: Final = ("shop", "crm", "mes", "pricing")
JOBS: Final = (*SERVICES, "collector")
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SECOND: Final = 1_000_000
SEGMENTS: Final = (names.ALL, "channel=b2b")


def now_us() -> int:
    """Return the present moment in microseconds."""
    return time.time_ns() // 1000


def figures(codebook: Codebook, *, well: bool) -> Figures:
    """Return the figures of a house, or of one whose third stage is slow."""
    slow = 1.0 if well else 2.4
    evidence = 0.2 if well else 1.4
    since = None if well else now_us() - 300_000 * SECOND
    parts = [(stage, segment) for stage in codebook.stages for segment in SEGMENTS]
    risk = Risk(open=45, expected=4.5, lower=2.0, upper=8.0)
    seen = {stage: 400 if well and stage != ELSEWHERE else 0 for stage in codebook.stages}
    return Figures(
        as_of=now_us() - 5 * SECOND,
        stages=[StageSignal(*part, slow, slow * 0.9, slow * 1.1, evidence, 1.4, 0.2, since) for part in parts],
        flows=[StageFlow(*part, 1e-4, 1e-4, 9, 0.6, (9e4, 2e5), (8e4, 1e5), seen[part[0]]) for part in parts],
        share=1.0,
        risk=risk,
        risk_by_stage=[risk] * len(codebook.stages),
        risk_by_segment={SEGMENTS[1]: risk},
        budget=ErrorBudget(Spending(40, 0.8, 0.4), Spending(40, 1.8, 0.9), 0),
        culprit=Culprit(None if well else 2, None if well else 0.6, 4.5, np.zeros(len(codebook.stages))),
    )


def signalling(codebook: Codebook, *, well: bool) -> Signalling:
    """Return what the exporter reads: figures as of now, whenever it asks."""
    known = SimpleNamespace(
        codebook=codebook,
        reference=SimpleNamespace(end=now_us() - 1_000_000 * SECOND),
        took_s=0.2,
        leads=True,
        in_business_hours=lambda: True,
        in_maintenance=lambda: not well,
        maintenance_until=lambda: 0 if well else now_us() + 3_600 * SECOND,
    )
    return cast("Signalling", _Now(known, lambda: figures(codebook, well=well)))


class _Now:
    def __init__(self, known: SimpleNamespace, told: Callable[[], Figures]) -> None:
        self._known, self._told = known, told

    @property
    def figures(self) -> Figures:
        return self._told()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._known, name)


@dataclass
class House:
    """The registries of all jobs. ``well``: whether nothing goes wrong."""

    promise: PromiseFile
    well: bool = True
    registries: dict[str, CollectorRegistry] = field(default_factory=dict)
    _ticks: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Open the exporters."""
        self.telemetry = {name: Telemetry(name, "1.0") for name in JOBS}
        self.registries = {name: telemetry.registry for name, telemetry in self.telemetry.items()}
        self.spans = SpanMetrics()
        self.spans.register(self.registries["shop"])
        self.pricing = PricingMetrics(self.registries["pricing"])
        self.fallbacks = fallbacks(self.registries["mes"])
        self.vendor = SimpleNamespace(seen=None)
        self.registries["mes"].register(VendorGauges(cast("Watch", self.vendor)))
        self.buses = {name: self._bus(name) for name in SERVICES}
        codebook = Codebook(self.promise)
        self.metrics = Metrics(codebook, self.registries["collector"])
        self.metrics.state = State(now_us(), 0, 0, 0, 0, 0, 0, 0, {}, {}, {})
        self.metrics.registry.register(SignalGauges(signalling(codebook, well=self.well)))

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
            if name in self.buses:
                self._carry(self.buses[name])
        self.spans.ended.inc(9)
        self.spans.delivered.inc(8)
        now = now_us()
        owed = Owed(0, None) if self.well else Owed(3, now - 900 * SECOND)
        self.vendor.seen = SeenOfVendor(now, owed, now - (1 if self.well else 950) * SECOND)
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
            self.pricing.answered(PriceClass.SHOP, "open_surface")
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
        # While all is well, every status has its stage.
        held = stages[:-1] if self.well else stages
        orders = {(stage, risk): 3 + tick for stage in held.tolist() for risk in range(3)}
        oldest, over = dict.fromkeys(stages.tolist(), 9e5), dict.fromkeys(stages.tolist(), 3)
        self.metrics.state = State(now_us(), 90, 10, 40, 3, bad, bad, bad, orders, oldest, over)
        self.metrics.hear(dict.fromkeys(("/shop", "/crm", "/mes"), now_us() - 60 * SECOND))
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
