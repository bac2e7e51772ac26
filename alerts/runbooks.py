"""Runbooks: a page an alert. Its facts and links are built from the rule; what people know is written by hand."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from alerts.model import Cause, Severity
from alerts.texts import graph_url, orders_url, panel_url, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alerts.model import Alert
    from alerts.settings import Links

_ROOT: Final = Path(__file__).parents[1]
PAGES: Final = _ROOT / "docs" / "runbooks"
INDEX: Final = "README.md"
FACTS: Final = "facts"
LOOK: Final = "look"
ALL: Final = "index"
# What each page must say, in this order; LOOK stands under the one that is called so.
SECTIONS: Final = ("What it means", "Who is hurt", "Look here", "Do this", "Verify", "Escalate")
_BEGIN: Final = "<!-- {}: from the rule; `touchstone alerts build` writes it -->\n"
_END: Final = "<!-- {}: to here -->\n"
_MUTED: Final = {
    Cause.MAINTENANCE: "a [maintenance window](maintenance.md) is open",
    Cause.SAME_JOB: "its own job is [down](service-down.md)",
    Cause.MES: "the MES is [down](service-down.md)",
    Cause.VENDOR: "the vendor's journal [cannot be read](vendor-silent.md)",
    Cause.OWNER: "the service that owns the stage is [down](service-down.md)",
    Cause.BROKER: "the broker is [down](service-down.md) or [raised an alarm](broker-alarm.md)",
    Cause.COLLECTOR: "the collector is [down](service-down.md)",
    Cause.PRICING: "all pricing workers are [down](service-down.md)",
}
_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+)(?: \| urlquery)? \}\}")


def pages(alerts: Sequence[Alert], links: Links, folder: Path = PAGES) -> dict[str, str]:
    """Return every page, and the index, by file name: what is there, with what is built brought up to date.

    An alert without a page gets one whose sections are empty, for somebody to fill.
    """
    found = {Path(alert.runbook).name: _page(alert, links, folder) for alert in alerts}
    index = folder / INDEX
    there = index.read_text(encoding="utf-8") if index.exists() else f"# Runbooks\n{_passage(ALL, '')}"
    return {**found, INDEX: _renewed(there, ALL, _index(alerts))}


def complaints(alerts: Sequence[Alert], links: Links, folder: Path = PAGES) -> Iterator[str]:
    """Yield what is wrong with the pages of a folder, a sentence each."""
    built = pages(alerts, links, folder)
    for name, text in built.items():
        path = folder / name
        if not path.exists():
            yield f"{path}: is not there; run `touchstone alerts build` and write what one must know"
        elif path.read_text(encoding="utf-8") != text:
            yield f"{path}: is not what the alert says now; run `touchstone alerts build`"
    for path in sorted(folder.glob("*.md")):
        if path.name not in built:
            yield f"{path}: no alert is called so any more; delete it"
    for alert in alerts:
        name = Path(alert.runbook).name
        for section in SECTIONS:
            if not written(built[name]).get(section):
                yield f"{folder / name}: says nothing under `{section}`"


def written(page: str) -> dict[str, str]:
    """Return what people wrote in each section of a page, without what is built."""
    plain = page
    for name in (FACTS, LOOK, ALL):
        plain = _pattern(name).sub("", plain)
    _, *sections = re.split(r"^## ", plain, flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, _, text in (section.partition("\n") for section in sections)}


def _page(alert: Alert, links: Links, folder: Path) -> str:
    path = folder / Path(alert.runbook).name
    text = path.read_text(encoding="utf-8") if path.exists() else _template(alert)
    return _renewed(_renewed(text, FACTS, _facts(alert)), LOOK, _look(alert, links))


def _template(alert: Alert) -> str:
    looking = _passage(LOOK, "")
    sections = "\n".join(f"## {name}\n{looking if name == 'Look here' else ''}" for name in SECTIONS)
    return f"# {alert.name}\n{_passage(FACTS, '')}\n{sections}"


def _passage(name: str, text: str) -> str:
    return f"{_BEGIN.format(name)}{text}{_END.format(name)}"


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(_BEGIN.format(name)) + ".*?" + re.escape(_END.format(name)), re.DOTALL)


def _renewed(page: str, name: str, text: str) -> str:
    """Return a page with one built passage replaced; where it has lost the passage, the page stays as it is."""
    return _pattern(name).sub(lambda _: _passage(name, text), page)


def _facts(alert: Alert) -> str:
    """Return who is told of what, and what keeps it quiet."""
    muted = "; ".join(_MUTED[cause] for cause in alert.muted_by)
    still = {} if alert.keep_firing_for == "0s" else {"goes on for": f"{alert.keep_firing_for} once it is over"}
    facts = {
        "told": _told(alert),
        **still,
        "muted while": muted or "nothing: it watches the watching",
        "proved by": f"`touchstone drill {alert.drill}`" if alert.drill else "the scenes of its rule",
    }
    rows = "".join(f"| {name} | {fact} |\n" for name, fact in facts.items())
    return f"**{_plain(alert.summary)}**\n\n| | |\n|---|---|\n{rows}"


def _told(alert: Alert) -> str:
    """Return whom an alert goes to, how soon, and how."""
    if alert.severity is Severity.NONE:
        return "no person: it is there for others to see"
    after = "at once" if alert.for_ == "0s" else f"once it has held for {alert.for_}"
    how = "wakes somebody" if alert.severity is Severity.PAGE else "a ticket"
    return f"{alert.owner or 'whom its label `owner` names'}, {after}; {how}"


def _plain(summary: str) -> str:
    """Return a summary or a link with labels written as the variables that the page's commands take them from."""
    return _LABEL.sub(lambda found: f"${found[1].upper()}", summary)


def _look(alert: Alert, links: Links) -> str:
    """Return where to look, and what is asked of Prometheus."""
    expr = dedent(alert.expr).strip()
    lines = [f"- [{alert.panel}]({panel_url(alert, links)}), a panel of `{alert.dashboard}`"]
    if alert.orders:
        lines.append(f"- [whom to chase]({_plain(orders_url(alert, links))}), nearest promise first")
    if alert.traces:
        lines.append(f"- [example traces]({_plain(words(alert, links)['traces_url'])})")
    lines.append(f"- [what it asks]({graph_url(expr, links)}&g0.tab=1), now:")
    return "\n".join(lines) + f"\n\n```promql\n{expr}\n```\n"


def _index(alerts: Sequence[Alert]) -> str:
    rows = [
        f"| {alert.group} | [{alert.name}]({Path(alert.runbook).name}) | {alert.severity} | {_plain(alert.summary)} |"
        for alert in alerts
    ]
    return "\n".join(["| group | alert | | says |", "|---|---|---|---|", *rows, ""])
