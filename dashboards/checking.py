"""What must be true of every dashboard: grid, ids, units, descriptions, variables. Each finding is one sentence."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.models import units

from dashboards.conventions import SOURCES, TAG
from dashboards.layout import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Document = Mapping[str, Any]

# Grafana's own list of unit ids, as its SDK has it (generated from @grafana/data, valueFormats/categories).
UNITS: Final = frozenset(value for value in vars(units).values() if isinstance(value, str))
# Variables that Grafana itself knows.
_BUILT_IN: Final = re.compile(r"^__")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?:[:.][^}]*)?\}|(\w+))")


def problems(documents: Mapping[str, Document]) -> list[str]:
    """Return what is wrong with some dashboards; nothing where all is well."""
    found = [f"{uid}: {problem}" for uid, document in documents.items() for problem in _of_one(document)]
    titles = Counter(document["title"] for document in documents.values())
    return found + [f"{title}: two dashboards have this title" for title, count in titles.items() if count > 1]


def _of_one(document: Document) -> Iterator[str]:
    panels = document["panels"]
    if document["tags"] != [TAG]:
        yield f"its tags are {document['tags']}; it must have {TAG} alone"
    if len(document["uid"]) > 40:
        yield "its uid is longer than Grafana's 40 characters"
    if not all(link.get("keepTime") and link.get("includeVars") for link in document["links"]):
        yield "a link loses the time or the variables"
    yield from _ids(panels)
    yield from _grid(panels)
    yield from _variables(document)
    yield from _compared(document)
    for panel in panels:
        yield from (f"panel {panel['id']} ({panel['title']}): {problem}" for problem in _panel(panel))


def _ids(panels: list[Document]) -> Iterator[str]:
    counts = Counter(panel.get("id") for panel in panels)
    yield from (f"{count} panels have the id {number}" for number, count in counts.items() if count > 1 or not number)
    titles = Counter(panel["title"] for panel in panels)
    yield from (f"{count} panels are called {title}" for title, count in titles.items() if count > 1)


def _grid(panels: list[Document]) -> Iterator[str]:
    """Every cell of every row is covered once: rows add up to 24 columns, and nothing overlaps."""
    cells: Counter[tuple[int, int]] = Counter()
    for panel in panels:
        place = panel["gridPos"]
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells.update((x, y) for x in columns for y in lines)
    height = max((y for _, y in cells), default=-1) + 1
    wanted = {(x, y) for x in range(COLUMNS) for y in range(height)}
    if doubled := [cell for cell, count in cells.items() if count > 1]:
        yield f"panels overlap at column {doubled[0][0]}, line {doubled[0][1]}"
    if empty := sorted(wanted - cells.keys()):
        yield f"nothing is at column {empty[0][0]}, line {empty[0][1]}"
    if beyond := sorted(cells.keys() - wanted):
        yield f"a panel reaches to column {beyond[0][0]}; the grid has {COLUMNS}"


def _variables(document: Document) -> Iterator[str]:
    """Each variable that a query names exists, and stands before those that depend on it; each data source is one."""
    known: set[str] = set()
    for variable in document["templating"]["list"]:
        asked = str(variable.get("query", "")) + str(variable.get("datasource", ""))
        yield from (f"variable {variable['name']} asks for {name} before it is chosen" for name in named(asked) - known)
        known.add(variable["name"])
    for panel in document["panels"]:
        used = set().union(*(named(text) for text in texts([panel["targets"], panel.get("datasource")])))
        used |= set().union(*(named(address) for address in _addresses(panel)))
        yield from (f"panel {panel['id']} asks for {name}, which nobody chooses" for name in used - known)
    kinds = {source.variable: source.kind for source in SOURCES}
    for variable in document["templating"]["list"]:
        if variable["type"] == "datasource" and kinds.get(variable["name"]) != variable["query"]:
            yield f"variable {variable['name']} chooses a data source of another kind"


def _compared(document: Document) -> Iterator[str]:
    """Grafana escapes a value for a regular expression only where several can be chosen; there, `=` would find none."""
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            wrong = f'{"=" if variable["multi"] else "=~"}"${variable["name"]}"'
            for panel in document["panels"]:
                if any(wrong in target.get("expr", "") for target in panel["targets"]):
                    yield f"panel {panel['id']} compares by {wrong}, which is wrong for what can be chosen"


def _addresses(panel: Document) -> Iterator[str]:
    """Yield the addresses that values link to."""
    properties = [one for override in panel["fieldConfig"]["overrides"] for one in override["properties"]]
    linked = [one["value"] for one in properties if one["id"] == "links"]
    for links in (panel["fieldConfig"]["defaults"].get("links") or [], *linked):
        yield from (link["url"] for link in links)


def _panel(panel: Document) -> Iterator[str]:
    if len(panel.get("description") or "") < 20:
        yield "it does not say what it means"
    defaults = panel["fieldConfig"]["defaults"]
    shown = [defaults, *({p["id"]: p.get("value") for p in o["properties"]} for o in panel["fieldConfig"]["overrides"])]
    for config in shown:
        unit = config.get("unit")
        if unit is not None and unit not in UNITS:
            yield f"Grafana knows no unit {unit}"
    if "unit" not in defaults:
        yield "it names no unit"
    steps = defaults["thresholds"]["steps"]
    values = [step["value"] for step in steps]
    if values[0] is not None or values[1:] != sorted(values[1:]):
        yield "its limits do not ascend from nothing"
    if defaults.get("noValue") in (None, "", "0"):
        yield "it shows nothing as if it were a value"
    refs = Counter(target["refId"] for target in panel["targets"])
    if max(refs.values(), default=1) > 1:
        yield "two of its queries have one name"
    yield from _queries(panel["targets"])


def _queries(targets: Iterable[Document]) -> Iterator[str]:
    for target in targets:
        if re.search(r"\bvector\(\s*0\s*\)|\babsent\(", target.get("expr", "")):
            yield f"query {target['refId']} makes a number of nothing"
        if not (target.get("datasource") or {}).get("uid", "").startswith("${"):
            yield f"query {target['refId']} does not ask the chosen data source"
        for found in re.finditer(r"\$\{?(\w+)(:\w+)?", target.get("rawSql", "")):
            if not _BUILT_IN.match(found[1]) and found[2] != ":sqlstring":
                yield f"query {target['refId']} puts {found[1]} into SQL unquoted"


def named(text: str) -> set[str]:
    """Return the variables that a text names, Grafana's own left out."""
    names = {match[1] or match[2] for match in _VARIABLE.finditer(text)}
    return {name for name in names if not _BUILT_IN.match(name)}


def texts(value: Any) -> Iterator[str]:
    """Yield every text within a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for inner in value.values() for text in texts(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in texts(inner))
