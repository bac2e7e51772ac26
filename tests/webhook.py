"""Who Alertmanager notifies in tests: a webhook that remembers what it was told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Webhook:
    """Notifications as they came: documents of Alertmanager's webhook, version 4."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.came: list[dict[str, Any]] = []
        self._news = threading.Condition()

    def take(self, document: dict[str, Any]) -> None:
        """Remember a notification."""
        with self._news:
            self.came.append(document)
            self._news.notify_all()

    def alerts(self, name: str, status: str) -> list[dict[str, Any]]:
        """Return the alerts of a name that came as ``firing`` or ``resolved``, the earliest first."""
        every = [alert for document in list(self.came) for alert in document["alerts"]]
        return [alert for alert in every if alert["labels"]["alertname"] == name and alert["status"] == status]

    def wait_for(self, name: str, status: str, seconds: float = 60) -> dict[str, Any]:
        """Return the first such alert, once there is one. Raises TimeoutError, with what came instead."""
        self.wait_until(lambda: bool(self.alerts(name, status)), f"{name} {status}", seconds)
        return self.alerts(name, status)[0]

    def wait_until(self, true: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait for notifications until something is so. Raises TimeoutError, with what came instead."""
        until = time.monotonic() + seconds
        with self._news:
            while not true():
                if not self._news.wait(until - time.monotonic()):
                    came = [(alert["labels"], alert["status"]) for one in self.came for alert in one["alerts"]]
                    raise TimeoutError(f"no {what} within {seconds:.0f} s; came: {came}")


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Listen on loopback for Alertmanager's notifications."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            hook.take(json.loads(body))

        def log_message(self, *_: object) -> None:
            """Say nothing: what came is remembered."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(f"http://127.0.0.1:{server.server_address[1]}/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


def notifying(hook: Webhook, **route: str) -> Mapping[str, Any]:
    """Return an Alertmanager configuration that tells a webhook of everything, at once, and of ends too."""
    at_once = {"receiver": "hook", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    receiver = {"name": "hook", "webhook_configs": [{"url": hook.url, "send_resolved": True}]}
    return {"route": at_once | route, "receivers": [receiver]}
