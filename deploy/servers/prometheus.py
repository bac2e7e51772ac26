"""Prometheus on loopback: what it scrapes and evaluates, what it is asked, and histories written into it beforehand."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
import yaml

from deploy.servers.ports import free_port
from deploy.servers.processes import Absent, Child, Server
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_TEN_YEARS: Final = timedelta(days=3650)
_LOOKBACK: Final = timedelta(minutes=5)  # Prometheus' own default
_MOST_POINTS: Final = 10_000  # of one series in one answer; Prometheus refuses more than 11,000
# Without it promtool writes a block for every two hours: half a year takes minutes in place of a second.
_LONGEST_BLOCK: Final = "744h"


class Sample(NamedTuple):
    """One series at one moment."""

    labels: dict[str, str]
    value: float


class Series(NamedTuple):
    """One series over a time."""

    labels: dict[str, str]
    points: list[tuple[datetime, float]]


class Target(NamedTuple):
    """What is scraped. ``health``: up, down, or unknown before its first scrape; ``error``: of the last scrape."""

    job: str
    address: str
    health: str
    error: str


class Alerting(NamedTuple):
    """An alert as Prometheus sees it. ``state``: pending or firing; ``since``: when its expression became true."""

    name: str
    state: str
    labels: dict[str, str]
    annotations: dict[str, str]
    since: datetime
    value: float


def configuration(
    targets: Mapping[str, Sequence[str]] | None = None,
    rules: Sequence[Path] = (),
    alertmanager: str | None = None,
    interval: timedelta = timedelta(seconds=15),
) -> dict[str, Any]:
    """Return a configuration. ``targets``: job -> host:port, scraped at /metrics; ``alertmanager``: host:port.

    Scrapes and rules share the interval.
    """
    every = seconds(interval)
    made: dict[str, Any] = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
            for job, addresses in (targets or {}).items()
        ],
    }
    if alertmanager is not None:
        made["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return made


class PrometheusServer(Server):
    """A Prometheus server with exemplars and native histograms."""

    name = "Prometheus"

    def __init__(
        self,
        home: Path,
        port: int,
        config: Mapping[str, Any],
        *,
        retention: timedelta = _TEN_YEARS,
        lookback: timedelta = _LOOKBACK,
    ) -> None:
        super().__init__(home)
        self.port, self.retention, self.lookback = port, retention, lookback
        self._program = program()
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self._config = home / "prometheus.yaml"
        self._write(config)

    @property
    def address(self) -> str:
        """Where it listens: host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base of its pages and its API."""
        return f"http://{self.address}"

    def query(self, expression: str, at: datetime | None = None) -> list[Sample]:
        """Return what an expression is at a moment, by default now. Raises TouchstoneError where it is refused."""
        asked = {"query": expression} | ({} if at is None else {"time": str(at.timestamp())})
        found = self._asked("query", asked)
        if found["resultType"] == "scalar":
            return [Sample({}, float(found["result"][1]))]
        if found["resultType"] != "vector":
            raise TouchstoneError(f"Prometheus answers {expression!r} with a {found['resultType']}; ask for its values")
        return [Sample(_labels(one), float(one["value"][1])) for one in found["result"]]

    def query_range(self, expression: str, begin: datetime, end: datetime, step: timedelta) -> list[Series]:
        """Return what an expression is from ``begin`` to ``end``, both included, at every step.

        However many steps there are: Prometheus answers 11,000 at once at most, so longer times are asked in pieces.
        """
        merged: dict[tuple[tuple[str, str], ...], Series] = {}
        while begin <= end:
            last = min(end, begin + (_MOST_POINTS - 1) * step)
            times = {"start": str(begin.timestamp()), "end": str(last.timestamp()), "step": seconds(step)}
            for one in self._asked("query_range", {"query": expression, **times})["result"]:
                labels = _labels(one)
                series = merged.setdefault(tuple(sorted(labels.items())), Series(labels, []))
                series.points.extend((datetime.fromtimestamp(at, UTC), float(value)) for at, value in one["values"])
            begin = last + step
        return list(merged.values())

    def targets(self) -> list[Target]:
        """Return what is scraped, and how it goes. Prometheus takes up to 5 s to see new ones, at its start too."""
        active = self._asked("targets", {"state": "active"}, "GET")["activeTargets"]
        return [
            Target(one["labels"]["job"], one["labels"]["instance"], one["health"], one["lastError"]) for one in active
        ]

    def alerts(self) -> list[Alerting]:
        """Return the alerts that are pending or firing."""
        return [
            Alerting(
                one["labels"]["alertname"],
                one["state"],
                _labels(one, "labels"),
                dict(one["annotations"]),
                datetime.fromisoformat(one["activeAt"]),
                float(one["value"]),
            )
            for one in self._asked("alerts", {}, "GET")["alerts"]
        ]

    def reload(self, config: Mapping[str, Any] | None = None) -> None:
        """Read the rules again, and the configuration, which may be a new one. Raises TouchstoneError if refused.

        What is refused changes nothing: Prometheus goes on as before.
        """
        before = self._config.read_text(encoding="utf-8")
        if config is not None:
            self._write(config)
        answer = self._http.post("/-/reload")
        if not answer.is_success:
            self._config.write_text(before, encoding="utf-8")
            # The answer says which file; only the log says what is wrong in it.
            said = self._child.said() if self._child is not None else ""
            raise TouchstoneError(f"Prometheus refused what it was to read: {answer.text.strip()}\n{said}")

    def backfill(self, openmetrics: Path) -> None:
        """Write a history, a file of OpenMetrics text with timestamps that ends with # EOF, into the stopped server.

        Raises TouchstoneError while the server runs, and where promtool refuses the file.
        """
        if self.running():
            raise TouchstoneError("a history is written into a Prometheus that is stopped; it sees new blocks too late")
        command = [program("promtool"), "tsdb", "create-blocks-from", f"--max-block-duration={_LONGEST_BLOCK}", "-q"]
        words = [*command, "openmetrics", str(openmetrics), str(self._data)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - promtool
        if done.returncode:
            raise TouchstoneError(f"promtool could not make blocks of {openmetrics}:\n{done.stderr.strip()}")

    def close(self) -> None:
        """Stop the server for good."""
        try:
            self.stop()
        finally:
            self._http.close()

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _write(self, config: Mapping[str, Any]) -> None:
        self._config.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")

    def _launch(self) -> Child:
        command = [
            self._program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._data}",
            f"--storage.tsdb.retention.time={seconds(self.retention)}",
            f"--query.lookback-delta={seconds(self.lookback)}",
            f"--web.listen-address={self.address}",
            "--web.enable-lifecycle",
            "--enable-feature=exemplar-storage,native-histograms",
        ]
        return Child(command, home=self.home, log=self.home / "prometheus.log")

    def _ready(self) -> bool:
        try:
            return self._http.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def _asked(self, what: str, parameters: Mapping[str, str], method: str = "POST") -> Any:
        """Ask by POST where it may be: an expression may be longer than an address."""
        given = {"data" if method == "POST" else "params": dict(parameters)}
        answer = self._http.request(method, f"/api/v1/{what}", **given)  # type: ignore[arg-type]
        document = answer.json() if "json" in answer.headers.get("content-type", "") else {"error": answer.text}
        if document.get("status") != "success":
            raise TouchstoneError(
                f"Prometheus refused {parameters.get('query', what)!r}: {str(document.get('error')).strip()}"
            )
        return document["data"]


@contextlib.contextmanager
def prometheus(
    home: Path,
    port: int | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    retention: timedelta = _TEN_YEARS,
    lookback: timedelta = _LOOKBACK,
    blocks: Path | None = None,
) -> Iterator[PrometheusServer]:
    """Run Prometheus with its data under a folder. Raises Absent where there is none.

    ``config``: see ``configuration``; none: it scrapes nothing. ``blocks``: a history to ``backfill`` first.
    """
    given = configuration() if config is None else config
    server = PrometheusServer(home, port or free_port(), given, retention=retention, lookback=lookback)
    try:
        if blocks is not None:
            server.backfill(blocks)
        server.start()
        yield server
    finally:
        server.close()


def program(name: str = "prometheus") -> str:
    """Return a program of the package prometheus: prometheus or promtool. Raises Absent."""
    found = shutil.which(name)
    if found is None:
        raise Absent(f"Prometheus ({name}) is not on PATH; deploy/parts installs the package prometheus")
    return found


def seconds(time: timedelta) -> str:
    """Return a time as Prometheus writes it, to the millisecond."""
    return f"{round(time / timedelta(milliseconds=1))}ms"


def _labels(one: Mapping[str, Any], of: str = "metric") -> dict[str, str]:
    return {str(name): str(value) for name, value in one[of].items()}
