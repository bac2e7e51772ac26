"""What is built, as Prometheus' own programs act on it: mutings, routes, and what promtool only warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from alerts import building, tools
from alerts.command import run_build
from tests.integration.test_alert_rules import fates
from tests.parts import amtool, promtool, running_alertmanager

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Return a folder with all that is built now."""
    run_build(output=tmp_path)
    return tmp_path


@pytest.mark.parametrize(("what", "fate"), [("journal", "suppressed"), ("calls", "active")])
def test_a_silent_vendor_mutes_what_it_causes_and_no_other_page(built: Path, what: str, fate: str) -> None:
    """A real Alertmanager tells of lost orders all the same, and of everything where only one call is owed for days."""
    caused = {("SystemsDisagree", ""): {"owner": "sre"}, ("OrdersStuck", ""): {"owner": "sales"}}
    others = {
        ("VendorSilent", "mes"): {"job": "mes", "owner": "sre", "what": what},
        ("OrdersLost", ""): {"owner": "sre"},
        ("InvariantViolated", "outbox_young"): {"owner": "sre", "invariant": "outbox_young"},
        ("NoEvents", ""): {"owner": "sre"},
        ("SourceFailing", ""): {"owner": "sre"},
    }
    with running_alertmanager(built / building.ALERTMANAGER) as server:
        found = fates(server, {**others, **caused})
    assert found == {**dict.fromkeys(others, "active"), **dict.fromkeys(caused, fate)}


@pytest.mark.parametrize(("severity", "waits"), [("ticket", True), ("page", False)])
def test_what_an_owner_without_a_receiver_is_told_keeps_its_rhythm(built: Path, severity: str, *, waits: bool) -> None:
    """A page goes out by the root's times, a ticket by a route of its own."""
    command = [amtool(), "config", "routes", "test", "--tree", f"--config.file={building.ALERTMANAGER}"]
    said = tools.run([*command, f"severity={severity}", "owner=stranger"], built)
    assert ('{severity="ticket"}' in said) == waits
    assert "sre" in said


def test_rules_that_promtool_only_warns_of_are_refused(built: Path) -> None:
    """A rule that stands there twice is evaluated twice, and neither is the one that was meant."""
    command = [promtool(), *tools.CHECK_RULES, building.TARGETS]
    tools.run(command, built)
    document = yaml.safe_load((built / building.TARGETS).read_text(encoding="utf-8"))
    document["groups"][0]["rules"].append(document["groups"][0]["rules"][0])
    (built / building.TARGETS).write_text(building.dumped(document), encoding="utf-8")
    with pytest.raises(tools.Refused, match="duplicate rule"):
        tools.run(command, built)
