"""Alertmanager's configuration: who is told of what, how soon, and which alert mutes which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alerts import targets
from alerts.model import Cause, Severity
from alerts.settings import DEADMAN, NOBODY
from collectors.promise.values import format_hours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alerts.model import Alert
    from alerts.settings import Receiver, Settings
    from collectors.promise import PromiseFile
    from collectors.promise.model import Calendar

BUSINESS_HOURS: Final = "business hours"
HOLIDAYS: Final = "holidays"
_DOWN: Final = 'alertname="ServiceDown"'
# Cause -> (what fires, what must be alike in the muted alert). That of OWNER depends on the promise file.
CAUSES: Final[dict[Cause, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Cause.MAINTENANCE: (('alertname="Maintenance"',), ()),
    Cause.SAME_JOB: ((_DOWN,), ("job",)),
    Cause.MES: ((_DOWN, 'job="mes"'), ()),
    # A call that stays owed mutes nothing: it may be one of many, for days.
    Cause.VENDOR: (('alertname="VendorSilent"', 'what="journal"'), ()),
    Cause.BROKER: (('alertname=~"ServiceDown|BrokerAlarm"', 'job="rabbitmq"'), ()),
    Cause.COLLECTOR: ((_DOWN, 'job="collector"'), ()),
    Cause.PRICING: ((_DOWN, 'job="pricing"'), ()),
}
_TIMING: Final = {
    Severity.PAGE: {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"},
    Severity.TICKET: {"group_wait": "5m", "group_interval": "1h", "repeat_interval": "3d"},
}
_WEEKDAYS: Final = {
    "mon": "monday",
    "tue": "tuesday",
    "wed": "wednesday",
    "thu": "thursday",
    "fri": "friday",
    "sat": "saturday",
    "sun": "sunday",
}


def configuration(promise: PromiseFile, settings: Settings, catalogue: Sequence[Alert]) -> dict[str, Any]:
    """Return the whole configuration."""
    calendar = promise.calendar
    return {
        "global": {"resolve_timeout": "5m", **_smtp(settings)},
        "route": _routes(promise, settings),
        "inhibit_rules": list(_inhibitions(promise, settings, catalogue)),
        "receivers": [
            *(_receiver(name, one) for name, one in settings.receivers.items()),
            _receiver(DEADMAN, settings.deadman),
            {"name": NOBODY},
        ],
        **({"time_intervals": list(_intervals(calendar))} if calendar else {}),
    }


def _smtp(settings: Settings) -> dict[str, Any]:
    smtp = settings.smtp
    if smtp is None:
        return {}
    found = {"smtp_smarthost": smtp.smarthost, "smtp_from": smtp.sender}
    if smtp.user is not None:
        found["smtp_auth_username"] = smtp.user
    if smtp.password_file is not None:
        found["smtp_auth_password_file"] = smtp.password_file
    return found


def _receiver(name: str, receiver: Receiver) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name}
    if receiver.webhook is not None:
        found["webhook_configs"] = [{"url": str(receiver.webhook), "send_resolved": name != DEADMAN}]
    if receiver.email is not None:
        found["email_configs"] = [{"to": receiver.email, "send_resolved": True}]
    return found


def _routes(promise: PromiseFile, settings: Settings) -> dict[str, Any]:
    told = {*targets.owners(promise, settings).values(), settings.owners.promise, settings.owners.services}
    heartbeat = {"group_wait": "0s", "group_interval": "1m", "repeat_interval": "1m"}
    return {
        "receiver": settings.owners.services,
        "group_by": ["alertname", "owner"],
        **_TIMING[Severity.PAGE],
        "routes": [
            {"matchers": ['alertname="Watchdog"'], "receiver": DEADMAN, **heartbeat},
            {"matchers": [f'severity="{Severity.NONE}"'], "receiver": NOBODY},
            *(_owner(name, promise.calendar, settings) for name in settings.receivers if name in told),
            # Owners without a receiver: their tickets are no pages either.
            {**_ticket(promise.calendar), "receiver": settings.owners.services},
        ],
    }


def _owner(name: str, calendar: Calendar | None, settings: Settings) -> dict[str, Any]:
    """Return an owner's routes. With a calendar, tickets of those who are not on call wait until people work."""
    ticket = _ticket(None if name == settings.owners.services else calendar)
    return {"matchers": [f"owner={_quoted(name)}"], "receiver": name, "routes": [ticket]}


def _ticket(calendar: Calendar | None) -> dict[str, Any]:
    route: dict[str, Any] = {"matchers": [f'severity="{Severity.TICKET}"'], **_TIMING[Severity.TICKET]}
    if calendar is not None:
        route["active_time_intervals"] = [BUSINESS_HOURS]
        if calendar.closed:
            route["mute_time_intervals"] = [HOLIDAYS]
    return route


def _intervals(calendar: Calendar) -> Iterator[dict[str, Any]]:
    opens, closes = format_hours(calendar.hours).split("-")
    hours = {
        "times": [{"start_time": opens, "end_time": closes}],
        "weekdays": [_WEEKDAYS[day] for day in _WEEKDAYS if day in calendar.weekdays],
        "location": calendar.timezone,
    }
    yield {"name": BUSINESS_HOURS, "time_intervals": [hours]}
    if calendar.closed:
        days = [
            {
                "years": [str(day.year)],
                "months": [str(day.month)],
                "days_of_month": [str(day.day)],
                "location": calendar.timezone,
            }
            for day in calendar.closed
        ]
        yield {"name": HOLIDAYS, "time_intervals": days}


def _inhibitions(promise: PromiseFile, settings: Settings, catalogue: Sequence[Alert]) -> Iterator[dict[str, Any]]:
    for cause, (source, equal) in CAUSES.items():
        yield _inhibition(source, [_named(catalogue, cause)], equal)
    services = [name for name in settings.jobs if name in targets.owners(promise, settings).values()]
    for service in services:
        muted = [_named(catalogue, Cause.OWNER), f"owner={_quoted(service)}"]
        yield _inhibition((_DOWN, f"job={_quoted(service)}"), muted, ())


def _inhibition(source: Sequence[str], target: Sequence[str], equal: Sequence[str]) -> dict[str, Any]:
    found = {"source_matchers": list(source), "target_matchers": list(target)}
    return found | ({"equal": list(equal)} if equal else {})


def _named(catalogue: Sequence[Alert], cause: Cause) -> str:
    names = "|".join(alert.name for alert in catalogue if cause in alert.muted_by)
    return f'alertname=~"{names}"'


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
