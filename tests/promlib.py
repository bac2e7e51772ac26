"""Grafana's own Prometheus query backend, as a panel would ask it: a test tool that deploy/parts builds, see there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from deploy.servers import Server, free_port
from deploy.servers.processes import Child
from deploy.servers.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path


class Answer(NamedTuple):
    """What a query came to. ``frames``: as Grafana's API returns them; ``error``: why there is none, else empty."""

    frames: list[dict[str, Any]]
    error: str

    @property
    def rows(self) -> int:
        """How many rows the frames have, of all series together."""
        return sum(len(frame["data"]["values"][0]) for frame in self.frames if frame["data"]["values"])

    @property
    def labels(self) -> list[dict[str, str]]:
        """The labels of every frame's last column."""
        return [dict(frame["schema"]["fields"][-1].get("labels") or {}) for frame in self.frames]


class Promlib(Server):
    """`POST /api/ds/query` over one Prometheus. ``interval``: its scrape interval, as in the data source's settings."""

    name = "Grafana's query backend"

    def __init__(self, home: Path, port: int, prometheus: str, interval: str) -> None:
        super().__init__(home)
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            program("promlib", "Grafana's query backend"),
            *("-listen", f"127.0.0.1:{port}", "-prometheus", prometheus, "-interval", interval),
        ]
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def ask(self, queries: Sequence[Mapping[str, Any]], begin: datetime, end: datetime) -> dict[str, Answer]:
        """Return what a panel's targets come to, by ``refId``: each the target's own JSON (expr, range or instant...).

        ``intervalMs`` and ``maxDataPoints`` of a query are what a page computes from the panel's width.
        """
        times = {"from": str(int(begin.timestamp() * 1000)), "to": str(int(end.timestamp() * 1000))}
        answer = self._http.post("/api/ds/query", json={"queries": list(queries), **times}).raise_for_status()
        return {
            ref: Answer(found.get("frames") or [], found.get("error", ""))
            for ref, found in answer.json()["results"].items()
        }

    def close(self) -> None:
        """Stop the server for good."""
        try:
            self.stop()
        finally:
            self._http.close()

    def _launch(self) -> Child:
        return Child(self._command, home=self.home, log=self.home / "promlib.log")

    def _ready(self) -> bool:
        try:
            return self._http.get("/healthz").is_success
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def promlib(home: Path, prometheus: str, interval: str = "15s") -> Iterator[Promlib]:
    """Run the backend over the Prometheus at an address. Raises Absent where it was not built."""
    server = Promlib(home, free_port(), prometheus, interval)
    try:
        server.start()
        yield server
    finally:
        server.close()
