"""(f) The watcher watched: whether signals are computed, rules evaluated, scrapes made, and alerts delivered."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "watchers"
_DASHBOARD: Final = "touchstone-telemetry"
_RULES: Final = '{job="prometheus",rule_group="rules.yaml;stages"}'
_IN_GROUP: Final = {"job": "prometheus", "rule_group": "rules.yaml;stages"}
_PROMETHEUS: Final = '{job="prometheus",instance="p:9090"}'
_ALERTMANAGER: Final = '{job="alertmanager",instance="m:9093"}'

ALERTS: Final = (
    Alert(
        name="Watchdog",
        group=GROUP,
        expr="vector(1)",
        for_="0s",
        severity=Severity.NONE,
        owner=SERVICES,
        summary="Alerts are evaluated and delivered",
        description="This alert fires always. Whoever no longer hears it knows that no alert is delivered.",
        dashboard=_DASHBOARD,
        panel="Rules and notifications that fail",
        muted_by=(),
        scenes=(
            Scene(
                "always",
                {"up": "1+0x5"},
                {
                    "0m": (
                        Firing("This alert fires always. Whoever no longer hears it knows that no alert is delivered."),
                    ),
                },
            ),
        ),
    ),
    Alert(
        name="SignalsStale",
        group=GROUP,
        expr="time() - max(touchstone_signals_last_run_timestamp_seconds) > 600",
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="The signals of the stages are stale",
        description=(
            "The collector last computed its signals {{ $value | humanizeDuration }} ago: slow stages go unseen."
        ),
        dashboard=_DASHBOARD,
        panel="Signals computed",
        drill="collector-stuck",
        muted_by=(),
        scenes=(
            Scene(
                "ten minutes, and five more",
                {
                    'touchstone_signals_last_run_timestamp_seconds{instance="a"}': "0+0x20 1260+0x9",
                    'touchstone_signals_last_run_timestamp_seconds{instance="b"}': "-60+0x30",
                },
                {
                    "15m": (),
                    "16m": (Firing("The collector last computed its signals 16m 0s ago: slow stages go unseen."),),
                    "20m": (Firing("The collector last computed its signals 20m 0s ago: slow stages go unseen."),),
                    "21m": (),
                },
            ),
            Scene(
                "one collector of two that computes is enough",
                {
                    'touchstone_signals_last_run_timestamp_seconds{instance="a"}': "0+0x30",
                    'touchstone_signals_last_run_timestamp_seconds{instance="b"}': "0+60x30",
                },
                {"30m": ()},
            ),
            Scene(
                "every ten minutes is often enough",
                {"touchstone_signals_last_run_timestamp_seconds": "0+0x10 600+0x10 1200+0x10"},
                {"30m": ()},
            ),
        ),
    ),
    Alert(
        name="SignalsMissing",
        group=GROUP,
        expr="absent(touchstone_signals_last_run_timestamp_seconds)",
        for_="10m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Nobody computes the signals of the stages",
        description="No collector shows signals: slow stages and broken promises go unseen.",
        dashboard=_DASHBOARD,
        panel="Signals computed",
        drill="collector-dead",
        muted_by=(Cause.COLLECTOR,),
        scenes=(
            Scene(
                "the collector ends, and another begins",
                {"touchstone_signals_last_run_timestamp_seconds": "0+60x5 stale _x13 1200+60x9"},
                {
                    "15m": (),
                    "16m": (Firing("No collector shows signals: slow stages and broken promises go unseen."),),
                    "19m": (Firing("No collector shows signals: slow stages and broken promises go unseen."),),
                    "20m": (),
                },
            ),
        ),
    ),
    Alert(
        name="SignalsSlow",
        group=GROUP,
        expr="max(touchstone_signals_duration_seconds) > 30",
        for_="15m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="The signals take long to compute",
        description=(
            "The collector needs {{ $value | humanizeDuration }} to compute its signals; a few seconds are usual."
        ),
        dashboard=_DASHBOARD,
        panel="Time to compute them",
        scenes=(
            Edge(
                {"touchstone_signals_duration_seconds": "X"},
                quiet=("30",),
                loud="31",
                firing=(Firing("The collector needs 31s to compute its signals; a few seconds are usual."),),
            ),
        ),
    ),
    Alert(
        name="RulesFailing",
        group=GROUP,
        expr="increase(prometheus_rule_evaluation_failures_total[15m]) > 0",
        for_="0s",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Rules cannot be evaluated",
        description=(
            f"Failures of rules of {{{{ $labels.rule_group }}}} in 15 minutes, whose alerts are blind: {COUNT}."
        ),
        dashboard=_DASHBOARD,
        panel="Rules and notifications that fail",
        drill="rules-failing",
        muted_by=(),
        scenes=(
            Edge(
                {f"prometheus_rule_evaluation_failures_total{_RULES}": "X"},
                quiet=("0",),
                loud="1",
                firing=(
                    Firing(
                        "Failures of rules of rules.yaml;stages in 15 minutes, whose alerts are blind: 1.", _IN_GROUP
                    ),
                ),
                window="15m",
            ),
        ),
    ),
    Alert(
        name="RulesSlow",
        group=GROUP,
        expr="prometheus_rule_group_last_duration_seconds > prometheus_rule_group_interval_seconds",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Rules take longer than their interval",
        description=(
            "{{ $labels.rule_group }} takes {{ $value | humanizeDuration }} to evaluate, more than its interval."
        ),
        dashboard=_DASHBOARD,
        panel="Time to evaluate rules",
        muted_by=(),
        scenes=(
            Edge(
                {
                    f"prometheus_rule_group_last_duration_seconds{_RULES}": "X",
                    f"prometheus_rule_group_interval_seconds{_RULES}": "30",
                },
                quiet=("30",),
                loud="31",
                firing=(Firing("rules.yaml;stages takes 31s to evaluate, more than its interval.", _IN_GROUP),),
            ),
        ),
    ),
    Alert(
        name="AlertsUndelivered",
        group=GROUP,
        expr="""
            prometheus_notifications_alertmanagers_discovered < 1
            or increase(prometheus_notifications_dropped_total[15m]) > 0
        """,
        for_="2m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Prometheus reaches no Alertmanager",
        description="{{ $labels.instance }} knows no Alertmanager, or gave alerts up that none took.",
        dashboard=_DASHBOARD,
        panel="From Prometheus to Alertmanager",
        drill="alertmanager-dead",
        muted_by=(),
        scenes=(
            Edge(
                {f"prometheus_notifications_alertmanagers_discovered{_PROMETHEUS}": "X"},
                quiet=("1",),
                loud="0",
                firing=(
                    Firing(
                        "p:9090 knows no Alertmanager, or gave alerts up that none took.",
                        {"job": "prometheus", "instance": "p:9090"},
                    ),
                ),
            ),
            Edge(
                {
                    f"prometheus_notifications_alertmanagers_discovered{_PROMETHEUS}": "1",
                    f"prometheus_notifications_dropped_total{_PROMETHEUS}": "X",
                },
                quiet=("0",),
                loud="1",
                firing=(
                    Firing(
                        "p:9090 knows no Alertmanager, or gave alerts up that none took.",
                        {"job": "prometheus", "instance": "p:9090"},
                    ),
                ),
                window="15m",
            ),
        ),
    ),
    Alert(
        name="NotificationsFailing",
        group=GROUP,
        expr="sum by (integration) (increase(alertmanager_notifications_failed_total[15m])) > 0",
        for_="5m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Alertmanager cannot tell people ({{ $labels.integration }})",
        description=f"Notifications by {{{{ $labels.integration }}}} that failed in 15 minutes: {COUNT}.",
        dashboard=_DASHBOARD,
        panel="Notifications that reach nobody",
        muted_by=(),
        scenes=(
            Edge(
                {
                    'alertmanager_notifications_failed_total{instance="a",integration="email"}': "X",
                    'alertmanager_notifications_failed_total{instance="b",integration="email"}': "X",
                },
                quiet=("0",),
                loud="3",
                firing=(Firing("Notifications by email that failed in 15 minutes: 6.", {"integration": "email"}),),
                window="15m",
            ),
            Edge(
                {'alertmanager_notifications_failed_total{instance="a",integration="email"}': "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Notifications by email that failed in 15 minutes: 1.", {"integration": "email"}),),
                window="15m",
            ),
        ),
    ),
    Alert(
        name="ConfigurationStale",
        group=GROUP,
        expr="prometheus_config_last_reload_successful == 0 or alertmanager_config_last_reload_successful == 0",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="{{ $labels.job }} runs on an old configuration",
        description=(
            "{{ $labels.instance }} of {{ $labels.job }} could not read its configuration and keeps the old one."
        ),
        dashboard=_DASHBOARD,
        panel="Configuration in force",
        muted_by=(),
        scenes=(
            Edge(
                {f"prometheus_config_last_reload_successful{_PROMETHEUS}": "X"},
                quiet=("1",),
                loud="0",
                firing=(
                    Firing(
                        "p:9090 of prometheus could not read its configuration and keeps the old one.",
                        {"job": "prometheus", "instance": "p:9090"},
                    ),
                ),
            ),
            Edge(
                {f"alertmanager_config_last_reload_successful{_ALERTMANAGER}": "X"},
                quiet=("1",),
                loud="0",
                firing=(
                    Firing(
                        "m:9093 of alertmanager could not read its configuration and keeps the old one.",
                        {"job": "alertmanager", "instance": "m:9093"},
                    ),
                ),
            ),
        ),
    ),
)
