"""The broker of a run: a virtual host for each scenario, reached through a proxy, and how full its queues are."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any, Final

import httpx

from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.servers import RabbitServer

STATISTICS_MS: Final = 1_000
# A reset may leave one end believing in the connection; the usual 60 s would make the run wait for nothing.
HEARTBEAT_S: Final = 10


def count_often(home: Path) -> None:
    """Have a broker with this folder count its messages every second; by itself it does so every five."""
    (home / "conf.d").mkdir(parents=True, exist_ok=True)
    (home / "conf.d" / "faults.conf").write_text(f"collect_statistics_interval = {STATISTICS_MS}\n", encoding="utf-8")
    (home / "advanced.config").write_text(
        f"[{{rabbit, [{{quorum_tick_interval, {STATISTICS_MS}}}]}}].\n", encoding="utf-8"
    )


class VirtualHost:
    """One scenario's own exchanges and queues."""

    def __init__(self, server: RabbitServer, entrance: str, name: str) -> None:
        """``entrance``: the host:port by which it is reached."""
        parts = urllib.parse.urlsplit(server.address)
        self.address = f"amqp://{parts.username}:{parts.password}@{entrance}/{name}?heartbeat={HEARTBEAT_S}"
        self.name = name
        login = (parts.username or "", parts.password or "")
        self._http = httpx.Client(base_url=server.management, auth=login, timeout=10, trust_env=False)
        self._put(f"/api/vhosts/{name}", {})
        rights = dict.fromkeys(("configure", "write", "read"), ".*")
        self._put(f"/api/permissions/{name}/{login[0]}", rights)

    def depths(self) -> dict[str, int] | None:
        """Return ready and unacknowledged messages of each queue that has any; None while the broker cannot tell."""
        try:
            answer = self._http.get(f"/api/queues/{self.name}")
        except httpx.TransportError:
            return None
        if not answer.is_success:
            return None
        queues = answer.json()
        if not all("messages" in queue for queue in queues):
            return None
        return {queue["name"]: queue["messages"] for queue in queues if queue["messages"]}

    def close(self) -> None:
        """Throw it all away."""
        self._http.delete(f"/api/vhosts/{self.name}")
        self._http.close()

    def _put(self, path: str, body: dict[str, Any]) -> None:
        answer = self._http.put(path, json=body)
        if not answer.is_success:
            raise TouchstoneError(f"RabbitMQ refused {path}: {answer.text}")
