"""Toxiproxy on loopback: a network that can be cut, slowed and reset between a client and a server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import httpx

from deploy.servers.ports import free_port
from deploy.servers.processes import Child, Server
from deploy.servers.programs import program
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PROGRAM: Final = "toxiproxy-server"
# A standing toxic that does nothing (toxicity 0) but make Toxiproxy close connections by a TCP reset: it decides how a
# connection will be closed when it begins, so that a toxic added later would only close it in good order.
_RESET: Final = {"name": "reset", "type": "reset_peer", "toxicity": 0.0, "attributes": {"timeout": 0}}


class Proxy:
    """A way to one server that can be disturbed. However a connection through it ends, its other end sees a reset."""

    def __init__(self, http: httpx.Client, name: str, port: int) -> None:
        self._http, self.name, self.host, self.port = http, name, "127.0.0.1", port

    @property
    def address(self) -> str:
        """Where clients connect instead of the server: host:port."""
        return f"{self.host}:{self.port}"

    def reset(self) -> None:
        """Reset every connection that is open now. New ones are accepted again at once."""
        self.cut()
        self._enable(on=True)

    def cut(self) -> None:
        """Reset every connection, and refuse new ones until restored."""
        self._enable(on=False)

    def restore(self) -> None:
        """Let everything through again, without delay."""
        self.latency(0)
        self._toxic("stall", None)
        self._enable(on=True)

    def latency(self, ms: int, jitter_ms: int = 0) -> None:
        """Delay what the server sends by so many milliseconds, in connections open now too; 0 for no delay."""
        self._toxic("latency", {"latency": ms, "jitter": jitter_ms} if ms or jitter_ms else None)

    def stall(self) -> None:
        """Swallow what the server sends, and keep connections open, until restored (which resets the stalled ones)."""
        self._toxic("stall", {"timeout": 0}, kind="timeout")

    def _enable(self, *, on: bool) -> None:
        _checked(self._http.post(f"/proxies/{self.name}", json={"enabled": on}))

    def _toxic(self, name: str, attributes: Mapping[str, int] | None, kind: str | None = None) -> None:
        gone = self._http.delete(f"/proxies/{self.name}/toxics/{name}")
        if gone.status_code != httpx.codes.NOT_FOUND:
            _checked(gone)
        if attributes is not None:
            toxic = {"name": name, "type": kind or name, "stream": "downstream", "attributes": attributes}
            _checked(self._http.post(f"/proxies/{self.name}/toxics", json=toxic))


class Toxiproxy(Server):
    """A Toxiproxy server. It keeps nothing: a restart forgets its proxies."""

    name = "Toxiproxy"

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home)
        self.port = port
        self._program = program(_PROGRAM, "Toxiproxy")
        self._http = httpx.Client(base_url=self.url, timeout=10, trust_env=False)

    @property
    def url(self) -> str:
        """The base of its HTTP API."""
        return f"http://127.0.0.1:{self.port}"

    def proxy(self, name: str, upstream: str, port: int | None = None) -> Proxy:
        """Put a proxy before a server (`host:port`). Raises TouchstoneError where the name or the port is taken."""
        proxy = Proxy(self._http, name, port or free_port())
        wanted = {"name": name, "listen": proxy.address, "upstream": upstream, "enabled": True}
        _checked(self._http.post("/proxies", json=wanted))
        _checked(self._http.post(f"/proxies/{name}/toxics", json=_RESET))
        return proxy

    def close(self) -> None:
        """Stop the server for good."""
        try:
            self.stop()
        finally:
            self._http.close()

    def _launch(self) -> Child:
        command = [self._program, "-host", "127.0.0.1", "-port", str(self.port)]
        return Child(command, home=self.home, log=self.home / "toxiproxy.log")

    def _ready(self) -> bool:
        try:
            return self._http.get("/version").is_success
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def toxiproxy(home: Path, port: int | None = None) -> Iterator[Toxiproxy]:
    """Run Toxiproxy. Raises Absent where there is none."""
    server = Toxiproxy(home, port or free_port())
    try:
        server.start()
        yield server
    finally:
        server.close()


def _checked(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise TouchstoneError(
            f"Toxiproxy refused {answer.request.method} {answer.request.url.path}: {answer.text.strip()}"
        )
