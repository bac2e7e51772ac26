"""What `touchstone dashboards build|check|publish` do; each returns what is to be shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dashboards.building import GENERATED, build, documents
from dashboards.checking import problems
from dashboards.publishing import Publisher, connect
from dashboards.sources import sources
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from collectors.promise import PromiseFile
    from dashboards.publishing import Grafana, Published
    from dashboards.settings import Settings


def build_files(promise: PromiseFile, folder: Path = GENERATED) -> str:
    """Write all files of a promise into a folder, and take away dashboards that are none any more."""
    files = build(promise)
    folder.mkdir(parents=True, exist_ok=True)
    old = [path for path in folder.glob("touchstone-*.json") if path.name not in files]
    for path in old:
        path.unlink()
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return f"{folder}: {_boards(files)} dashboards of `{promise.name}`, their data sources and the way to both"


def check_files(promise: PromiseFile, folder: Path = GENERATED) -> str:
    """Compare the files in a folder with what the promise makes of them, and check every dashboard. Raises BadInput."""
    files = build(promise)
    wrong = problems(documents(promise))
    for name, content in files.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{path} is not there")
        elif path.read_text(encoding="utf-8") != content:
            wrong.append(f"{path} is not what the promise makes of it")
    wrong += [f"{path} is no dashboard of ours" for path in folder.glob("*.json") if path.name not in files]
    if wrong:
        raise BadInput("; ".join([*wrong, "`touchstone dashboards build` writes them anew"]))
    count = sum(len(json.loads(content)["panels"]) for name, content in files.items() if name.endswith(".json"))
    return f"{folder}: {_boards(files)} dashboards with {count} panels are as the promise makes them"


def publish(
    promise: PromiseFile,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    overwrite: bool = False,
    client: Grafana | None = None,
) -> str:
    """Publish all dashboards and data sources of a promise to a Grafana. Raises BadInput or TouchstoneError."""
    client = client or connect(settings.url, settings.secret(), settings.timeout_s)
    publisher = Publisher(client, settings.url)
    return summary(publisher.publish(documents(promise), sources(), environment, overwrite=overwrite), settings.url)


def summary(done: Published, address: str) -> str:
    """Say what publishing did."""
    lines = [
        f"{address}: {len(done.made)} made, {len(done.changed)} changed, {len(done.unchanged)} as they were",
        *(f"left alone: {uid}, because {' and '.join(names)} is not set" for uid, names in done.skipped.items()),
    ]
    return "\n".join(lines)


def _boards(files: Mapping[str, str]) -> int:
    return sum(name.endswith(".json") for name in files)
