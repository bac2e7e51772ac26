"""The demo: six weeks of a jewellery maker with a slowed approval, its report, and the live collector fed on.

Everything runs on this machine alone: history is simulated, replayed into the HTML report, and sent to a real live
collector (SQLite); then the orders in flight go on, an hour a second until the present is reached, then as they happen.
"""

from __future__ import annotations

import contextlib
import http.server
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson
import typer

from collectors.promise import load_promise
from collectors.replay import replay
from collectors.report import Gathering, write_html
from collectors.report.headline import headline
from collectors.simulation import Scenario, cloudevents, parse_slowdown, simulate
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HISTORY: Final = timedelta(weeks=6)
CATCH_UP: Final = timedelta(days=1)
HOURS_A_SECOND: Final = 1
ORDERS_A_DAY: Final = 40
SLOWED: Final = "approval=+6d@14"
FOLDER: Final = Path("build/demo")
BATCH: Final = 1_000
START_SECONDS: Final = 30


@dataclass
class Demo:
    """One run of the demo. ``now`` is when it began, so that history ends there."""

    seed: int
    port: int
    folder: Path = FOLDER
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def collector(self) -> str:
        """The live collector's address."""
        return f"http://127.0.0.1:{self.port}"

    def events(self) -> list[dict[str, Any]]:
        """Simulate the house from six weeks ago to an hour ahead, as CloudEvents in time order."""
        start = (self.now - HISTORY).replace(hour=0, minute=0, second=0, microsecond=0)
        days = HISTORY.days + 2
        slowed = (parse_slowdown(SLOWED),)
        scenario = Scenario(days=days, orders_per_day=ORDERS_A_DAY, seed=self.seed, slowdowns=slowed, start=start)
        return list(cloudevents(simulate(scenario)))

    def report(self, history: list[dict[str, Any]]) -> str:
        """Replay the history into ``report.html``; return the headline."""
        log = self.folder / "history.jsonl"
        log.write_bytes(b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in history))
        promise = load_promise()
        promise = promise.model_copy(update={"log": promise.log.model_validate({"format": "cloudevents"})})
        gathering = Gathering(promise)
        report = gathering.report(replay(log, promise, observers=(gathering,)))
        write_html(report, self.folder / "report.html")
        return headline(report).text()


def run_demo(*, lasting: timedelta, seed: int, port: int) -> None:
    """Run the demo for a while (zero: until stopped). Raises TouchstoneError where the collector does not start."""
    demo = Demo(seed=seed, port=_free_port(port))
    demo.folder.mkdir(parents=True, exist_ok=True)
    typer.echo(
        f"Simulating six weeks of the jewellery maker, {ORDERS_A_DAY} orders a day, approval slowed from week three ..."
    )
    events = demo.events()
    past = (demo.now - CATCH_UP).isoformat()
    history = [event for event in events if event["time"] < past]
    typer.echo(f"\n{demo.report(history)}\n")
    with _collector(demo), _pages(demo.folder, _free_port(demo.port + 1)) as pages:
        sent = _send(demo.collector, history)
        typer.echo(f"The live collector has {sent:,} events. Look at:")
        typer.echo(f"  the report           {pages}/report.html")
        typer.echo(f"  orders to chase      {demo.collector}/orders?risk=late")
        typer.echo(f"  stages right now     {demo.collector}/stages")
        typer.echo(f"  Prometheus metrics   {demo.collector}/metrics")
        typer.echo(f"  the API              {demo.collector}/docs")
        ending = f"for {lasting.total_seconds():.0f} s" if lasting else "until you press Ctrl-C"
        typer.echo(f"Orders go on, an hour a second until the present, {ending} ...")
        with contextlib.suppress(KeyboardInterrupt):
            sent += _go_on(demo, (event for event in events if event["time"] >= past), lasting)
        typer.echo(f"Stopped. The collector has taken {sent:,} events; its state is in {demo.folder}/collector.db")


def _go_on(demo: Demo, events: Iterable[dict[str, Any]], lasting: timedelta) -> int:
    """Send each event when its time comes: an hour a second until the present, then as time goes."""
    begun, sent, waiting = time.monotonic(), 0, list(events)
    while not lasting or time.monotonic() - begun < lasting.total_seconds():
        ahead = timedelta(hours=HOURS_A_SECOND * (time.monotonic() - begun))
        moment = min(demo.now - CATCH_UP + ahead, datetime.now(UTC)).isoformat()
        due = [event for event in waiting if event["time"] <= moment]
        waiting = waiting[len(due) :]
        sent += _send(demo.collector, due)
        time.sleep(1)
    return sent


def _send(address: str, events: Iterable[dict[str, Any]]) -> int:
    headers = {"content-type": "application/cloudevents-batch+json"}
    sent = 0
    with httpx.Client(base_url=address, timeout=60) as client:
        remaining = iter(events)
        while batch := list(islice(remaining, BATCH)):
            client.post("/events", content=orjson.dumps(batch), headers=headers).raise_for_status()
            sent += len(batch)
    return sent


@contextlib.contextmanager
def _collector(demo: Demo) -> Iterator[None]:
    """Run a live collector with fresh state as a process of its own."""
    database = demo.folder / "collector.db"
    for leftover in demo.folder.glob("collector.db*"):
        leftover.unlink()
    command = [sys.executable, "-m", "touchstone", "serve", "collector", "--port", str(demo.port)]
    log = (demo.folder / "collector.log").open("wb")
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [*command, "--database", f"sqlite+aiosqlite:///{database}"], stdout=log, stderr=subprocess.STDOUT
    )
    try:
        _await_ready(demo, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _await_ready(demo: Demo, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{demo.collector}/readyz").is_success:
                return
        time.sleep(0.1)
    last = (demo.folder / "collector.log").read_text(errors="replace").strip().splitlines()[-1:]
    raise TouchstoneError(f"the live collector did not start ({' '.join(last) or 'it said nothing'})")


@contextlib.contextmanager
def _pages(folder: Path, port: int) -> Iterator[str]:
    """Serve a folder's pages on loopback."""
    handler = partial(_QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the demo's own lines are what matters on this screen."""


def _free_port(wanted: int) -> int:
    """Return the wanted port, or the next one that is free."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise TouchstoneError(f"no port between {wanted} and {wanted + 100} is free; give another one with --port")
