"""Publishing through Grafana's HTTP API: folder, data sources, dashboards; the second time changes nothing.

What is asked of the client is what `grafana-api` and its successor `grafana-client` both have.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from dashboards.conventions import FOLDER, FOLDER_UID
from dashboards.sources import resolved
from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MESSAGE: Final = "touchstone dashboards publish"
# What Grafana itself writes into a dashboard that it stores.
_ITS_OWN: Final = ("id", "version")


class Folders(Protocol):
    """What is asked about folders."""

    def get_folder(self, uid: str) -> Any:
        """Return a folder."""

    def create_folder(self, title: str, uid: str) -> Any:
        """Make a folder."""


class Datasources(Protocol):
    """What is asked about data sources."""

    def list_datasources(self) -> Any:
        """Return all data sources."""

    def create_datasource(self, datasource: dict[str, Any]) -> Any:
        """Make a data source."""

    def update_datasource(self, datasource_id: int, datasource: dict[str, Any]) -> Any:
        """Change a data source."""


class Dashboards(Protocol):
    """What is asked about dashboards."""

    def get_dashboard(self, dashboard_uid: str) -> Any:
        """Return a dashboard."""

    def update_dashboard(self, dashboard: dict[str, Any]) -> Any:
        """Make or change a dashboard."""


class Grafana(Protocol):
    """The client of Grafana's API."""

    folder: Folders
    datasource: Datasources
    dashboard: Dashboards


@dataclass
class Published:
    """What publishing did, by the uids of what it did it to. ``skipped``: data sources, with what is not set."""

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)


def connect(url: str, token: str, timeout_s: float) -> Grafana:
    """Return a client of the Grafana at an address. Raises BadInput where that is none."""
    from grafana_api.grafana_face import GrafanaFace  # type: ignore[import-untyped]  # it has no types

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput(f"{url} is no address of a Grafana; it begins with http:// or https://")
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    prefix = parts.path.strip("/")
    client: Grafana = GrafanaFace(
        auth=token,
        host=host,
        port=parts.port,
        protocol=parts.scheme,
        url_path_prefix=f"{prefix}/" if prefix else "",
        timeout=timeout_s,
    )
    return client


@dataclass(frozen=True)
class Publisher:
    """Publishes to one Grafana. ``address``: what failures call it."""

    client: Grafana
    address: str

    def publish(
        self,
        dashboards: Mapping[str, dict[str, Any]],
        datasources: Sequence[dict[str, Any]],
        environment: Mapping[str, str],
        *,
        overwrite: bool = False,
    ) -> Published:
        """Make Grafana hold the folder, the data sources and the dashboards.

        A data source whose address is not in the environment is left alone. ``overwrite``: win against whoever
        changes a dashboard meanwhile. Raises BadInput where Grafana refuses who or what we are, TouchstoneError where
        it cannot be reached or fails.
        """
        done = Published()
        with self._failing("the folder"):
            self._folder(done)
        with self._failing("the data sources"):
            known = {one["uid"]: one for one in self.client.datasource.list_datasources()}
        for template in datasources:
            with self._failing(f"the data source {template['name']}"):
                self._datasource(template, known.get(template["uid"]), environment, done)
        for uid, document in dashboards.items():
            with self._failing(f"the dashboard {uid}"):
                self._dashboard(uid, document, done, overwrite=overwrite)
        return done

    def _folder(self, done: Published) -> None:
        if self._found(lambda: self.client.folder.get_folder(FOLDER_UID)) is None:
            self.client.folder.create_folder(FOLDER, FOLDER_UID)
            done.made.append(FOLDER_UID)

    def _datasource(
        self,
        template: dict[str, Any],
        known: dict[str, Any] | None,
        environment: Mapping[str, str],
        done: Published,
    ) -> None:
        wanted, missing = resolved(template, environment)
        if missing:
            done.skipped[template["uid"]] = sorted(set(missing))
        elif known is None:
            self.client.datasource.create_datasource(wanted)
            done.made.append(template["uid"])
        else:
            # Always: Grafana never tells a password, so nobody can see whether it is another one.
            self.client.datasource.update_datasource(known["id"], wanted)
            (done.unchanged if _holds(known, wanted) else done.changed).append(template["uid"])

    def _dashboard(self, uid: str, document: dict[str, Any], done: Published, *, overwrite: bool) -> None:
        there = self._found(lambda: self.client.dashboard.get_dashboard(uid))
        stored = None if there is None else there["dashboard"]
        if stored is not None and _bare(stored) == document and there["meta"].get("folderUid") == FOLDER_UID:
            done.unchanged.append(uid)
            return
        version = {} if stored is None else {"version": stored["version"]}
        body = {"dashboard": {**document, **version, "id": None if stored is None else stored.get("id")}}
        self.client.dashboard.update_dashboard(
            {**body, "folderUid": FOLDER_UID, "message": MESSAGE, "overwrite": overwrite}
        )
        (done.made if stored is None else done.changed).append(uid)

    @staticmethod
    def _found(ask: Any) -> Any:
        try:
            return ask()
        except _failure() as error:
            if error.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise

    @contextlib.contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except _failure() as error:
            raise self._refusal(what, error.status_code, _said(error)) from error
        except OSError as error:  # the base of all of requests' errors
            raise TouchstoneError(f"Grafana at {self.address} cannot be reached, or does not answer as one") from error

    def _refusal(self, what: str, status: int, said: str) -> TouchstoneError:
        if status == HTTPStatus.UNAUTHORIZED:
            return BadInput(
                f"Grafana at {self.address} does not take the token; it may be expired or of another Grafana"
            )
        if status == HTTPStatus.FORBIDDEN:
            return BadInput(
                f"the token may not publish {what} at {self.address}; its service account needs the role Admin"
            )
        if status == HTTPStatus.PRECONDITION_FAILED:
            return TouchstoneError(
                f"{what} was changed in Grafana at this very moment, or something else has its name ({said});"
                " publish again, or with --overwrite"
            )
        return TouchstoneError(f"Grafana at {self.address} refused {what} with {status}: {said}")


def _failure() -> Any:
    """Return what the client raises where Grafana refuses; imported late, as the client itself."""
    from grafana_api.grafana_api import GrafanaException  # type: ignore[import-untyped]  # it has no types

    return GrafanaException


def _said(error: Any) -> str:
    response = error.response
    return str(response.get("message") or response) if isinstance(response, dict) else str(response)[:300]


def _bare(dashboard: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in dashboard.items() if key not in _ITS_OWN}


def _holds(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that can be seen of a data source is as wanted."""
    return all(known.get(key) == value for key, value in wanted.items() if key != "secureJsonData")
