"""What a frozen reference says of stages and segments that are not quite those it was fitted to.

What it knows stays in force; a segment or a stage that it does not know has no test until a reference knows it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from collectors.signals.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.signals.basis import Basis
    from collectors.signals.reference import Reference
    from collectors.signals.scope import Scope

    Places = NDArray[np.int64]

Number = TypeVar("Number", np.float64, np.int64)

NOWHERE: Final = -1


def fits(reference: Reference, scope: Scope) -> bool:
    """Return whether a reference is one of just these stages and segments, as they are measured now."""
    names = (reference.stages, reference.segments) == (scope.stages, scope.segments)
    return names and reference.basis == _basis_of(reference, scope)


def outdated(reference: Reference, scope: Scope) -> bool:
    """Return whether something has changed that the fit depends on: it should be fitted anew, if that can be had.

    The names of the stages are none of that, nor are segments. What a version that did not store its basis has fitted
    is outdated, too: nobody knows what it was.
    """
    if scope.basis is None:
        return reference.stages != scope.stages
    if reference.basis is None:
        return True
    now = replace(scope.basis.within(reference.begin, reference.end), stages=reference.basis.stages)
    return now != reference.basis or NOWHERE in stage_places(reference, scope)


def carried(reference: Reference, scope: Scope) -> Reference | None:
    """Return what a reference says of these stages and segments; None if it knows none of the stages.

    What it does not know is as if nothing had ever left there: no departures, no expectation, no limit.
    """
    stages = stage_places(reference, scope)
    if (stages == NOWHERE).all():
        return None
    known = {segment: place for place, segment in enumerate(reference.segments)}
    both = (stages, np.array([known.get(segment, NOWHERE) for segment in scope.segments], dtype=np.int64))
    rates = reference.rates
    return replace(
        reference,
        stages=scope.stages,
        segments=scope.segments,
        rates=Rates(
            age=_taken(rates.age, both, 0.0),
            slot=_taken(rates.slot, both, 1.0),
            ahead=_taken(rates.ahead, (stages,), 1.0),
            edges=_taken(rates.edges, (stages,), 0.0),
            full=_taken(rates.full, (stages,), np.inf),
            capacity=_taken(rates.capacity, (stages,), np.inf),
        ),
        departures=_taken(reference.departures, both, 0),
        mean_h=_taken(reference.mean_h, both, 0.0),
        age_h=_taken(reference.age_h, both, np.nan, axis=1),
        busiest=_taken(reference.busiest, both, 0),
        limits=_taken(reference.limits, both, np.inf, axis=1),
        basis=_basis_of(reference, scope),
    )


def stage_places(reference: Reference, scope: Scope) -> Places:
    """Return where the reference has each of these stages [S], NOWHERE where it has none that is made of the same.

    By what they are made of; by their names where the reference does not say.
    """
    own, wanted = reference.stages, scope.stages
    if reference.basis is not None and scope.basis is not None:
        if reference.basis.measured != scope.basis.measured:
            return np.full(len(wanted), NOWHERE, dtype=np.int64)
        own, wanted = reference.basis.stages, scope.basis.stages
    known = {stage: place for place, stage in enumerate(own)}
    places = np.array([known.get(stage, NOWHERE) for stage in wanted], dtype=np.int64)
    for queue, work in scope.queues:
        # How fast a queue moves hangs on the work that it waits for.
        places[queue] = NOWHERE if places[work] == NOWHERE else places[queue]
    return places


def _basis_of(reference: Reference, scope: Scope) -> Basis | None:
    return scope.basis.within(reference.begin, reference.end) if scope.basis else None


def _taken(values: NDArray[Number], places: Sequence[Places], nothing: float, axis: int = 0) -> NDArray[Number]:
    """Return the values at these places along the axes from ``axis`` on; ``nothing`` stands at NOWHERE."""
    for number, at in enumerate(places, start=axis):
        # One more at the end of the axis, which is where -1 leads.
        wider = [(0, int(one == number)) for one in range(values.ndim)]
        values = np.pad(values, wider, constant_values=nothing).take(at, axis=number)
    return values
