"""``python -m tests.bench``: see the package's docstring for what it prints."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from tests.bench.aims import failures, judged
from tests.bench.bus import carrying
from tests.bench.contests import Bench, Figures, reading_xes, replaying
from tests.bench.environments import ROOT
from tests.bench.live import ingesting
from tests.bench.logs import NoRoom, Source, cloudevents
from tests.bench.machine import facts
from tests.bench.pricing import pricing
from tests.bench.processes import ProgramFailed
from tests.bench.promises import write_promise
from tests.bench.reporting import print_report

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS: Final = ("replay", "xes", "live", "bus", "pricing")
FULL: Final = 100_000_000
XES_EVENTS: Final = 1_000_000
LIVE_EVENTS: Final = 20_000
BUS_EVENTS: Final = 20_000
TRIANGLES: Final = (100_000, 1_000_000, 5_000_000, 10_000_000)
WIDTH: Final = 140


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, report, and return the exit status."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    bench = Bench(options.cache, options.runs, lambda line: console.print(line, highlight=False), options.peers)
    # The logs are made in another process: a child's peak memory counts from that of its parent.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as maker:
        document = _Measuring(bench, options, Source.found(), maker).document()
    document["aims"], document["failed"] = judged(document), failures(document)
    _write(document, options.reports)
    print_report(document, console)
    sys.stdout.write(json.dumps(document) + "\n")
    return 1 if document["failed"] else 0


class _Measuring:
    """One run of the benchmark."""

    def __init__(self, bench: Bench, options: argparse.Namespace, source: Source, maker: ProcessPoolExecutor) -> None:
        self.bench, self.options, self.source, self.maker = bench, options, source, maker
        self.promise = self.bench.cache / "promise.yaml"

    def document(self) -> dict[str, Any]:
        """Measure what is wanted and return it all."""
        source = self.source
        found: dict[str, Any] = {"source": str(source), "promise": "none", "machine": facts(), "runs": self.bench.runs}
        found |= {group: {} for group in GROUPS}
        if self._wants("replay"):
            found["promise"] = self._write_promise()
            found["replay"] = {str(events): self._replay(events) for events in self.options.events}
        if self._wants("xes"):
            found["xes"] = self._xes()
        if self._wants("live"):
            count = self.options.live_events
            events = self.maker.submit(cloudevents, count, self.bench.cache).result()
            found["live"] = ingesting(self.bench, events, count)
        if self._wants("bus"):
            found["bus"] = carrying(self.bench, self.options.bus_events)
        if self._wants("pricing"):
            found["pricing"] = pricing(self.bench, self.options.triangles)
        if self._wants("replay") and self.options.full:
            found["replay"][str(FULL)] = self._replay(FULL)
        return found

    def _wants(self, group: str) -> bool:
        return self.options.only in (None, group)

    def _write_promise(self) -> str:
        log = self.maker.submit(self.source.csv, min(self.options.events), self.bench.cache).result()
        statuses = self.maker.submit(self.source.statuses).result()
        return write_promise(log, statuses, self.promise)

    def _replay(self, events: int) -> Figures:
        try:
            log = self.maker.submit(self.source.csv, events, self.bench.cache).result()
            try:
                return replaying(self.bench, log, self.promise, events, 1 if events >= FULL else self.bench.runs)
            finally:
                if events >= FULL:
                    log.unlink()
        except NoRoom as reason:
            return {"touchstone": {"skipped": str(reason)}}
        except ProgramFailed as error:
            return {"touchstone": {"failed": str(error)}}

    def _xes(self) -> dict[str, Figures]:
        found = {}
        for kind, make in (("plain", self.source.xes), ("gz", self.source.packed_xes)):
            log = self.maker.submit(make, self.options.xes_events, self.bench.cache).result()
            events = self.maker.submit(self.source.copied, self.options.xes_events).result()
            found[kind] = reading_xes(self.bench, log, events, self.bench.runs)
        return found


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=_counts, default=(1_000_000, 10_000_000), help="sizes, with commas")
    parser.add_argument("--full", action="store_true", help=f"replay {FULL:,} events too, once")
    parser.add_argument("--only", choices=GROUPS, help="one group of measurements")
    parser.add_argument("--runs", type=int, default=3, help="runs of each program")
    parser.add_argument("--peers", type=lambda text: tuple(text.split(",")), help="only these peers, with commas")
    parser.add_argument("--xes-events", type=int, default=XES_EVENTS, help="size of the XES log")
    parser.add_argument("--live-events", type=int, default=LIVE_EVENTS, help="events to post to the live collector")
    parser.add_argument("--bus-events", type=int, default=BUS_EVENTS, help="events to send over the bus")
    parser.add_argument("--triangles", type=_counts, default=TRIANGLES, help="sizes of models, with commas")
    parser.add_argument("--cache", type=Path, default=caches / "touchstone" / "bench", help="where logs and peers lie")
    parser.add_argument("--reports", type=Path, default=ROOT / "build" / "reports", help="where the report goes")
    return parser.parse_args(arguments)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def _write(document: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "bench.json"
    document["report"] = str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    with (folder / "bench.txt").open("w", encoding="utf-8") as stream:
        print_report(document, Console(file=stream, width=WIDTH))


if __name__ == "__main__":
    sys.exit(main())
