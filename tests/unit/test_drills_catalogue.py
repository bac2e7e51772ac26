"""The catalogue of drills: complete, of alerts and stages that exist, and chosen by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alerts.catalogue import alerts
from alerts.drills import command
from alerts.drills.catalogue import DRILLS, QUICK, chosen
from alerts.drills.command import list_drills, run_drills, told
from alerts.drills.drilling import settings
from alerts.drills.model import Outcome
from alerts.drills.run import SEED
from alerts.settings import default_settings
from collectors.promise import load_promise
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from alerts.drills.model import Drill
    from alerts.drills.parts import Parts

ALERTS = {alert.name: alert for alert in alerts(load_promise())}


def test_there_are_at_least_two_dozen_faults_and_a_dozen_of_them_are_quick() -> None:
    assert len(DRILLS) >= 24
    assert len(QUICK) == 12
    assert all(name == drill.name for name, drill in DRILLS.items())


@pytest.mark.parametrize("alert", [alert for alert in ALERTS.values() if alert.drill], ids=lambda alert: alert.name)
def test_the_drill_that_an_alert_names_is_about_that_alert(alert: Any) -> None:
    assert alert.drill in DRILLS
    assert alert.name in {named.alert for named in DRILLS[alert.drill].fires}


@pytest.mark.parametrize("drill", DRILLS.values(), ids=lambda drill: drill.name)
def test_a_drill_names_alerts_stages_and_jobs_that_exist(drill: Any) -> None:
    names = {*(named.alert for named in drill.fires), *drill.also, *drill.silent}
    assert names <= set(ALERTS)
    assert drill.fires or drill.silent
    stages = {named.labels["stage"] for named in drill.fires if "stage" in named.labels}
    assert stages <= {stage.name for stage in load_promise().stages}
    jobs = {named.labels["job"] for named in drill.fires if "job" in named.labels}
    assert jobs <= set(drill.jobs)
    assert settings(drill).jobs == list(drill.jobs)
    assert {job.partition("-")[0] for job in drill.jobs} <= set(default_settings().jobs)


def test_every_stage_of_ours_is_slowed_in_some_drill() -> None:
    slowed = {named.labels.get("stage") for drill in DRILLS.values() for named in drill.fires}
    ours = {stage.name for stage in load_promise().stages if not stage.pauses}
    assert ours <= slowed


def test_what_a_house_must_bear_names_what_must_not_fire() -> None:
    """Messages in no order, a burst and a night wake nobody."""
    calm = {drill.name for drill in DRILLS.values() if drill.calm}
    assert calm == {"messages-shuffled", "customer-burst", "silence-at-night"}
    assert all(drill.silent and not drill.fires for drill in DRILLS.values() if drill.calm)


def test_drills_are_chosen_by_name_once_each_and_all_without_names() -> None:
    assert [drill.name for drill in chosen(["mes-lies", "service-down", "mes-lies"])] == ["mes-lies", "service-down"]
    assert chosen([]) == list(DRILLS.values())


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    unused: Any = None
    parts: Parts = unused
    with pytest.raises(BadInput, match=r"no drill `fire`; choose some of: rules-failing, .*stage-slowed"):
        run_drills(["fire"], parts, print, as_json=False)


def test_what_could_not_be_played_is_a_failure_with_its_reason() -> None:
    outcome = Outcome(DRILLS["mes-lies"], failure="Prometheus is not on PATH")
    assert not outcome.passed
    assert told(outcome).splitlines()[0].startswith("FAILED  mes-lies: ")
    assert outcome.document()["faults"] == ["Prometheus is not on PATH"]


def test_one_json_document_tells_of_all_and_one_failure_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that plays is another's test: here each drill has an outcome given to it."""
    seeds: list[int] = []

    def given(drill: Drill, _parts: Parts, seed: int) -> Outcome:
        seeds.append(seed)
        return Outcome(drill, failure="no" if drill.name == "mes-lies" else None)

    monkeypatch.setattr(command, "drilled", given)
    unused: Any = None
    said: list[str] = []
    assert run_drills(["rules-failing"], unused, said.append, as_json=True)
    assert not run_drills(["rules-failing", "mes-lies"], unused, said.append, as_json=True, seed=7)
    assert seeds == [SEED, 7, 7]
    first, second = map(json.loads, said)
    assert (first["played"], first["passed"], first["seed"]) == (1, 1, SEED)
    assert (second["played"], second["passed"], second["seed"]) == (2, 1, 7)
    assert [(one["drill"], one["passed"], one["faults"]) for one in second["drills"]] == [
        ("rules-failing", True, []),
        ("mes-lies", False, ["no"]),
    ]
    said.clear()
    assert not run_drills(["rules-failing", "mes-lies"], unused, said.append, as_json=False)
    assert said[-1] == "1 of 2 drills passed"


def test_a_list_has_each_drill_with_its_alerts_and_plays_none() -> None:
    said: list[str] = []
    list_drills([], said.append)
    assert [line.split()[0] for line in said] == list(DRILLS)
    said.clear()
    list_drills(["mes-down", "silence-at-night"], said.append)
    assert said == [
        f"mes-down          {DRILLS['mes-down'].says} (VendorSilent)",
        f"silence-at-night  {DRILLS['silence-at-night'].says} (no alert)",
    ]
    with pytest.raises(BadInput, match="no drill `fire`"):
        list_drills(["fire"], said.append)
