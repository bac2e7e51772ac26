"""What the promise file and the settings say, as recorded series: rules join to these and never change with them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from alerts.model import Recording
from collectors.conventions import STAGE_DURATION_BUCKETS
from collectors.promise.model import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.settings import Settings
    from collectors.promise import PromiseFile
    from collectors.promise.model import Stage

GROUP: Final = "targets"
# Stages of hours have volume enough for burn rates; those of days have the in-flight test.
LONGEST_BUDGET: Final = timedelta(days=1)


def recordings(promise: PromiseFile, settings: Settings) -> tuple[Recording, ...]:
    """Return every target."""
    return (
        *(_one("touchstone:stage_owner", stage=name, owner=owner) for name, owner in owners(promise, settings).items()),
        *(_one("touchstone:job_expected", job=job) for job in settings.jobs),
        *(
            _target("touchstone:price_age_limit:seconds", limit.total_seconds(), {"class": name})
            for name, limit in settings.price_age
        ),
        _target("touchstone:memory_limit:bytes", settings.memory, {}),
        *_buckets(promise, settings),
        *_budgets(promise, settings),
    )


def owners(promise: PromiseFile, settings: Settings) -> dict[str, str]:
    """Return whom the alerts of each stage go to, the implicit last stage among them."""
    named = {stage.name: stage.owner or settings.owners.promise for stage in promise.stages}
    return {**named, ELSEWHERE: settings.owners.promise}


def hourly(promise: PromiseFile) -> dict[str, float]:
    """Return the stages whose budget is of hours, with the histogram bucket (seconds) that is no less than it."""
    found = {}
    for stage in promise.stages:
        budget = promise.budget(stage)
        if budget is not None and budget <= LONGEST_BUDGET and _elapsed(stage):
            found[stage.name] = min(bound for bound in STAGE_DURATION_BUCKETS if bound >= budget.total_seconds())
    return found


def _elapsed(stage: Stage) -> bool:
    return not stage.working and not stage.pauses


def _buckets(promise: PromiseFile, settings: Settings) -> Iterator[Recording]:
    for name, objective in (("latency", settings.objectives.latency), ("price", settings.objectives.price)):
        if objective.within is not None:
            yield _one(f"touchstone:{name}_bucket", le=_spelt(objective.within.total_seconds()))
    for stage, bound in hourly(promise).items():
        yield _one("touchstone:stage_bucket", stage=stage, le=_spelt(bound))


def _budgets(promise: PromiseFile, settings: Settings) -> Iterator[Recording]:
    objectives, technical = settings.objectives, settings.owners.services
    for job in settings.jobs:
        yield _budget("errors", job, technical, objectives.errors.share)
        yield _budget("latency", job, technical, objectives.latency.share)
    for price_class in ("shop", "partner"):
        yield _budget("price", price_class, technical, objectives.price.share)
    owned = owners(promise, settings)
    for stage in hourly(promise):
        yield _budget("stage", stage, owned[stage], promise.promise.objective)


def _budget(sli: str, of: str, owner: str, share: float) -> Recording:
    return _target("touchstone:sli_budget:ratio", round(1 - share, 12), {"sli": sli, "of": of, "owner": owner})


def _one(name: str, **labels: str) -> Recording:
    return _target(name, 1, labels)


def _target(name: str, value: float, labels: dict[str, str]) -> Recording:
    return Recording(name, GROUP, f"vector({value:.12g})", labels)


def _spelt(bound: float) -> str:
    """Return a bucket's bound as prometheus_client writes bounds below a million: 60 seconds are 60.0."""
    return str(float(bound))
