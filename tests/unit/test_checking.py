"""Castability: each check on both sides of its bound, each problem in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pricing.checking import Problem, ProblemCode, Severity, castable, check, refuse
from pricing.measuring import BodyKind
from pricing.refusals import Refusal, RefusalCode
from pricing.units import Unit
from tests.unit.test_quoting import CUBE, MATERIALS, Measures

GOLD = MATERIALS.alloy("gold")  # walls of 0.6 mm, wires of 0.8 mm, 10 % shrinkage; the flask is 90 by 130 mm


def found(measures: Measures, unit: Unit = Unit.MILLIMETRE) -> list[tuple[ProblemCode | RefusalCode, Severity]]:
    return [(problem.code, problem.severity) for problem in check(measures, GOLD, MATERIALS, unit)]


def cube(side: float, **more: Any) -> Measures:
    return replace(CUBE, bbox_mm=(side, side, side), volume_mm3=side**3, area_mm2=6 * side**2, **more)


def test_a_sound_cube_has_no_problem() -> None:
    assert found(CUBE) == []


@pytest.mark.parametrize(
    ("wall", "error", "severity"),
    [
        (0.80, 0.0, None),
        (0.59, 0.0, Severity.UNCASTABLE),
        (0.95, 0.3501, Severity.WARNING),
        (0.50, 0.1001, Severity.WARNING),
        (0.50, 0.0999, Severity.UNCASTABLE),
        (0.59, None, Severity.UNCASTABLE),
    ],
)
def test_a_wall_is_judged_with_the_error_of_its_measurement(
    wall: float, error: float | None, severity: Severity | None
) -> None:
    """Surely too thin cannot be cast; what the error leaves open is a warning."""
    expected = [] if severity is None else [(ProblemCode.THIN_WALL, severity)]
    assert found(replace(CUBE, min_wall_mm=wall, min_wall_error_mm=error)) == expected


def test_a_thin_wall_says_where_it_is_and_what_the_alloy_needs() -> None:
    measures = replace(CUBE, min_wall_mm=0.3, min_wall_error_mm=0.05, min_wall_at_mm=(1.0, 2.0, 3.0))
    [problem] = check(measures, GOLD, MATERIALS)
    assert problem.where == ((1.0, 2.0, 3.0),)
    assert problem.sentence == "The thinnest wall has 0.30 mm (± 0.05), and gold needs 0.6 mm; thicken it."


def test_an_unmeasured_wall_is_a_warning() -> None:
    assert found(replace(CUBE, min_wall_mm=None, min_wall_error_mm=None)) == [
        (ProblemCode.UNKNOWN_WALL, Severity.WARNING)
    ]


@pytest.mark.parametrize(
    ("wall", "error", "problems"),
    [(0.60, 0.0, 1), (0.79, 0.0, 1), (0.80, 0.0, 0), (0.85, 0.0501, 1), (0.85, 0.0499, 0)],
)
def test_what_is_enough_for_a_wall_may_be_too_thin_for_a_wire(wall: float, error: float, problems: int) -> None:
    expected = problems * [(ProblemCode.THIN_WIRE, Severity.WARNING)]
    assert found(replace(CUBE, min_wall_mm=wall, min_wall_error_mm=error)) == expected


@pytest.mark.parametrize(("gap", "problems"), [(0.30, 0), (0.29, 1), (None, 0)])
def test_a_narrow_gap_is_a_warning_with_its_place(gap: float | None, problems: int) -> None:
    found_here = check(replace(CUBE, min_gap_mm=gap, min_gap_at_mm=(1.0, 2.0, 3.0)), GOLD, MATERIALS)
    expected = problems * [(ProblemCode.NARROW_GAP, Severity.WARNING, ((1.0, 2.0, 3.0),))]
    assert [(problem.code, problem.severity, problem.where) for problem in found_here] == expected


def test_an_open_surface_is_shown_where_it_is_open() -> None:
    torn = replace(CUBE, watertight=False, open_edges=2, trouble_at_mm=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    with pytest.raises(Refusal) as refused:
        refuse(check(torn, GOLD, MATERIALS))
    assert refused.value.where == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


def test_a_refusal_tells_its_places_in_the_models_own_unit() -> None:
    torn = replace(CUBE, watertight=False, open_edges=1, trouble_at_mm=((25.4, 0.0, 50.8),))
    with pytest.raises(Refusal) as refused:
        refuse(check(torn, GOLD, MATERIALS, Unit.INCH), Unit.INCH)
    assert refused.value.where == ((1.0, 0.0, 2.0),)


@pytest.mark.parametrize(("cavities", "words"), [(1, "There is a hollow inside"), (3, "There are 3 hollows inside")])
def test_a_sealed_hollow_cannot_be_cast(cavities: int, words: str) -> None:
    [problem] = check(replace(CUBE, cavities=cavities), GOLD, MATERIALS)
    assert (problem.code, problem.severity) == (ProblemCode.CAVITY, Severity.UNCASTABLE)
    assert problem.sentence.startswith(words)


@pytest.mark.parametrize(
    ("box", "severity"),
    [
        # Grown by 10 % the box must stand in a cylinder of 90 by 130 mm.
        ((57.0, 57.0, 118.0), None),  # its diagonal has 88.7 mm
        ((118.0, 57.0, 57.0), None),  # the same, lying
        ((58.0, 58.0, 118.0), Severity.WARNING),  # its diagonal has 90.2 mm
        ((81.0, 81.0, 10.0), None),  # a bangle of 89.1 mm stands upright
        ((81.0, 81.0, 100.0), Severity.WARNING),  # a tube of 89.1 mm fits, a box does not
        ((83.0, 83.0, 90.0), Severity.UNCASTABLE),  # 91.3 mm across, whichever way
        ((119.0, 10.0, 10.0), Severity.UNCASTABLE),  # 130.9 mm high
    ],
)
def test_the_pattern_must_fit_into_the_flask(box: tuple[float, float, float], severity: Severity | None) -> None:
    expected = [] if severity is None else [(ProblemCode.FLASK, severity)]
    assert found(replace(CUBE, bbox_mm=box)) == expected


@pytest.mark.parametrize(
    ("measures", "code"),
    [
        (replace(CUBE, triangles=0, watertight=False), RefusalCode.EMPTY),
        (replace(CUBE, volume_mm3=0.0), RefusalCode.EMPTY),
        (replace(CUBE, area_mm2=0.0), RefusalCode.EMPTY),
        (replace(CUBE, watertight=False, open_edges=3, wound=False), RefusalCode.OPEN),
        (replace(CUBE, watertight=False), RefusalCode.OPEN),  # more than two faces along an edge
        (replace(CUBE, wound=False), RefusalCode.WINDING),
        (replace(CUBE, volume_mm3=-1.0), RefusalCode.WINDING),
        (replace(CUBE, kinds=(BodyKind.SOLID, BodyKind.INSIDE_OUT)), RefusalCode.WINDING),
        (replace(CUBE, kinds=(BodyKind.SOLID, BodyKind.COUNTED_TWICE)), RefusalCode.OVERLAPPING),
        (replace(CUBE, area_mm2=float("inf")), RefusalCode.NOT_FINITE),
        (replace(CUBE, print_s=float("nan")), RefusalCode.NOT_FINITE),
    ],
)
def test_what_is_no_solid_is_refused_for_its_plainest_reason_alone(measures: Measures, code: RefusalCode) -> None:
    """Whatever else may be wrong, only why there is no price is told, and it has the code of its refusal."""
    thin = replace(measures, min_wall_mm=0.1, cavities=2)
    assert found(thin) == [(code, Severity.REFUSED)]
    with pytest.raises(Refusal) as refused:
        refuse(check(thin, GOLD, MATERIALS))
    assert refused.value.code is code


@pytest.mark.parametrize(
    ("measures", "plausible"),
    [
        (replace(CUBE, bbox_mm=(2.0, 1.0, 0.1), volume_mm3=1.0), True),
        (replace(CUBE, bbox_mm=(1.99, 1.0, 1.0), volume_mm3=1.0), False),
        (replace(CUBE, bbox_mm=(150.0, 1.0, 1.0)), True),
        (replace(CUBE, bbox_mm=(150.1, 1.0, 1.0)), False),
        (replace(CUBE, volume_mm3=0.99), False),
        (replace(CUBE, bbox_mm=(60.0, 60.0, 60.0), volume_mm3=60_000.0), True),
        (replace(CUBE, bbox_mm=(60.0, 60.0, 60.0), volume_mm3=60_001.0), False),
    ],
)
def test_a_size_out_of_bounds_is_asked_about(measures: Measures, plausible: bool) -> None:  # noqa: FBT001 - a table
    assert ((RefusalCode.SIZE, Severity.REFUSED) in found(measures)) is not plausible


def test_the_question_about_a_size_names_the_units_that_would_make_it_a_jewel() -> None:
    """A ring drawn in metres and read as millimetres: 0.02 mm; as inches it would be 0.5 mm, in metres 20 mm."""
    [problem] = check(cube(0.02), GOLD, MATERIALS)
    assert problem.sentence == (
        "Read in mm, the longest side is 0.02 mm, and jewellery has 2 to 150 mm: is its unit `m` (20 mm)? "
        "It is not priced before its size is certain."
    )


def test_the_hint_counts_from_the_unit_that_was_used() -> None:
    """20 drawn units read as metres are 20,000 mm: in mm they are 20, in inches 508, in cm 200."""
    [problem] = check(cube(20_000.0), GOLD, MATERIALS, Unit.METRE)
    assert "Read in m, the longest side is 2e+04 mm" in problem.sentence
    assert "is its unit `mm` (20 mm)?" in problem.sentence


def test_several_units_may_fit_and_none_may() -> None:
    [problem] = check(cube(1.0), GOLD, MATERIALS)
    assert "is its unit `cm` (10 mm) or `inch` (25.4 mm)?" in problem.sentence
    [problem] = check(replace(cube(1e9)), GOLD, MATERIALS)
    assert "no usual unit makes it one, so check its scale" in problem.sentence


def test_only_warnings_leave_a_piece_castable() -> None:
    def problem(severity: Severity) -> Problem:
        return Problem(ProblemCode.THIN_WALL, severity, "thin")

    assert castable([])
    assert castable([problem(Severity.WARNING)])
    assert not castable([problem(Severity.WARNING), problem(Severity.UNCASTABLE)])
    refuse([problem(Severity.WARNING), problem(Severity.UNCASTABLE)])
