"""What is generated: committed as it would be built now, the same rules for every promise file, targets from it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

from alerts import building, targets, unit_tests
from alerts.catalogue import alerts, recordings
from alerts.command import GENERATED, OutOfDate, run_build, run_check
from alerts.model import Alert, Severity
from alerts.promql import metrics
from alerts.settings import DEFAULT_SETTINGS, default_settings, load_settings
from alerts.texts import words
from collectors.promise import DEFAULT_PROMISE, load_promise
from deploy.house import PORTS, PROMETHEUS_PORT
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

PARCELS = """
touchstone: 1
name: parcels
statuses: {main: [PICKED, SORTED, DELIVERED]}
stages:
  - {name: sorting, in: [PICKED], kind: work, budget: 2h, owner: depot}
  - {name: "driver's turn", in: [SORTED], kind: wait, budget: 2d}
promise: {from: PICKED, to: DELIVERED, within: 3d, objective: 90%}
calendar: {hours: '08:00-16:00', timezone: Europe/Berlin, closed: [2026-12-25]}
"""


@pytest.fixture
def parcels(tmp_path: Path) -> Path:
    """Return a promise file of another business."""
    path = tmp_path / "parcels.yaml"
    path.write_text(PARCELS, encoding="utf-8")
    return path


def rules_of(text: str) -> list[dict[str, Any]]:
    """Return every rule of a generated file."""
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_the_committed_files_are_what_would_be_built_now() -> None:
    """Whoever changes a rule, the promise file or the settings runs `touchstone alerts build`."""
    built = building.build(load_promise(DEFAULT_PROMISE))
    assert {name: (GENERATED / name).read_text(encoding="utf-8") for name in built} == built


def test_rules_and_scenes_do_not_depend_on_the_promise_file(parcels: Path) -> None:
    """What a promise file says reaches the rules as recorded targets only."""
    own, other = building.build(load_promise(DEFAULT_PROMISE)), building.build(load_promise(parcels))
    for name in (building.RULES, building.TESTS, building.LONG_TESTS):
        assert own[name] == other[name]
    assert own[building.TARGETS] != other[building.TARGETS]


def test_targets_say_what_promise_file_and_settings_say(parcels: Path) -> None:
    """Owners, short stages with their buckets, budgets of errors: each a series with value and labels."""
    found = {
        (one.name, tuple(sorted(one.labels.items()))): one.expr
        for one in targets.recordings(load_promise(parcels), default_settings())
    }

    def target(name: str, **labels: str) -> str | None:
        return found.get((name, tuple(sorted(labels.items()))))

    assert target("touchstone:stage_owner", stage="sorting", owner="depot") == "vector(1)"
    assert target("touchstone:stage_owner", stage="driver's turn", owner="sales") == "vector(1)"
    assert target("touchstone:stage_owner", stage="elsewhere", owner="sales") == "vector(1)"
    assert target("touchstone:stage_bucket", stage="sorting", le="14400.0") == "vector(1)"
    assert target("touchstone:sli_budget:ratio", sli="stage", of="sorting", owner="depot") == "vector(0.1)"
    assert target("touchstone:sli_budget:ratio", sli="errors", of="shop", owner="sre") == "vector(0.001)"
    assert [dict(labels)["of"] for name, labels in found if ("sli", "price") in labels] == ["shop", "partner"]
    assert target("touchstone:price_age_limit:seconds", **{"class": "heavy"}) == "vector(7200)"
    assert target("touchstone:latency_bucket", le="1.0") == "vector(1)"
    assert target("touchstone:price_bucket", le="60.0") == "vector(1)"
    assert target("touchstone:memory_limit:bytes") == "vector(2000000000)"
    assert target("touchstone:job_expected", job="collector") == "vector(1)"
    assert not [
        labels for name, labels in found if name == "touchstone:stage_bucket" and ("stage", "driver's turn") in labels
    ]


def test_a_stage_of_the_customer_or_in_working_time_has_no_burn_rate(tmp_path: Path) -> None:
    """A histogram of elapsed time says nothing of either."""
    path = tmp_path / "promise.yaml"
    changed = PARCELS.replace("budget: 2h,", "budget: 2h, working: true,").replace(
        "budget: 2d", "budget: 2h, pauses: true"
    )
    path.write_text(changed, encoding="utf-8")
    assert targets.hourly(load_promise(path)) == {}


def test_every_alert_is_whole() -> None:
    """Words, panel, owner, scenes that fire and scenes that do not, and a name that is its own."""
    found = alerts(load_promise(DEFAULT_PROMISE))
    assert len({alert.name for alert in found}) == len(found) > 45
    for alert in found:
        assert alert.summary, alert.name
        assert alert.description.endswith((".", "{{ end }}")), alert.name
        assert alert.dashboard.startswith("touchstone-"), alert.name
        assert alert.panel, alert.name
        assert alert.owner in {"sre", "sales", None}, alert.name
        assert alert.runbook == f"docs/runbooks/{alert.slug}.md"


def test_every_alert_has_scenes_that_fire_that_do_not_and_that_turn_from_one_moment_to_the_next() -> None:
    """So that its `for` and its windows are held to the minute. The values beside a threshold: tests/mutations."""
    for alert in alerts(load_promise(DEFAULT_PROMISE)):
        fires, quiet, turns = False, False, set()
        for scene in unit_tests.scenes(alert):
            step = max(unit_tests.minutes(scene.step), unit_tests.LONG_STEP if unit_tests.is_long(scene) else 1)
            moments = sorted((unit_tests.minutes(moment), bool(firing)) for moment, firing in scene.moments.items())
            fires, quiet = fires or any(loud for _, loud in moments), quiet or not all(loud for _, loud in moments)
            turns |= {new for (a, old), (b, new) in pairwise(moments) if b - a <= step and old != new}
        assert (fires, quiet) == (True, alert.name != "Watchdog"), alert.name
        assert True in turns or alert.name == "Watchdog", f"{alert.name}: no scene shows when it begins"
        assert False in turns or alert.name == "Watchdog", f"{alert.name}: no scene shows when it ends"


def test_only_stage_alerts_outlast_what_they_warn_of() -> None:
    """Evidence near its limit comes and goes: for three days it is one page, and promtool plays it so."""
    found = {alert.name: alert for alert in alerts(load_promise(DEFAULT_PROMISE)) if alert.keep_firing_for != "0s"}
    assert set(found) == {"StageSlow", "StageSegmentSlow", "StageOverBudget", "StageSegmentOverBudget"}
    rules = {rule.get("alert"): rule for rule in rules_of((GENERATED / building.RULES).read_text(encoding="utf-8"))}
    for name, alert in found.items():
        assert (alert.keep_firing_for, rules[name]["keep_firing_for"]) == ("3d", "3d")
        assert any(scene.says.endswith("comes and goes") for scene in unit_tests.scenes(alert)), name


def test_names_become_pages() -> None:
    """StageSlow is explained in docs/runbooks/stage-slow.md."""
    assert {alert.name: alert.slug for alert in alerts(load_promise(DEFAULT_PROMISE))}["StageSlow"] == "stage-slow"


def test_groups_stand_together_and_recordings_come_first() -> None:
    """Prometheus evaluates the rules of a group in their order; a group that is named twice it refuses."""
    groups = yaml.safe_load((GENERATED / building.RULES).read_text(encoding="utf-8"))["groups"]
    names = [group["name"] for group in groups]
    assert len(set(names)) == len(names)
    assert names[0] == "indicators"


def test_every_recorded_series_is_read_and_every_one_read_is_recorded() -> None:
    """A name with a colon is a recorded one."""
    promise = load_promise(DEFAULT_PROMISE)
    recorded = {one.name for one in (*recordings(), *targets.recordings(promise, default_settings()))}
    rules: tuple[Any, ...] = (*recordings(), *alerts(promise))
    read = {name for rule in rules for name in metrics(rule.expr) if ":" in name}
    assert read == recorded


def test_whatever_pages_says_so_and_nothing_else_does() -> None:
    """The label that routes an alert is the severity that it was given."""
    found: dict[str, Alert] = {alert.name: alert for alert in alerts(load_promise(DEFAULT_PROMISE))}
    for rule in rules_of((GENERATED / building.RULES).read_text(encoding="utf-8")):
        if "alert" in rule:
            assert rule["labels"]["severity"] == found[rule["alert"]].severity
    assert {name for name, alert in found.items() if alert.severity == Severity.NONE} == {"Watchdog", "Maintenance"}


def test_check_says_which_file_is_out_of_date(tmp_path: Path) -> None:
    """One sentence: which file, and what to do."""
    run_build(output=tmp_path)
    rules = tmp_path / building.RULES
    rules.write_text(rules.read_text(encoding="utf-8").replace("> 300", "> 301"), encoding="utf-8")
    with pytest.raises(
        OutOfDate, match=r"rules.yaml: is not what the promise file gives now; run `touchstone alerts build`"
    ):
        run_check(output=tmp_path)
    rules.unlink()
    with pytest.raises(OutOfDate, match=r"rules.yaml: cannot be read"):
        run_check(output=tmp_path)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """It is a file."""
    place = tmp_path / "file"
    place.write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be written"):
        run_build(output=place)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("errors: {share: 99.9%}", "errors: {share: 120}"), "objectives.errors.share"),
        (("within: 1s", "within: 3s"), "latency.within must be a bucket of its histogram"),
        (("within: 1m}", "}"), "price.within must be a bucket of its histogram"),
        (("within: 1m}", "within: 90s}"), "in seconds: 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600"),
        (("services: sre}", "services: nobody}"), "`receivers` lacks nobody"),
        (("sales: {webhook: 'http://127.0.0.1:8399/alerts/sales'}", "sales: {}"), "needs a `webhook` or an `email`"),
        (("sales: {webhook: 'http://127.0.0.1:8399/alerts/sales'}", "sales: {email: a@b.example}"), "`smtp: "),
        (("memory: 2000000000", "memory: 2000000000\nmemry: 1"), "memry"),
        (("  sales: {", "  deadman: {"), "no receiver may be called deadman"),
        (("  sales: {", "  nobody: {"), "no receiver may be called nobody"),
        (("jobs: [shop, crm", "jobs: [shop, shop"), "jobs: shop is named twice"),
        (("heavy: 2h", "heavy: 0s"), "heavy must be more than nothing"),
        (("runbooks: ''", "runbooks: docs"), "links.runbooks: `docs` is no address"),
        (("collector: http://127.0.0.1:8321", "collector: collector:8321"), "`collector:8321` is no address"),
        (("grafana: http://127.0.0.1:3000", "grafana: 'http://g/{{ x }}'"), "links.grafana: `http://g/{{ x }}` is no"),
        (("memory: 2000000000", "memory: 2000000000\nmemory: 1"), "the key `memory` stands here twice"),
    ],
)
def test_mistakes_in_the_settings_are_said_with_their_line(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    """File, line, what is wrong."""
    text = DEFAULT_SETTINGS.read_text(encoding="utf-8")
    assert change[0] in text
    path = tmp_path / "settings.yaml"
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")


def test_an_empty_file_of_settings_is_told_what_to_begin_with(tmp_path: Path) -> None:
    """No promise file is missing here."""
    path = tmp_path / "settings.yaml"
    path.write_text("# nothing yet\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"settings.yaml: is empty; begin with a copy of alerts/settings.yaml"):
        load_settings(path)


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_an_address_and_what_follows_it_are_joined_by_one_slash(slashes: str, tmp_path: Path) -> None:
    """However it is written."""
    text = DEFAULT_SETTINGS.read_text(encoding="utf-8")
    changed = text.replace("runbooks: ''", f"runbooks: https://git.example.com/main{slashes}").replace(
        "http://127.0.0.1:3000", f"http://g:3000/grafana{slashes}"
    )
    path = tmp_path / "settings.yaml"
    path.write_text(changed, encoding="utf-8")
    links = load_settings(path).links
    told = words(alerts(load_promise(DEFAULT_PROMISE))[0], links)
    assert told["runbook_url"].startswith("https://git.example.com/main/docs/runbooks/")
    assert told["dashboard_url"].startswith("http://g:3000/grafana/d/touchstone-")


def test_links_lead_to_where_the_house_of_make_up_listens() -> None:
    """Those who try it follow them; Grafana is nobody's of ours, and stands where it usually does."""
    links = default_settings().links
    assert urlsplit(links.prometheus).port == PROMETHEUS_PORT
    assert urlsplit(links.collector).port == PORTS["collector"]


def test_whatever_the_house_scrapes_is_demanded() -> None:
    """Of a target of another job nobody would be paged: the queues of the broker are a job of their own."""
    scraped = yaml.safe_load((GENERATED.parents[1] / "deploy" / "prometheus.yaml").read_text(encoding="utf-8"))
    assert {job["job_name"] for job in scraped["scrape_configs"]} == set(default_settings().jobs)


def test_settings_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    """A list is no file of settings."""
    path = tmp_path / "settings.yaml"
    path.write_text("- 1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="is no mapping"):
        load_settings(path)
