"""When an alert fires, the panel that its link opens shows something of what the alert reads: asked of promtool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts import building, texts, tools, unit_tests
from alerts.catalogue import alerts, recordings
from alerts.promql import metrics
from alerts.settings import default_settings
from alerts.texts import rendered, words
from collectors import conventions as names
from collectors.promise import load_promise
from dashboards.building import documents
from dashboards.command import build_files
from tests.parts import promtool
from tests.unit.test_dashboards_alerts import HOUSE_WIDE

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.model import Alert, Firing, Scene

PROMISE: Final = load_promise()
DOCUMENTS: Final = documents(PROMISE)
ALERTS: Final = {alert.name: alert for alert in alerts(PROMISE)}
LINKS: Final = default_settings().links
# One reads nothing; the other fires because there is nothing to show.
WITHOUT_FIGURES: Final = {"Watchdog", "SignalsMissing"}


@pytest.fixture(autouse=True)
def _linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let links be made from the dashboards as they are written now, be they committed or not."""
    build_files(PROMISE, tmp_path / "dashboards")
    monkeypatch.setattr(texts, "DASHBOARDS", tmp_path / "dashboards")


def first_firing(alert: Alert) -> tuple[Scene, str, Firing]:
    """Return the first scene in which an alert fires, the moment from which on it does, and what fires."""
    for scene in unit_tests.scenes(alert):
        for moment, firing in sorted(scene.moments.items(), key=lambda one: unit_tests.minutes(one[0])):
            if firing:
                return scene, moment, firing[0]
    raise AssertionError(f"{alert.name} never fires")


def opened(alert: Alert, firing: Firing) -> str:
    """Return what the panel behind an alert's link asks that the alert reads too, as the page would then ask it."""
    link = urlsplit(rendered(words(alert, LINKS)["dashboard_url"], firing.labels))
    query = {name: value for name, [value] in parse_qs(link.query, keep_blank_values=True).items()}
    document = DOCUMENTS[link.path.removeprefix("/d/")]
    made = {one["name"]: chosen(one, query.get(f"var-{one['name']}")) for one in document["templating"]["list"]}
    known = {**made, "__rate_interval": "5m", "__range": "6h"}
    [panel] = [one for one in document["panels"] if one["id"] == int(query["viewPanel"])]
    asked = [re.sub(r"\$(\w+)", lambda name: known[name[1]], one.get("expr", "")) for one in panel["targets"]]
    read = metrics(alert.expr) - HOUSE_WIDE
    return " or ".join(f"({expr})" for expr in asked if metrics(expr) & read)


def chosen(variable: dict[str, Any], value: str | None) -> str:
    """Return what the page puts in for a variable, which a link may have chosen."""
    if not variable.get("multi"):
        return value or str(variable["current"]["value"])
    return ".*" if value is None else re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\\\g<0>", value)


def seen(alert: Alert) -> dict[str, Any]:
    """Return a test of promtool's: at the moment when an alert begins to fire, its panel is not empty."""
    scene, moment, firing = first_firing(alert)
    question = {"expr": f"count({opened(alert, firing)}) > bool 0", "eval_time": moment}
    return {
        "name": alert.name,
        "interval": scene.step,
        "input_series": [{"series": name, "values": values} for name, values in scene.series.items()],
        "promql_expr_test": [{**question, "exp_samples": [{"labels": "{}", "value": 1}]}],
    }


def played(folder: Path, tests: list[dict[str, Any]], every: str) -> str:
    """Have promtool play some tests over the recorded series."""
    (folder / building.RULES).write_text(building.dumped(building.groups(recordings(), LINKS)), encoding="utf-8")
    document = {"rule_files": [building.RULES], "evaluation_interval": every, "tests": tests}
    (folder / building.TESTS).write_text(building.dumped(document), encoding="utf-8")
    return tools.run([promtool(), "test", "rules", building.TESTS], folder)


def shown(uid: str, title: str, series: dict[str, str], *samples: float) -> dict[str, Any]:
    """Return a test of promtool's: what a panel of one query shows, or nothing, at minute 0."""
    [panel] = [one for one in DOCUMENTS[uid]["panels"] if one["title"] == title]
    [target] = panel["targets"]
    given = [{"series": name, "values": value} for name, value in series.items()]
    expected = [{"labels": "{}", "value": value} for value in samples]
    question = {"expr": target["expr"], "eval_time": "0m", "exp_samples": expected}
    return {"name": title, "interval": "1m", "input_series": given, "promql_expr_test": [question]}


@pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
def test_the_panel_behind_a_link_shows_what_the_alert_reads_when_it_begins_to_fire(
    *, long: bool, tmp_path: Path
) -> None:
    asked = [one for one in ALERTS.values() if one.name not in WITHOUT_FIGURES]
    tests = [seen(alert) for alert in asked if unit_tests.is_long(first_firing(alert)[0]) == long]
    assert len(tests) > 3
    assert "SUCCESS" in played(tmp_path, tests, f"{unit_tests.LONG_STEP}m" if long else "1m")


def test_a_panel_that_shows_another_segment_is_noticed(tmp_path: Path) -> None:
    """As the executive's did, which knew the whole house only."""
    test = seen(ALERTS["StageSegmentSlow"])
    assert 'segment="channel=' in test["promql_expr_test"][0]["expr"]
    other = [{**test, "input_series": [one for one in test["input_series"] if "channel=" not in one["series"]]}]
    with pytest.raises(tools.Refused, match=r"channel=b2b.*got: nil"):
        played(tmp_path, other, f"{unit_tests.LONG_STEP}m")


def test_a_house_without_a_judged_order_shows_no_share_and_not_nan(tmp_path: Path) -> None:
    kept, broken = names.PROMISE_KEPT, names.PROMISE_BROKEN
    board = ("touchstone-executive", "Promise kept")
    tests = [
        shown(*board, {kept: "0", broken: "0"}),
        shown(*board, {kept: "0", broken: "2"}, 0.0),
        shown(*board, {kept: "3", broken: "1"}, 0.75),
    ]
    assert "SUCCESS" in played(tmp_path, tests, "1m")


def test_a_stage_that_holds_no_order_needs_no_reference(tmp_path: Path) -> None:
    """Such is the one for statuses without a stage, in a house where all have one."""
    left, inside = names.STAGE_REFERENCE_DEPARTURES, names.STAGE_ORDERS
    usual = {
        f'{left}{{stage="approval",segment="all"}}': "40",
        f'{left}{{stage="elsewhere",segment="all"}}': "0",
        f'{inside}{{stage="approval",risk="late"}}': "3",
    }
    board = ("touchstone-telemetry", "Stages without a reference")
    tests = [
        shown(*board, {**usual, f'{inside}{{stage="elsewhere",risk="late"}}': "0"}),
        shown(*board, {**usual, f'{inside}{{stage="elsewhere",risk="late"}}': "1"}, 1.0),
    ]
    assert "SUCCESS" in played(tmp_path, tests, "1m")
