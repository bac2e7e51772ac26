"""What a request is answered: a mark's number on the picture is that of its sentence in the list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pricing.calculation import measured
from pricing.checking import Problem, ProblemCode, Severity
from pricing.materials import DEFAULT_ALLOY, load_materials
from pricing.quoting import Order, quote
from pricing.workers.outcomes import Outcome
from tests.workers import plate

if TYPE_CHECKING:
    from pathlib import Path


def test_problems_with_a_place_come_first_and_each_has_one_mark(tmp_path: Path) -> None:
    model = tmp_path / "plate.stl"
    model.write_bytes(plate(2.0))
    found, materials = measured(model), load_materials()
    made = quote(found.measures, materials, Order(DEFAULT_ALLOY), found.unit)
    assert made.problems == ()
    code = next(iter(ProblemCode))
    anywhere = Problem(code, Severity.WARNING, "Somewhere.", ())
    twice = Problem(code, Severity.WARNING, "Here and there.", ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    once = Problem(code, Severity.WARNING, "There.", ((7.0, 8.0, 9.0),))
    told = Outcome.of(replace(made, problems=(anywhere, twice, once)))
    assert told.problems == ("Here and there.", "There.", "Somewhere.")
    assert told.marks == ((1.0, 2.0, 3.0), (7.0, 8.0, 9.0))
    assert Outcome.from_document(told.to_document()) == told
