"""Alertmanager on loopback: alerts in, silences over them, notifications out as its configuration says."""

from __future__ import annotations

import contextlib
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
import yaml

from deploy.servers.ports import free_port
from deploy.servers.processes import Absent, Child, Server
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROGRAMS: Final = ("alertmanager", "prometheus-alertmanager")  # its own name, and Debian's
_NOBODY: Final[Mapping[str, Any]] = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


class Alert(NamedTuple):
    """An alert as Alertmanager holds it. ``state``: active, suppressed, or unprocessed just after it came.

    ``silenced_by``: ids of silences; ``inhibited_by``: fingerprints of alerts that mute it.
    """

    name: str
    state: str
    labels: dict[str, str]
    annotations: dict[str, str]
    begin: datetime
    receivers: tuple[str, ...]
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    fingerprint: str


class AlertmanagerServer(Server):
    """An Alertmanager that stands alone: it has no port for a cluster."""

    name = "Alertmanager"

    def __init__(self, home: Path, port: int, config: Path | Mapping[str, Any]) -> None:
        super().__init__(home)
        self.port = port
        self._program = program()
        self._http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self._config = config if isinstance(config, Path) else home / "alertmanager.yaml"
        if not isinstance(config, Path):
            self._config.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")

    @property
    def address(self) -> str:
        """Where Prometheus reaches it: host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base of its pages and its API."""
        return f"http://{self.address}"

    def alerts(self) -> list[Alert]:
        """Return the alerts that have not ended, muted ones included."""
        return [_alert(one) for one in self._checked(self._http.get("/api/v2/alerts")).json()]

    def tell(self, labels: Mapping[str, str], begin: datetime, end: datetime | None = None, **annotations: str) -> None:
        """Tell of an alert, as Prometheus does; one with an end in the past is over. ``labels``: with alertname."""
        told: dict[str, Any] = {"labels": dict(labels), "annotations": annotations, "startsAt": begin.isoformat()}
        if end is not None:
            told["endsAt"] = end.isoformat()
        self._checked(self._http.post("/api/v2/alerts", json=[told]))

    def silence(self, matchers: Mapping[str, str], begin: datetime, end: datetime, author: str, why: str) -> str:
        """Mute the alerts whose labels equal all of the matchers, for a time. Return the silence's id."""
        wanted = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matchers.items()
            ],
            "startsAt": begin.isoformat(),
            "endsAt": end.isoformat(),
            "createdBy": author,
            "comment": why,
        }
        return str(self._checked(self._http.post("/api/v2/silences", json=wanted)).json()["silenceID"])

    def unsilence(self, silence: str) -> None:
        """End a silence now."""
        self._checked(self._http.delete(f"/api/v2/silence/{silence}"))

    def reload(self) -> None:
        """Read the configuration again. Raises TouchstoneError where it is refused, and goes on with the old one."""
        self._checked(self._http.post("/-/reload"))

    def close(self) -> None:
        """Stop the server for good."""
        try:
            self.stop()
        finally:
            self._http.close()

    def _launch(self) -> Child:
        command = [
            self._program,
            f"--config.file={self._config}",
            f"--storage.path={self.home / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        return Child(command, home=self.home, log=self.home / "alertmanager.log")

    def _ready(self) -> bool:
        try:
            return self._http.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        if not answer.is_success:
            asked = answer.request
            raise TouchstoneError(f"Alertmanager refused {asked.method} {asked.url.path}: {answer.text.strip()}")
        return answer


@contextlib.contextmanager
def alertmanager(
    home: Path, port: int | None = None, *, config: Path | Mapping[str, Any] | None = None
) -> Iterator[AlertmanagerServer]:
    """Run Alertmanager with its data under a folder. Raises Absent where there is none.

    ``config``: a file, used where it lies, or the document; none: it tells nobody.
    """
    server = AlertmanagerServer(home, port or free_port(), _NOBODY if config is None else config)
    try:
        server.start()
        yield server
    finally:
        server.close()


def program() -> str:
    """Return Alertmanager's program. Raises Absent."""
    for name in _PROGRAMS:
        if (found := shutil.which(name)) is not None:
            return found
    raise Absent(
        f"Alertmanager ({' or '.join(_PROGRAMS)}) is not on PATH; deploy/parts installs prometheus-alertmanager"
    )


def _alert(one: Mapping[str, Any]) -> Alert:
    status = one["status"]
    return Alert(
        one["labels"]["alertname"],
        status["state"],
        dict(one["labels"]),
        dict(one["annotations"]),
        datetime.fromisoformat(one["startsAt"]),
        tuple(receiver["name"] for receiver in one["receivers"]),
        tuple(status["silencedBy"]),
        tuple(status["inhibitedBy"]),
        one["fingerprint"],
    )
