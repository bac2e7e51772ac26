"""The signals as Prometheus' gauges. What is not known is left out: no sample stands for a guess."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily

from collectors import conventions as names
from collectors.signals.monitor import EFFECT
from collectors.signals.reference import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from collectors.live.signalling.figures import Figures
    from collectors.live.signalling.running import Signalling
    from collectors.signals.promise_risk import Risk

    Samples = Iterable[tuple[list[str], float | None]]

SECOND: Final = 1_000_000
_STAGE: Final = [names.STAGE]
_PART: Final = [names.STAGE, names.SEGMENT]


class SignalGauges:
    """Reads the figures of the last turn at every scrape."""

    def __init__(self, signalling: Signalling) -> None:
        self.signalling = signalling

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge."""
        signalling = self.signalling
        text = "1 for the collector that tells the signals, 0 for those that take events in for it."
        yield _one(names.SIGNALS_LEADER, text, signalling.leads)
        yield _one(names.STAGE_EFFECT_MINIMUM, "The slow-down that an alert demands besides evidence.", EFFECT)
        yield _one(names.BUSINESS_HOURS, "1 while people work by the calendar.", signalling.in_business_hours())
        yield _one(names.MAINTENANCE, "1 within a maintenance window.", signalling.in_maintenance())
        text = "When the maintenance window ends that is open, or ended that was the last one; 0: there was none yet."
        yield _one(names.MAINTENANCE_UNTIL, text, signalling.maintenance_until() / SECOND)
        if signalling.reference is not None:
            text = "When the period ended that stages are judged against."
            yield _one(names.REFERENCE_TIMESTAMP, text, signalling.reference.end / SECOND)
        figures = signalling.figures
        if figures is not None:
            yield _one(names.SIGNALS_LAST_RUN, "When the signals were last computed.", figures.as_of / SECOND)
            yield _one(names.SIGNALS_DURATION, "How long that took.", signalling.took_s)
            yield from _slowness(figures)
            yield from _flow(figures)
            yield from _risk(figures, signalling.codebook.stages)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the names are known only from the figures."""
        yield from ()


def _slowness(figures: Figures) -> Iterator[Metric]:
    stages = figures.stages
    yield _family(
        names.STAGE_SLOWDOWN,
        "How much slower orders leave the stage than in the reference period.",
        _PART,
        (([s.stage, s.segment], s.slowdown) for s in stages),
    )
    yield _family(
        names.STAGE_SLOWDOWN_BOUND,
        "The 95 % bounds of the slow-down.",
        [*_PART, names.BOUND],
        (
            ([s.stage, s.segment, bound], value)
            for s in stages
            for bound, value in ((names.LOWER, s.lower), (names.UPPER, s.upper))
        ),
    )
    yield _family(
        names.STAGE_EVIDENCE,
        "Evidence that the stage is slower than in the reference period; 1 is the calibrated limit.",
        _PART,
        (([s.stage, s.segment], s.evidence) for s in stages),
    )
    # Only where it is slow by evidence and effect: before that, a date would be one of chance.
    yield _family(
        names.STAGE_SLOW_SINCE,
        "Since when orders have left the stage so much slower; none where it is not slow.",
        _PART,
        (([s.stage, s.segment], s.since / SECOND) for s in stages if s.slow and s.since is not None),
    )
    yield _family(
        names.STAGE_BUDGET_RATIO,
        "How long orders are in the stage, on average, over its budget; none without a budget.",
        _PART,
        (([s.stage, s.segment], s.budget_ratio) for s in stages),
    )
    yield _family(
        names.STAGE_BUDGET_EVIDENCE,
        "Evidence that the stage is over its budget by the effect demanded; 1 is the calibrated limit.",
        _PART,
        (([s.stage, s.segment], s.budget_evidence if s.budget_ratio >= EFFECT else 0.0) for s in stages),
    )


def _flow(figures: Figures) -> Iterator[Metric]:
    flows = figures.flows
    for name, text, pick in (
        (names.STAGE_AGE, "How long orders have been in the stage.", "age_s"),
        (
            names.STAGE_REFERENCE_AGE,
            "How long orders had been in the stage in the reference period.",
            "reference_age_s",
        ),
    ):
        yield _family(
            name,
            text,
            [*_PART, names.QUANTILE],
            (
                ([flow.stage, flow.segment, str(quantile)], age)
                for flow in flows
                for quantile, age in zip(QUANTILES, getattr(flow, pick), strict=True)
            ),
        )
    for name, text, pick in (
        (names.STAGE_ARRIVALS, "Orders that enter the stage, over seven days.", "arrivals_per_s"),
        (names.STAGE_DEPARTURES, "Orders that leave the stage, over seven days.", "departures_per_s"),
        (names.STAGE_REFERENCE_DEPARTURES, "Departures in the reference period; 0: none.", "reference_departures"),
    ):
        yield _family(name, text, _PART, (([flow.stage, flow.segment], getattr(flow, pick)) for flow in flows))
    yield _family(
        names.STAGE_UTILISATION,
        "Arrivals of seven days over the most departures in any seven days of the reference period.",
        _STAGE,
        (([flow.stage], flow.utilisation) for flow in flows if flow.segment == names.ALL),
    )


def _risk(figures: Figures, stages: tuple[str, ...]) -> Iterator[Metric]:
    share, culprit = figures.share, figures.culprit
    risks: dict[str, Risk] = {names.ALL: figures.risk, **figures.risk_by_segment}
    yield _one(names.EXPECTED_BREAKS, "Open promises that are expected to break.", figures.risk.expected / share)
    yield _family(
        names.STAGE_EXPECTED_BREAKS,
        "Open promises of orders in the stage that are expected to break.",
        _STAGE,
        (([stage], risk.expected / share) for stage, risk in zip(stages, figures.risk_by_stage, strict=True)),
    )
    yield _family(
        names.EXPECTED_BREAK_RATIO,
        "The share of open promises that is expected to break.",
        [names.SEGMENT],
        (([segment], risk.share) for segment, risk in risks.items()),
    )
    yield _family(
        names.EXPECTED_BREAK_BOUND,
        "Between which shares it should come to lie in nine cases of ten.",
        [names.SEGMENT, names.BOUND],
        (
            ([segment, bound], value)
            for segment, risk in risks.items()
            for bound, value in ((names.LOWER, risk.lower_share), (names.UPPER, risk.upper_share))
        ),
    )
    yield _one(names.BUDGET_SPENT, "Broken promises of 28 days over those allowed.", figures.budget.spent.ratio)
    text = "What it will be once all orders of today are due, as far as the promise looks ahead."
    yield _one(names.BUDGET_FORECAST, text, figures.budget.forecast.ratio)
    text = "1 for the stage that would rescue most of the expected breaks, had it kept its budget."
    yield _family(names.CULPRIT, text, _STAGE, (([s], float(n == culprit.stage)) for n, s in enumerate(stages)))
    yield _one(names.CULPRIT_RESCUED, "The share of the expected breaks that it would rescue.", culprit.ratio)


def _one(name: str, text: str, value: float | None) -> Metric:
    return _family(name, text, [], [([], value)])


def _family(name: str, text: str, labels: list[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        if value is not None and not math.isnan(value):
            family.add_metric(values, float(value))
    return family
