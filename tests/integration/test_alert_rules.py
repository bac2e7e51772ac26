"""The generated rules as Prometheus' own programs judge them."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from alerts import building, proving, tools
from alerts.catalogue import alerts
from alerts.command import GENERATED, run_build, run_check
from alerts.settings import default_settings
from alerts.unit_tests import scenes
from collectors.promise import DEFAULT_PROMISE, load_promise
from tests.parts import amtool, pint, promtool, running_alertmanager
from tests.unit.test_alerts_building import PARCELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from alerts.model import Alert
    from deploy.servers import AlertmanagerServer

ALERTS = {alert.name: alert for alert in alerts(load_promise(DEFAULT_PROMISE))}


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_every_alert_keeps_to_its_scenes(alert: Alert) -> None:
    """It fires, does not fire, and turns exactly at its boundaries, with these labels and these words."""
    moments = [firing for scene in scenes(alert) for firing in scene.moments.values()]
    assert any(moments)
    assert alert.name == "Watchdog" or not all(moments)
    proving.prove(promtool(), alert, default_settings().links)


def test_a_scene_that_does_not_come_out_is_noticed() -> None:
    """Else the proofs above would prove nothing."""
    alert = ALERTS["OutboxStuck"]
    changed = replace(alert, expr=alert.expr.replace("> 300", ">= 300"))
    with pytest.raises(tools.Refused, match="OutboxStuck"):
        proving.prove(promtool(), alert, default_settings().links, changed)


@pytest.mark.parametrize("name", ["PromiseAtRisk", "OrdersLost", "SequenceGaps", "TargetsStale"])
def test_an_alert_that_forgot_what_was_last_shown_would_not_outlast_failed_scrapes(name: str) -> None:
    """It would end with each of them, and begin its `for` anew."""
    alert = ALERTS[name]
    changed = replace(alert, expr=re.sub(r"last_over_time\((.*?)\[10m\]\)", r"\1", alert.expr))
    assert changed != alert
    with pytest.raises(tools.Refused, match=f"{name}.*scrapes"):
        proving.prove(promtool(), alert, default_settings().links, changed)


def test_what_the_collector_computes_of_promises_and_orders_outlasts_failed_scrapes() -> None:
    """All but what looks back for an hour anyway."""
    groups = {"promise", "orders", "sources"}
    found = {name for name, alert in ALERTS.items() if alert.group in groups and "last_over_time" not in alert.expr}
    assert found == {"ClockSkewed", "QuarantineGrowing"}


def test_prometheus_can_read_every_rule() -> None:
    """Those of the promise file's targets too."""
    said = tools.run([promtool(), "check", "rules", building.TARGETS, building.RULES], GENERATED)
    assert said.count("SUCCESS") == 2


def test_pint_has_no_complaint(tmp_path: Path) -> None:
    """And would have one about a rule without a runbook."""
    command = [pint(), "--no-color", "--offline", "--config", str(tools.PINT_CONFIG), "lint", "--fail-on=warning"]
    tools.run([*command, building.TARGETS, building.RULES], GENERATED)
    text = (GENERATED / building.RULES).read_text(encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(text.replace("runbook_url: docs/runbooks/stage-slow.md", "runbook_url: ''"))
    with pytest.raises(tools.Refused, match="runbook_url"):
        tools.run([*command, "bad.yaml"], tmp_path)


def test_alertmanager_can_read_its_configuration_of_another_house_too(tmp_path: Path) -> None:
    """With a calendar, holidays and a stage whose name needs quoting."""
    promise = tmp_path / "parcels.yaml"
    promise.write_text(PARCELS, encoding="utf-8")
    run_build(promise, None, tmp_path / "out")
    for folder in (GENERATED, tmp_path / "out"):
        said = tools.run([amtool(), "check-config", building.ALERTMANAGER], folder)
        assert "SUCCESS" in said


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=Watchdog", "severity=none", "owner=sre"), "deadman"),
        (("alertname=Maintenance", "severity=none", "owner=sre"), "nobody"),
        (("alertname=StageSlow", "severity=page", "owner=sales", "stage=approval"), "sales"),
        (("alertname=StageSlow", "severity=page", "owner=workshop", "stage=manufacturing"), "workshop"),
        (("alertname=StageOverBudget", "severity=ticket", "owner=logistics", "stage=packing"), "logistics"),
        (("alertname=StageSlow", "severity=page", "owner=customer", "stage=customer's turn"), "customer"),
        (("alertname=BusGap", "severity=page", "owner=sre", "job=crm"), "sre"),
        (("alertname=Unheard", "severity=page", "owner=stranger"), "sre"),
        (("alertname=StageSlow", "severity=page", "stage=of no target"), "sre"),
    ],
)
def test_amtool_routes_every_alert_to_its_owner(labels: Sequence[str], receiver: str) -> None:
    """By the label that the rule, or the series, gives it."""
    command = [amtool(), "config", "routes", "test", f"--config.file={building.ALERTMANAGER}"]
    # amtool warns on its other channel where it is configured twice.
    assert tools.run([*command, *labels], GENERATED).splitlines()[0].strip() == receiver


def test_the_command_checks_with_whatever_is_here(tmp_path: Path) -> None:
    """A sentence for each program, whether it was asked or not."""
    run_build(output=tmp_path)
    told = run_check(output=tmp_path)
    assert [line.split(":")[0] for line in told[1:]] == ["promtool", "amtool", "pint"]


def test_rules_are_the_committed_ones_once_read_back() -> None:
    """As YAML they are what was built: expressions of several lines included."""
    read = yaml.safe_load((GENERATED / building.RULES).read_text(encoding="utf-8"))
    built = yaml.safe_load(building.build(load_promise(DEFAULT_PROMISE))[building.RULES])
    assert json.dumps(read) == json.dumps(built)


def fates(server: AlertmanagerServer, told: Mapping[tuple[str, str], dict[str, str]]) -> dict[tuple[str, str], str]:
    """Tell Alertmanager of alerts (each by its name and a word) and return the state of each once all have settled."""
    for (name, _of), labels in told.items():
        server.tell({"alertname": name, **labels}, datetime.now(UTC) - timedelta(minutes=1))
    found: dict[tuple[str, str], str] = {}
    before: dict[tuple[str, str], str] = {}
    until = time.monotonic() + 30
    while (not found or found != before or "unprocessed" in found.values()) and time.monotonic() < until:
        time.sleep(0.5)
        known = {(one.name, *sorted(one.labels.items())): one.state for one in server.alerts()}
        before = found
        found = {key: known[key[0], *sorted({"alertname": key[0], **labels}.items())] for key, labels in told.items()}
    return found


def test_a_dead_mes_mutes_its_symptoms_and_nothing_else_in_a_real_alertmanager() -> None:
    """What its own job shows, what lacks it, and the stages that it owns; not itself, nor what others suffer from."""
    symptoms = {
        ("OutboxStuck", "mes"): {"job": "mes", "consumer": "mes"},
        ("BudgetBurnsFast", "mes"): {"job": "mes", "sli": "errors", "of": "mes"},
        ("QueueUnconsumed", "mes"): {"job": "mes", "queue": "mes.events.0"},
        ("SystemSilent", ""): {"owner": "sre"},
        ("OrdersLost", ""): {"owner": "sre"},
        ("StageSlow", "pricing"): {"owner": "mes", "stage": "pricing"},
    }
    others = {
        ("ServiceDown", "mes"): {"job": "mes"},
        ("OutboxStuck", "crm"): {"job": "crm", "consumer": "crm"},
        ("StageSlow", "approval"): {"owner": "sales", "stage": "approval"},
        ("Watchdog", ""): {"owner": "sre"},
    }
    with running_alertmanager(GENERATED / building.ALERTMANAGER) as server:
        found = fates(server, {**others, **symptoms})
    assert found == {**dict.fromkeys(others, "active"), **dict.fromkeys(symptoms, "suppressed")}


def test_maintenance_mutes_pages_and_leaves_the_watchers_awake_in_a_real_alertmanager() -> None:
    """Planned work pages nobody; a collector that stops computing meanwhile still does."""
    with running_alertmanager(GENERATED / building.ALERTMANAGER) as server:
        found = fates(
            server,
            {
                ("Maintenance", "sre"): {"owner": "sre"},
                ("ServiceDown", "mes"): {"job": "mes"},
                ("StageSlow", "sales"): {"owner": "sales"},
                ("SignalsStale", "sre"): {"owner": "sre"},
            },
        )
    assert found == {
        ("Maintenance", "sre"): "active",
        ("ServiceDown", "mes"): "suppressed",
        ("StageSlow", "sales"): "suppressed",
        ("SignalsStale", "sre"): "active",
    }
