"""Every alert and every recorded series of the house."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alerts import targets
from alerts.model import PROMISE, SERVICES, Recording
from alerts.rules import (
    broker,
    burning,
    bus,
    hearing,
    maintenance,
    orders,
    owners,
    pricing,
    processes,
    promises,
    scrapes,
    silence,
    sources,
    stages,
    vendor,
    watchers,
)
from alerts.settings import default_settings

if TYPE_CHECKING:
    from alerts.model import Alert
    from alerts.settings import Settings
    from collectors.promise import PromiseFile

MODULES: Final = (
    promises,
    stages,
    owners,
    burning,
    orders,
    silence,
    sources,
    bus,
    broker,
    vendor,
    pricing,
    processes,
    scrapes,
    watchers,
    maintenance,
)
ARRIVALS: Final = Recording(
    "touchstone:arrivals:per_second",
    burning.INDICATORS,
    'sum(max by (stage) (touchstone_stage_arrivals_per_second{segment="all"}))',
)


def alerts(promise: PromiseFile, settings: Settings | None = None) -> tuple[Alert, ...]:
    """Return every alert, its owner named as the settings have it; None where the stage's owner is told.

    No alert depends on the promise file today (its figures are recorded targets); callers need not know that.
    """
    del promise
    roles = (settings or default_settings()).owners
    named = {PROMISE: roles.promise, SERVICES: roles.services, None: None}
    return tuple(replace(alert, owner=named[alert.owner]) for module in MODULES for alert in module.ALERTS)


def recordings() -> tuple[Recording, ...]:
    """Return the series that several alerts share, in the order in which they are evaluated."""
    return (ARRIVALS, *burning.recordings(), *promises.LIMITS, owners.OWNER, hearing.UNHEARD)


def recorded_targets(promise: PromiseFile, settings: Settings | None = None) -> tuple[Recording, ...]:
    """Return what the promise file and the settings say, as recorded series."""
    return targets.recordings(promise, settings or default_settings())
