"""From a promise file to the files that Grafana reads: dashboards, data sources, and where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.boards import boards
from dashboards.sources import provider, provisioned

if TYPE_CHECKING:
    from collectors.promise import PromiseFile

GENERATED: Final = Path(__file__).parent / "generated"
DATASOURCES: Final = "datasources.yaml"
PROVIDER: Final = "provider.yaml"
# Where the files lie for the Grafana server: its own packages' and images' habit.
INSTALLED: Final = "/var/lib/grafana/dashboards/touchstone"
_MADE_BY: Final = "# Written by `touchstone dashboards build`; do not edit.\n"


def documents(promise: PromiseFile) -> dict[str, dict[str, Any]]:
    """Return every dashboard as JSON, by its uid."""
    encoded = (json.loads(JSONEncoder().encode(one)) for one in boards(promise))
    return {document["uid"]: document for document in encoded}


def build(promise: PromiseFile) -> dict[str, str]:
    """Return all files, by name. Raises BadInput where the promise holds what no data source can answer."""
    files = {f"{uid}.json": _json(document) for uid, document in documents(promise).items()}
    files[DATASOURCES] = _MADE_BY + yaml.safe_dump(provisioned(), sort_keys=False, width=10_000)
    files[PROVIDER] = _MADE_BY + yaml.safe_dump(provider(INSTALLED), sort_keys=False)
    return files


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
