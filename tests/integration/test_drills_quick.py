"""A dozen drills from the fault to whoever is told: real processes, Prometheus' verdict, Alertmanager, a webhook.

Alertmanager runs by the house's own configuration, whose times are divided by PACE; it is told of alerts at moments
divided likewise, as Prometheus would have told it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from alerts import routing
from alerts.catalogue import alerts
from alerts.drills.catalogue import QUICK
from alerts.drills.drilling import drilled
from alerts.settings import Receiver, default_settings
from collectors.promise import load_promise
from collectors.promise.durations import parse_duration
from deploy.servers.prometheus import seconds
from tests.parts import promtool, running_alertmanager
from tests.webhook import webhook
from touchstone import drill_parts

if TYPE_CHECKING:
    from alerts.drills.episodes import Episode
    from alerts.drills.model import Drill, Outcome
    from deploy.servers import AlertmanagerServer
    from tests.webhook import Webhook

PACE: Final = 600
LONG: Final = timedelta(hours=1)
TIMES: Final = frozenset({"group_wait", "group_interval", "repeat_interval", "resolve_timeout"})
# What fires and must not be told, since a cause of it fires too.
MUTED: Final = {"service-down": {"SystemSilent"}, "collector-dead": {"SignalsMissing"}}
TOGETHER: Final = {"service-down": ("ServiceDown", 4)}  # that come in one notification


def hurried(document: Any, pace: float) -> Any:
    """Return a configuration whose times are divided."""
    if isinstance(document, dict):
        return {
            name: seconds(max(parse_duration(value) / pace, timedelta(milliseconds=1)))
            if name in TIMES
            else hurried(value, pace)
            for name, value in document.items()
        }
    return [hurried(one, pace) for one in document] if isinstance(document, list) else document


def config(hook: Webhook) -> Any:
    """Return the house's own configuration, in which a webhook stands for everybody who may be told."""
    own = default_settings()
    receiver = Receiver.model_validate({"webhook": hook.url})
    told = own.model_copy(update={"receivers": dict.fromkeys(own.receivers, receiver), "deadman": receiver})
    promise = load_promise()
    return hurried(routing.configuration(promise, told, alerts(promise, told)), PACE)


def tell(teller: AlertmanagerServer, episodes: list[Episode]) -> None:
    """Tell of alerts that begin and end, each at its moment."""
    moments = [(one.firing, one, True) for one in episodes if one.firing is not None]
    moments += [(one.until, one, False) for one in episodes if one.firing is not None and one.until is not None]
    # A cause is told before what it mutes, and ends after it.
    moments.sort(key=lambda one: (one[0], (one[1].labels["alertname"] == "ServiceDown") != one[2]))
    first, began = moments[0][0], time.monotonic()
    told: dict[int, datetime] = {}
    for at, episode, begins in moments:
        time.sleep(max(began + (at - first).total_seconds() / PACE - time.monotonic(), 0))
        now = datetime.now(UTC)
        told.setdefault(id(episode), now)
        teller.tell(episode.labels, told[id(episode)], now + LONG if begins else now)


def told_of(drill: Drill, outcome: Outcome) -> None:
    """Assert that people hear of what they must, from whom they must, and of its end; and of nothing that is muted."""
    muted = MUTED.get(drill.name, set())
    with webhook() as hook, running_alertmanager(config(hook)) as teller:
        tell(teller, [episode for every in outcome.episodes.values() for episode in every])
        for named in drill.fires:
            if named.alert in muted:
                continue
            assert hook.wait_for(named.alert, "firing")["labels"]["alertname"] == named.alert
            hook.wait_for(named.alert, "resolved")
        came = [(note["receiver"], alert["labels"]) for note in hook.came for alert in note["alerts"]]
        assert {labels["alertname"] for _, labels in came}.isdisjoint(muted)
        assert all(receiver == labels["owner"] for receiver, labels in came)
        if drill.name in TOGETHER:
            name, count = TOGETHER[drill.name]
            sizes = [len(note["alerts"]) for note in hook.came if note["commonLabels"].get("alertname") == name]
            assert max(sizes) == count


@pytest.mark.parametrize("drill", QUICK, ids=lambda drill: drill.name)
def test_a_drill_is_noticed_told_and_over(drill: Drill) -> None:
    """The named alert fires at the right place and clears, little else fires, and the right people hear of both."""
    promtool()
    outcome = drilled(drill, drill_parts())
    assert outcome.faults == [], outcome.document()
    assert [one.named for one in outcome.fired] == list(drill.fires)
    told_of(drill, outcome)


def test_there_are_a_dozen_quick_ones() -> None:
    assert len(QUICK) >= 12
