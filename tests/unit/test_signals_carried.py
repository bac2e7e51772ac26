"""A frozen reference goes on judging what it knows, to the last bit, whatever stages and segments come beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collectors.promise.model import PromiseFile
from collectors.promise.reading import DEFAULT_PROMISE, load_promise
from collectors.signals.basis import Basis
from collectors.signals.carried import carried, fits, outdated, stage_places
from collectors.signals.flow import flows
from collectors.signals.ledger import HOUR_US, Ledger
from collectors.signals.monitor import StageSignal, signals
from collectors.signals.reference import Reference, from_document
from collectors.signals.scope import Scope
from collectors.timelines.codebook import Codebook
from tests.unit.test_signals_monitor import END, SCOPE, frozen, lived

BASIS = Basis(("checks", "makes"), "ends", "hours")
KNOWN = replace(SCOPE, basis=BASIS)


@pytest.fixture(scope="module")
def slowed() -> Ledger:
    """Return a house whose second stage has become slower."""
    return lived(slow=(1, 1.6))


@pytest.fixture(scope="module")
def reference(slowed: Ledger) -> Reference:
    """Return its reference, which knows what it was fitted to."""
    return frozen(slowed, KNOWN)


def arranged(ledger: Ledger, stages: list[int], more: int = 0) -> Ledger:
    """Return a ledger with its stages in another order (-1: a stage that nobody has been in), and more segments."""
    found = Ledger(len(stages), ledger.segments)
    found.first = ledger.first
    for name in ("_time", "_inside", "_entries", "_departures"):
        held = getattr(ledger, name)
        setattr(found, name, np.concatenate([held, np.zeros_like(held[:1])])[stages].copy())
    found.widen(ledger.segments + more)
    return found


def told(ledger: Ledger, reference: Reference, scope: Scope) -> dict[tuple[str, str], StageSignal]:
    return {(one.stage, one.segment): one for one in signals(ledger, reference, scope, END * HOUR_US)}


def wider(scope: Scope = KNOWN) -> Scope:
    return replace(scope, segments=("all", "channel=new", "channel=b2b"))


def test_a_new_segment_has_no_test_and_changes_none(slowed: Ledger, reference: Reference) -> None:
    """What was slow still is, by the same numbers; the new one is neither slow nor known."""
    found = carried(reference, wider())
    assert found is not None
    line = arranged(slowed, [0, 1], more=1)
    line._departures[:, [1, 2]] = line._departures[:, [2, 1]]  # noqa: SLF001 - its segments in the scope's order
    line._entries[:, [1, 2]] = line._entries[:, [2, 1]]  # noqa: SLF001
    line._inside[:, [1, 2]] = line._inside[:, [2, 1]]  # noqa: SLF001
    line._time[:, [1, 2]] = line._time[:, [2, 1]]  # noqa: SLF001
    before, after = told(slowed, reference, KNOWN), told(line, found, wider())
    assert before["making", "all"].slow
    for cell, one in before.items():
        assert repr(after[cell]) == repr(one)
    for stage in SCOPE.stages:
        one = after[stage, "channel=new"]
        assert np.isnan(one.slowdown)
        assert (one.evidence, one.budget_evidence, one.since) == (0, 0, None)
    flow = {(one.stage, one.segment): one for one in flows(line, found, wider(), END * HOUR_US)}
    assert flow["making", "channel=new"].reference_departures == 0
    assert np.isnan(flow["making", "channel=new"].reference_age_s[0])
    assert flow["making", "channel=b2b"].reference_departures == reference.departures[1, 1]


def test_stages_are_known_by_what_they_are_made_of(slowed: Ledger, reference: Reference) -> None:
    """Renamed and in another order, they are the same; a new one has no test, and a recut one has none either."""
    names = ("working", "polishing", "looking")
    scope = Scope(names, SCOPE.segments, SCOPE.budget_us[[1, 1, 0]], np.zeros(3, dtype=np.bool_))
    scope = replace(scope, basis=replace(BASIS, stages=("makes", "polishes", "checks")))
    found = carried(reference, scope)
    assert found is not None
    before, after = told(slowed, reference, KNOWN), told(arranged(slowed, [1, -1, 0]), found, scope)
    for segment in SCOPE.segments:
        for old, new in (("making", "working"), ("checking", "looking")):
            assert repr(after[new, segment]) == repr(replace(before[old, segment], stage=new))
        assert after["polishing", segment].evidence == 0
    assert found.departures[:, 0].tolist() == [reference.departures[1, 0], 0, reference.departures[0, 0]]
    recut = replace(KNOWN, basis=replace(BASIS, stages=("checks", "makes and packs")))
    assert stage_places(reference, recut).tolist() == [0, -1]
    assert outdated(reference, recut)


def test_what_needs_no_new_fit_is_not_outdated(reference: Reference) -> None:
    assert fits(reference, KNOWN)
    for scope in (wider(), replace(KNOWN, stages=("a", "b")), replace(KNOWN, segments=("all",))):
        assert not fits(reference, scope)
        assert not outdated(reference, scope)
        assert fits(carried(reference, scope) or reference, scope)


def test_other_ends_of_the_promise_leave_nothing_known(reference: Reference) -> None:
    scope = replace(KNOWN, basis=replace(BASIS, measured="other ends"))
    assert outdated(reference, scope)
    assert carried(reference, scope) is None


def test_other_hours_of_work_ask_for_a_new_fit_and_spoil_no_old_one(reference: Reference) -> None:
    scope = replace(KNOWN, basis=replace(BASIS, counted="other hours"))
    assert outdated(reference, scope)
    found = carried(reference, scope)
    assert found is not None
    assert np.array_equal(found.limits, reference.limits)
    assert fits(found, scope)  # it is not asked for again in every turn


def test_only_closed_days_within_the_period_matter(reference: Reference) -> None:
    """The next year's holidays are no reason to fit anew. Of the period itself, each day is."""
    for day, matters in (("2025-12-31", False), ("2026-02-02", True), ("2027-01-01", False)):
        assert outdated(reference, replace(KNOWN, basis=replace(BASIS, closed=(day,)))) is matters


def test_a_queue_whose_work_is_not_known_is_not_known(reference: Reference) -> None:
    """By names: a reference of an earlier version does not say what the stages were made of."""
    old = replace(reference, basis=None)
    assert outdated(old, KNOWN)
    assert stage_places(old, replace(KNOWN, stages=("checking", "new"), queues=((0, 1),))).tolist() == [-1, -1]
    assert stage_places(old, replace(KNOWN, stages=("checking", "new"))).tolist() == [0, -1]
    found = carried(old, KNOWN)
    assert found is not None
    assert fits(found, KNOWN)
    assert carried(old, replace(KNOWN, stages=("new", "newer"))) is None


def test_a_carried_reference_keeps_its_json_form(reference: Reference) -> None:
    found = carried(reference, wider())
    assert found is not None
    again = from_document(json.loads(json.dumps(found.document())))
    assert again.document() == found.document()
    assert again.basis == BASIS
    old = {name: value for name, value in reference.document().items() if name != "basis"}
    assert from_document(old).basis is None


def basis(**changed: Any) -> Basis:
    """Return the basis of the jeweller's promise, with sections changed."""
    promise = load_promise(DEFAULT_PROMISE)
    document = promise.model_dump(by_alias=True)
    for name, section in changed.items():
        document[name] = {**(document[name] or {}), **section} if isinstance(section, dict) else section
    codebook = Codebook(PromiseFile.model_validate(document))
    found = Scope.of(codebook).basis
    assert found is not None
    return found


def test_a_basis_tells_what_a_fit_depends_on() -> None:
    """Neither names, owners nor budgets, nor the promise's length and objective."""
    before = basis()
    stages = load_promise(DEFAULT_PROMISE).model_dump(by_alias=True)["stages"]
    assert len(set(before.stages)) == len(before.stages) == len(stages) + 1
    renamed = [{**stage, "name": stage["name"] + "!", "owner": "me", "budget": "1d"} for stage in stages]
    assert basis(stages=renamed, promise={"within": "30d", "objective": 0.5}) == before
    assert basis(promise={"to": "CLOSED"}).measured != before.measured
    assert basis(calendar={"timezone": "Europe/Berlin"}).measured != before.measured
    short = basis(calendar={"hours": "10:00-12:00"})
    assert (short.measured, short.stages) == (before.measured, before.stages)
    assert short.counted != before.counted
    assert basis(calendar={"closed": ["2026-12-25", "2026-12-24"]}).closed == ("2026-12-24", "2026-12-25")


def test_a_queue_is_made_of_the_work_that_it_waits_for_too() -> None:
    """A stage of work that takes another status over changes itself, and the queue before it; no other stage."""
    stages = load_promise(DEFAULT_PROMISE).model_dump(by_alias=True)["stages"]
    queue = next(at for at, one in enumerate(stages[:-1]) if (one["kind"], stages[at + 1]["kind"]) == ("wait", "work"))
    now = [*stages[: queue + 1], {**stages[queue + 1], "kind": "wait"}, *stages[queue + 2 :]]
    changed = [one != other for one, other in zip(basis().stages, basis(stages=now).stages, strict=True)]
    assert changed[queue]
    assert not any(changed[:queue])
