"""Each alert's link opens a panel that is there, chooses what can be chosen there, and shows what the alert asks."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts import runbooks, texts
from alerts.catalogue import alerts
from alerts.promql import metrics
from alerts.settings import default_settings
from alerts.texts import rendered, words
from collectors.promise import load_promise
from dashboards.building import documents
from dashboards.command import build_files
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.model import Alert

PROMISE: Final = load_promise()
DOCUMENTS: Final = documents(PROMISE)
ALERTS: Final = {alert.name: alert for alert in alerts(PROMISE)}
LINKS: Final = default_settings().links
# What has no stage, segment or process: a limit that is drawn beside.
HOUSE_WIDE: Final = {"touchstone_stage_effect_minimum_ratio"}
LABELS: Final = re.compile(r"\$labels\.(\w+)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dashboards as they are written now, be they committed or not."""
    home = tmp_path_factory.mktemp("dashboards")
    build_files(PROMISE, home)
    return home


@pytest.fixture(autouse=True)
def _linked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "DASHBOARDS", folder)


def opened(alert: Alert, labels: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Return the dashboard and the panel that an alert's link opens, and the variables that it chooses."""
    link = urlsplit(rendered(words(alert, LINKS)["dashboard_url"], labels))
    chosen = {name: value for name, [value] in parse_qs(link.query, keep_blank_values=True).items()}
    document = DOCUMENTS[link.path.removeprefix("/d/")]
    number = int(chosen.pop("viewPanel"))
    [panel] = [one for one in document["panels"] if one["id"] == number]
    return document, panel, {name.removeprefix("var-"): value for name, value in chosen.items()}


def shown(panel: dict[str, Any]) -> set[str]:
    """Return the metrics that a panel reads."""
    asked = (re.sub(r"\$\w+", "1m", target.get("expr", "")) for target in panel["targets"])
    return {name for expr in asked for name in metrics(expr)}


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_a_link_opens_the_panel_that_the_alert_names(alert: Alert) -> None:
    labels = {name: f"a {name}'s + value" for name in LABELS.findall(f"{alert.summary} {alert.description}")}
    document, panel, chosen = opened(alert, labels)
    assert (document["uid"], panel["title"]) == (alert.dashboard, alert.panel)
    assert chosen.items() <= labels.items()


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_a_link_chooses_whatever_the_alert_names_and_the_dashboard_offers_and_nothing_else(alert: Alert) -> None:
    named = dict.fromkeys(LABELS.findall(f"{alert.summary} {alert.description}"), "x")
    document, panel, chosen = opened(alert, named)
    offered = {one["name"] for one in document["templating"]["list"]}
    assert chosen.keys() == named.keys() & offered
    asked = " ".join(target.get("expr", "") for target in panel["targets"])
    assert {name for name in named if f"${name}" in asked} <= chosen.keys()


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_a_panel_reads_what_its_alert_reads(alert: Alert) -> None:
    """The Watchdog reads nothing: it fires always."""
    _, panel, _ = opened(alert, {})
    assert shown(panel) & metrics(alert.expr) or alert.name == "Watchdog"


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_what_a_link_chooses_is_what_its_panel_shows(alert: Alert) -> None:
    """Every query of what the alert reads asks for the stage, the segment, the process that the link names."""
    _, panel, chosen = opened(alert, dict.fromkeys(LABELS.findall(f"{alert.summary} {alert.description}"), "x"))
    for target in panel["targets"]:
        read = metrics(re.sub(r"\$\w+", "1m", target.get("expr", ""))) - HOUSE_WIDE
        if read & metrics(alert.expr):
            assert {name for name in chosen if f'"${name}"' not in target["expr"]} == set()


def test_where_one_value_is_chosen_at_a_time_it_is_that_of_the_whole_house_at_first() -> None:
    """So an alert about all orders, whose link names no segment, opens the line that it speaks of."""
    for uid in ("touchstone-executive", "touchstone-operations"):
        [segment] = [one for one in DOCUMENTS[uid]["templating"]["list"] if one["name"] == "segment"]
        assert (segment["multi"], segment["current"]["value"]) == (False, "all")


def test_whatever_is_watched_can_be_chosen_among_the_services() -> None:
    """Not only what answers requests: a broker or a database that runs out of files has an alert as well."""
    found = {one["name"]: one for one in DOCUMENTS["touchstone-services"]["templating"]["list"]}
    assert found["job"]["query"]["query"] == "label_values(up, job)"
    assert found["instance"]["query"]["query"] == 'label_values(up{job=~"$job"}, instance)'


def test_an_alert_about_one_process_opens_that_one() -> None:
    labels = {"job": "prometheus", "instance": "p:9090"}
    _, panel, chosen = opened(ALERTS["MemoryHigh"], labels)
    assert (panel["title"], chosen) == ("Memory", labels)


def test_a_runbook_leads_to_the_same_panel() -> None:
    page = runbooks.pages([ALERTS["PromiseSegmentAtRisk"]], LINKS)["promise-segment-at-risk.md"]
    assert "(http://127.0.0.1:3000/d/touchstone-executive?viewPanel=12), a panel of `touchstone-executive`" in page


def test_a_panel_that_is_not_committed_yet_leaves_the_link_to_its_dashboard() -> None:
    """Whoever gives an alert a new panel builds the dashboards first; till then no build of rules breaks."""
    slow = replace(ALERTS["StageSlow"], panel="Not there yet")
    assert words(slow, LINKS)["dashboard_url"].endswith("-operations?var-stage={{ $labels.stage | urlquery }}")
    lost = replace(ALERTS["OrdersLost"], panel="Not there yet")
    assert words(lost, LINKS)["dashboard_url"].endswith("/d/touchstone-operations")


@pytest.mark.parametrize("name", ["grafana", "collector", "prometheus"])
def test_a_slash_at_the_end_of_an_address_makes_no_second_one(name: str) -> None:
    slashed = LINKS.model_copy(update={name: f"{getattr(LINKS, name)}/"})
    for alert in ALERTS.values():
        assert words(alert, slashed) == words(alert, LINKS)
    assert runbooks.pages([ALERTS["PriceWaits"]], slashed) == runbooks.pages([ALERTS["PriceWaits"]], LINKS)


@pytest.mark.parametrize("name", ["grafana", "collector", "prometheus", "runbooks"])
def test_an_address_that_prometheus_would_read_as_a_template_is_refused(name: str) -> None:
    odd = LINKS.model_copy(update={name: "http://g/{{ x }}"})
    with pytest.raises(BadInput, match=rf"^links\.{name}: `http://g/{{{{ x }}}}` holds `{{{{`, which Prometheus reads"):
        [words(alert, odd) for alert in ALERTS.values()]
