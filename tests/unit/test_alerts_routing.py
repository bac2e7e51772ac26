"""Who is told of what, how soon, and which alert mutes which."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from alerts.catalogue import alerts
from alerts.model import Cause, Severity
from alerts.routing import CAUSES, configuration
from alerts.settings import Settings, default_settings
from alerts.texts import rendered, words
from collectors.promise import DEFAULT_PROMISE, load_promise
from tests.unit.test_alerts_building import PARCELS

if TYPE_CHECKING:
    from pathlib import Path


def configured(settings: Settings | None = None) -> dict[str, Any]:
    """Return the configuration of the jewellery maker's own promise."""
    promise = load_promise(DEFAULT_PROMISE)
    chosen = settings or default_settings()
    return configuration(promise, chosen, alerts(promise, chosen))


def muted_names(rule: dict[str, Any]) -> set[str]:
    """Return the names of the alerts that an inhibition mutes."""
    (names,) = [matcher for matcher in rule["target_matchers"] if matcher.startswith("alertname=~")]
    return set(names.removeprefix('alertname=~"').removesuffix('"').split("|"))


def test_every_stage_owner_has_a_route_and_a_receiver() -> None:
    """The promise file names the owners."""
    found = configured()
    routed = {route["receiver"] for route in found["route"]["routes"]}
    assert {"mes", "sales", "customer", "workshop", "logistics", "sre", "deadman"} <= routed
    assert {receiver["name"] for receiver in found["receivers"]} >= routed


def test_whoever_has_no_receiver_is_told_through_that_of_the_services() -> None:
    """Nothing is sent to nobody."""
    settings = default_settings()
    without = settings.model_copy(update={"receivers": {"sre": settings.receivers["sre"]}})
    found = configured(without)
    assert found["route"]["receiver"] == "sre"
    assert {route["receiver"] for route in found["route"]["routes"]} == {"deadman", "nobody", "sre"}


def test_a_ticket_of_an_owner_without_a_receiver_is_a_ticket_all_the_same(tmp_path: Path) -> None:
    """It is told as late and as seldom as others', and in the hours in which people work."""
    path = tmp_path / "parcels.yaml"
    path.write_text(PARCELS, encoding="utf-8")
    promise = load_promise(path)
    assert "depot" not in default_settings().receivers
    route = configuration(promise, default_settings(), alerts(promise))["route"]
    (sales,) = [one for one in route["routes"] if one["receiver"] == "sales"]
    assert route["routes"][-1] == {**sales["routes"][0], "receiver": "sre"}
    assert route["routes"][-1]["repeat_interval"] == "3d"
    assert configured()["route"]["routes"][-1] == {
        "matchers": ['severity="ticket"'],
        "receiver": "sre",
        "group_wait": "5m",
        "group_interval": "1h",
        "repeat_interval": "3d",
    }


def test_the_watchdog_goes_to_the_dead_man_and_to_nobody_else() -> None:
    """Its route comes first."""
    first = configured()["route"]["routes"][0]
    assert (first["matchers"], first["receiver"]) == (['alertname="Watchdog"'], "deadman")


def test_tickets_are_told_later_and_less_often_than_pages() -> None:
    """A page after half a minute, a ticket after five."""
    route = configured()["route"]
    (owner,) = [one for one in route["routes"] if one["receiver"] == "sales"]
    assert route["group_wait"] == "30s"
    assert owner["routes"][0]["matchers"] == ['severity="ticket"']
    assert owner["routes"][0]["group_wait"] == "5m"


def test_every_cause_mutes_somebody_and_names_alerts_that_exist() -> None:
    """A renamed alert would else mute nothing, in silence."""
    names = {alert.name for alert in alerts(load_promise(DEFAULT_PROMISE))}
    rules = configured()["inhibit_rules"]
    for rule in rules:
        muted = muted_names(rule)
        assert muted
        assert muted <= names
    for source, _equal in CAUSES.values():
        for matcher in source:
            if matcher.startswith("alertname"):
                assert set(re.findall(r"[A-Z]\w+", matcher)) <= names


def test_no_alert_mutes_itself() -> None:
    """A source that were among its own targets could hide the very cause."""
    for alert in alerts(load_promise(DEFAULT_PROMISE)):
        for cause in alert.muted_by:
            if cause != Cause.OWNER:
                assert alert.name not in re.findall(r"[A-Z]\w+", CAUSES[cause][0][0])


def test_a_dead_mes_mutes_its_symptoms_and_not_those_of_others() -> None:
    """Among them: silent systems, lost orders, slow stages of its own, whatever its own job shows."""
    rules = configured()["inhibit_rules"]
    by_source = {tuple(rule["source_matchers"]): rule for rule in rules if len(rule["target_matchers"]) == 1}
    mes = muted_names(by_source['alertname="ServiceDown"', 'job="mes"'])
    assert {"SystemSilent", "OrdersLost", "SystemsDisagree", "SourceFailing"} <= mes
    assert not {"StageSlow", "PriceWaits", "SignalsStale", "Watchdog", "ServiceDown"} & mes
    same = by_source['alertname="ServiceDown"',]
    assert same["equal"] == ["job"]
    assert {"OutboxStuck", "QueueUnconsumed", "BudgetBurnsFast"} <= muted_names(same)
    (own,) = [rule for rule in rules if len(rule["target_matchers"]) == 2]
    assert own["source_matchers"] == ['alertname="ServiceDown"', 'job="mes"']
    assert 'owner="mes"' in own["target_matchers"]
    assert "StageSlow" in muted_names(own)


def test_a_silent_vendor_mutes_only_what_its_silence_brings_about() -> None:
    """And only where its journal cannot be read: one call that stays owed is no silence, and may stay so for days."""
    promise = load_promise(DEFAULT_PROMISE)
    found = {alert.name: alert for alert in alerts(promise)}
    (rule,) = [one for one in configured()["inhibit_rules"] if "VendorSilent" in str(one["source_matchers"])]
    assert rule["source_matchers"] == ['alertname="VendorSilent"', 'what="journal"']
    assert muted_names(rule) == {"OrdersStuck", "SystemsDisagree", "SourceSilent"}
    assert {found[name].severity for name in muted_names(rule)} == {Severity.TICKET}


def test_maintenance_mutes_all_but_the_watchers_of_the_watching() -> None:
    """Nobody is paged for planned work, and nobody is left blind by it."""
    (rule,) = [one for one in configured()["inhibit_rules"] if one["source_matchers"] == ['alertname="Maintenance"']]
    spared = {alert.name for alert in alerts(load_promise(DEFAULT_PROMISE))} - muted_names(rule)
    assert spared == {
        "Watchdog",
        "Maintenance",
        "MaintenanceLong",
        "SignalsStale",
        "SignalsMissing",
        "RulesFailing",
        "RulesSlow",
        "AlertsUndelivered",
        "NotificationsFailing",
        "ConfigurationStale",
        "SamplesRefused",
        "SeriesGrowing",
        "ScrapeSlow",
    }


def test_with_a_calendar_tickets_of_stage_owners_wait_until_people_work(tmp_path: Path) -> None:
    """Pages do not wait, and neither does whoever answers for the services."""
    path = tmp_path / "parcels.yaml"
    path.write_text(PARCELS, encoding="utf-8")
    promise = load_promise(path)
    found = configuration(promise, default_settings(), alerts(promise))
    (sales,) = [one for one in found["route"]["routes"] if one["receiver"] == "sales"]
    (sre,) = [one for one in found["route"]["routes"] if one["matchers"] == ['owner="sre"']]
    assert "active_time_intervals" not in sales
    assert sales["routes"][0]["active_time_intervals"] == ["business hours"]
    assert sales["routes"][0]["mute_time_intervals"] == ["holidays"]
    assert "active_time_intervals" not in sre["routes"][0]
    hours, holidays = found["time_intervals"]
    assert hours["time_intervals"] == [
        {
            "times": [{"start_time": "08:00", "end_time": "16:00"}],
            "weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "location": "Europe/Berlin",
        }
    ]
    assert holidays["time_intervals"][0]["days_of_month"] == ["25"]
    assert "time_intervals" not in configured()


def test_mail_is_sent_by_the_server_of_the_settings_with_a_password_from_a_file() -> None:
    """No secret stands in a file of ours."""
    settings = default_settings().model_dump(mode="json", by_alias=True)
    settings["smtp"] = {
        "smarthost": "mail.example.com:587",
        "from": "a@example.com",
        "user": "a",
        "password_file": "/run/p",
    }
    settings["receivers"]["sales"] = {"email": "sales@example.com"}
    found = configured(Settings.model_validate(settings, by_alias=True, by_name=False))
    assert found["global"] == {
        "resolve_timeout": "5m",
        "smtp_smarthost": "mail.example.com:587",
        "smtp_from": "a@example.com",
        "smtp_auth_username": "a",
        "smtp_auth_password_file": "/run/p",
    }
    (sales,) = [one for one in found["receivers"] if one["name"] == "sales"]
    assert sales == {"name": "sales", "email_configs": [{"to": "sales@example.com", "send_resolved": True}]}


def test_an_alert_points_to_runbook_panel_orders_and_traces() -> None:
    """Each link carries the stage along, safely encoded."""
    found = {alert.name: alert for alert in alerts(load_promise(DEFAULT_PROMISE))}
    slow = words(found["StageSlow"], default_settings().links)
    assert slow["runbook_url"] == "docs/runbooks/stage-slow.md"
    assert slow["orders_url"] == "http://127.0.0.1:8321/orders?stage={{ $labels.stage | urlquery }}"
    link = rendered(slow["dashboard_url"], {"stage": "customer's turn"})
    assert link == "http://127.0.0.1:3000/d/touchstone-operations?viewPanel=2&var-stage=customer%27s+turn"
    assert "g0.show_exemplars=1" in words(found["PriceWaits"], default_settings().links)["traces_url"]
    assert "traces_url" not in slow


def test_words_that_hold_more_than_labels_are_not_rendered_by_guess() -> None:
    """Only Prometheus knows the value."""
    with pytest.raises(ValueError, match="holds more than labels"):
        rendered("{{ $value }}", {})
