"""Publishing to Grafana's API. No Grafana server is at hand: a stub speaks the API as Grafana 11 documents it.

https://grafana.com/docs/grafana/v11.6/developers/http_api/: folder, data_source, dashboard. What the stub does not do
is look at dashboards: whether Grafana shows them is for the other tests, and for the check in docs/dashboards.md.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr

from collectors.promise import load_promise
from dashboards.building import documents
from dashboards.command import publish
from dashboards.publishing import Publisher, connect
from dashboards.settings import Settings
from dashboards.sources import sources
from instrumentation.errors import BadInput, TouchstoneError
from tests.parts import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROMISE: Final = load_promise()
TOKEN: Final = "glsa_test"  # noqa: S105 - the stub's
ENVIRONMENT: Final = {
    "TOUCHSTONE_GRAFANA_PROMETHEUS": "http://prometheus:9090",
    "TOUCHSTONE_GRAFANA_COLLECTOR": "postgres:5432",
    "TOUCHSTONE_GRAFANA_COLLECTOR_DATABASE": "collector",
    "TOUCHSTONE_GRAFANA_USER": "grafana",
    "TOUCHSTONE_GRAFANA_PASSWORD": "a secret",
    "TOUCHSTONE_GRAFANA_SSLMODE": "disable",
}
Answer = tuple[int, Any]


@dataclass
class Stub:
    """What a Grafana keeps, and how it answers."""

    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasources: list[dict[str, Any]] = field(default_factory=list)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    may: frozenset[str] = frozenset({"folders", "datasources", "dashboards"})
    meanwhile: Callable[[], None] | None = None

    def answer(self, method: str, path: str, authorization: str | None, body: Any) -> Answer:
        """Answer a request as Grafana does."""
        self.calls.append(f"{method} {path}")
        if authorization != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        what = path.removeprefix("/api/").split("/")[0]
        if what not in self.may and method != "GET":
            return 403, {"message": "You'll need additional permissions to perform this action."}
        return {"folders": self._folders, "datasources": self._datasources, "dashboards": self._dashboards}[what](
            method, path, body
        )

    def _folders(self, method: str, path: str, body: Any) -> Answer:
        if method == "POST":
            if body["uid"] in self.folders:
                return 412, {"status": "name-exists", "message": "a folder with the same UID already exists"}
            self.folders[body["uid"]] = {**body, "id": len(self.folders) + 1, "version": 1}
            return 200, self.folders[body["uid"]]
        found = self.folders.get(path.rpartition("/")[2])
        return (200, found) if found else (404, {"message": "folder not found", "status": "not-found"})

    def _datasources(self, method: str, path: str, body: Any) -> Answer:
        if method == "GET":
            return 200, self.datasources
        if method == "POST":
            if any(body["name"] == one["name"] for one in self.datasources):
                return 409, {"message": "data source with the same name already exists"}
            self.datasources.append(_kept(body, len(self.datasources) + 1))
            return 200, {"datasource": body, "id": len(self.datasources), "message": "Datasource added"}
        number = int(path.rpartition("/")[2])
        self.datasources[number - 1] = _kept(body, number)
        return 200, {"datasource": body, "id": number, "message": "Datasource updated"}

    def _dashboards(self, method: str, path: str, body: Any) -> Answer:
        if method == "GET":
            found = self.dashboards.get(path.rpartition("/")[2])
            return (200, found) if found else (404, {"message": "Dashboard not found"})
        if self.meanwhile:
            self.meanwhile()
        uid = body["dashboard"]["uid"]
        known = self.dashboards.get(uid)
        if known and not body["overwrite"] and body["dashboard"].get("version") != known["dashboard"]["version"]:
            message = "The dashboard has been changed by someone else"
            return 412, {"status": "version-mismatch", "message": message}
        number, version = (
            (known["dashboard"]["id"], known["dashboard"]["version"]) if known else (len(self.dashboards), 0)
        )
        stored = {**body["dashboard"], "id": number, "version": version + 1}
        self.dashboards[uid] = {"dashboard": stored, "meta": {"folderUid": body["folderUid"], "slug": uid}}
        return 200, {"id": number, "uid": uid, "status": "success", "version": version + 1}


def _kept(body: Any, number: int) -> dict[str, Any]:
    """Return a data source as Grafana tells it: it never tells secrets, only which there are."""
    secrets = dict.fromkeys(body.get("secureJsonData", {}), True)
    return {**{k: v for k, v in body.items() if k != "secureJsonData"}, "id": number, "secureJsonFields": secrets}


@pytest.fixture
def stub() -> Iterator[tuple[Stub, str]]:
    """Run a stub; the fixture is the stub and its address."""
    grafana = Stub()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, said = grafana.answer(self.command, self.path, self.headers.get("authorization"), body)
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _handle  # noqa: N815 - names that http.server asks for

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield grafana, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def settings(url: str, token: str = TOKEN) -> Settings:
    """Return settings."""
    return Settings(url=url, token=SecretStr(token), timeout_s=5)


def test_everything_is_published_and_a_second_time_changes_nothing(stub: tuple[Stub, str]) -> None:
    """Folder, data sources whose addresses are known, nine dashboards; then not one dashboard is sent again."""
    grafana, url = stub
    said = publish(PROMISE, settings(url), ENVIRONMENT)
    assert said.startswith(f"{url}: 12 made, 0 changed, 0 as they were")
    assert "left alone: touchstone-traces, because TOUCHSTONE_GRAFANA_TRACES is not set" in said
    assert grafana.folders["touchstone"]["title"] == "Touchstone"
    assert {one["uid"] for one in grafana.datasources} == {"touchstone-prometheus", "touchstone-collector"}
    assert grafana.datasources[1]["secureJsonFields"] == {"password": True}
    assert grafana.datasources[1]["url"] == "postgres:5432"
    assert {one["meta"]["folderUid"] for one in grafana.dashboards.values()} == {"touchstone"}
    grafana.calls.clear()
    assert publish(PROMISE, settings(url), ENVIRONMENT).startswith(f"{url}: 0 made, 0 changed, 11 as they were")
    assert [call for call in grafana.calls if call.startswith("POST")] == []
    assert {one["dashboard"]["version"] for one in grafana.dashboards.values()} == {1}


def test_what_was_changed_by_hand_is_put_right_as_a_new_version(stub: tuple[Stub, str]) -> None:
    grafana, url = stub
    publish(PROMISE, settings(url), ENVIRONMENT)
    touched = grafana.dashboards["touchstone-sales"]["dashboard"]
    touched["title"], touched["version"] = "Sales (Ann's)", 7
    grafana.datasources[0]["url"] = "http://elsewhere"
    grafana.dashboards["touchstone-bus"]["meta"]["folderUid"] = "general"
    assert publish(PROMISE, settings(url), ENVIRONMENT).startswith(f"{url}: 0 made, 3 changed, 8 as they were")
    assert grafana.dashboards["touchstone-sales"]["dashboard"]["version"] == 8
    assert grafana.dashboards["touchstone-sales"]["dashboard"]["title"] == "Sales: orders at risk"
    assert grafana.datasources[0]["url"] == "http://prometheus:9090"
    assert grafana.dashboards["touchstone-bus"]["meta"]["folderUid"] == "touchstone"


def test_who_changes_a_dashboard_at_the_same_moment_is_not_overwritten_unasked(stub: tuple[Stub, str]) -> None:
    """Grafana's 412 becomes a sentence that names the way out; with overwrite we win."""
    grafana, url = stub
    publish(PROMISE, settings(url), ENVIRONMENT)
    mine = grafana.dashboards["touchstone-sales"]["dashboard"]
    mine["title"] = "Sales (Ann's)"

    def save_again() -> None:
        mine["version"] += 1

    grafana.meanwhile = save_again
    with pytest.raises(
        TouchstoneError, match=r"touchstone-sales was changed in Grafana at this very moment.*--overwrite"
    ):
        publish(PROMISE, settings(url), ENVIRONMENT)
    assert grafana.dashboards["touchstone-sales"]["dashboard"]["title"] == "Sales (Ann's)"
    publish(PROMISE, settings(url), ENVIRONMENT, overwrite=True)
    assert grafana.dashboards["touchstone-sales"]["dashboard"]["title"] == "Sales: orders at risk"


def test_a_wrong_token_is_one_sentence(stub: tuple[Stub, str]) -> None:
    _, url = stub
    with pytest.raises(BadInput, match="does not take the token") as refused:
        publish(PROMISE, settings(url, "glsa_other"), ENVIRONMENT)
    assert refused.value.exit_code == 2


def test_a_missing_token_says_how_to_get_one() -> None:
    with pytest.raises(BadInput, match="set TOUCHSTONE_GRAFANA_TOKEN to that of a service account"):
        publish(PROMISE, Settings(token=None), ENVIRONMENT)


@pytest.mark.parametrize(
    ("may", "what"),
    [({"dashboards"}, "the folder"), ({"folders"}, "the data source Touchstone Prometheus")],
)
def test_a_token_without_the_right_names_what_it_may_not(stub: tuple[Stub, str], may: set[str], what: str) -> None:
    grafana, url = stub
    grafana.may = frozenset(may)
    with pytest.raises(BadInput, match=f"the token may not publish {what} at"):
        publish(PROMISE, settings(url), ENVIRONMENT)


def test_a_grafana_that_fails_or_is_none_is_one_sentence(
    stub: tuple[Stub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 500 with Grafana's words, a web page in place of JSON, nobody at the address."""
    grafana, url = stub
    monkeypatch.setattr(grafana, "answer", lambda *_: (500, {"message": "database is locked"}))
    with pytest.raises(TouchstoneError, match="refused the folder with 500: database is locked"):
        publish(PROMISE, settings(url), ENVIRONMENT)
    monkeypatch.setattr(grafana, "answer", lambda *_: (200, b"<html>Sign in</html>"))
    with pytest.raises(TouchstoneError, match="cannot be reached, or does not answer as one"):
        publish(PROMISE, settings(url), ENVIRONMENT)
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TouchstoneError, match=f"Grafana at {nobody} cannot be reached"):
        publish(PROMISE, settings(nobody), ENVIRONMENT)


def test_an_address_may_have_a_path_and_must_be_one(stub: tuple[Stub, str]) -> None:
    """Grafana behind a path of a proxy; what is no address is refused before anything is sent."""
    grafana, url = stub
    client = connect(f"{url}/grafana/", TOKEN, 5)
    with pytest.raises(KeyError):
        grafana.answer("GET", "/grafana/api/folders/touchstone", f"Bearer {TOKEN}", None)
    assert client.api.url == f"{url}/grafana/api"  # type: ignore[attr-defined]
    for wrong in ("grafana.example", "ftp://grafana.example", "http://"):
        with pytest.raises(BadInput, match="is no address of a Grafana"):
            connect(wrong, TOKEN, 5)


def test_no_secret_is_in_what_is_said(stub: tuple[Stub, str]) -> None:
    _, url = stub
    done = Publisher(connect(url, TOKEN, 5), url).publish(documents(PROMISE), sources(), ENVIRONMENT)
    said = publish(PROMISE, settings(url), ENVIRONMENT)
    assert "a secret" not in said + repr(done)
    assert TOKEN not in said + repr(settings(url))
