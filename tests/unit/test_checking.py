"""Castability: each check on both sides of its bound, each problem in words."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.checking import Problem, ProblemCode, Severity, castable, check, implausible, refuse
from pricing.measuring import BodyKind
from pricing.refusals import Exhausted, Refusal, RefusalCode, too_complex
from pricing.units import Unit
from tests.unit.test_quoting import CUBE, MATERIALS, Measures, body

GOLD = MATERIALS.alloy("gold")  # walls of 0.6 mm, wires of 0.8 mm, 10 % shrinkage; the flask is 90 by 130 mm


def found(measures: Measures, unit: Unit | None = None) -> list[tuple[ProblemCode | RefusalCode, Severity]]:
    return [(problem.code, problem.severity) for problem in check(measures, GOLD, MATERIALS, unit)]


def cube(side: float, **more: Any) -> Measures:
    return replace(CUBE, high_mm=(side, side, side), volume_mm3=side**3, area_mm2=6 * side**2, **more)


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
    torn = replace(CUBE, closed=False, open_edges=2, trouble_at_mm=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    with pytest.raises(Refusal) as refused:
        refuse(check(torn, GOLD, MATERIALS))
    assert refused.value.where == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


def test_a_refusal_tells_its_places_in_the_models_own_unit() -> None:
    torn = replace(CUBE, closed=False, open_edges=1, trouble_at_mm=((25.4, 0.0, 50.8),))
    with pytest.raises(Refusal) as refused:
        refuse(check(torn, GOLD, MATERIALS, Unit.INCH), Unit.INCH)
    assert refused.value.where == ((1.0, 0.0, 2.0),)


@pytest.mark.parametrize(("cavities", "words"), [(1, "There is a hollow inside"), (3, "There are 3 hollows inside")])
def test_a_sealed_hollow_cannot_be_cast(cavities: int, words: str) -> None:
    hollows = tuple(body(BodyKind.CAVITY, 3.0 + place, -1.0) for place in range(cavities))
    [problem] = check(replace(CUBE, body_list=CUBE.body_list + hollows), GOLD, MATERIALS)
    assert (problem.code, problem.severity) == (ProblemCode.CAVITY, Severity.UNCASTABLE)
    assert problem.sentence.startswith(words)
    assert problem.where == ((3.0, 3.0, 3.0), (4.0, 4.0, 4.0), (5.0, 5.0, 5.0))[:cavities]


def test_a_hollow_too_small_to_hold_resin_is_a_pore_and_a_warning() -> None:
    """As between a stone and its prong that were united: many of them, and none in the way of casting."""
    pores = tuple(body(BodyKind.CAVITY, 3.0 + place, -0.0099) for place in range(2))
    [problem] = check(replace(CUBE, body_list=CUBE.body_list + pores), GOLD, MATERIALS)
    assert (problem.code, problem.severity) == (ProblemCode.PORE, Severity.WARNING)
    assert problem.sentence.startswith("There are 2 hollows inside of less than 0.01 mm³")
    assert problem.where == ((3.0, 3.0, 3.0), (4.0, 4.0, 4.0))
    assert found(replace(CUBE, body_list=(*CUBE.body_list, body(BodyKind.CAVITY, volume=-0.01)))) == [
        (ProblemCode.CAVITY, Severity.UNCASTABLE)
    ]


def test_where_bodies_were_too_many_to_compare_one_that_takes_metal_away_is_a_hollow() -> None:
    pair = (body(BodyKind.UNKNOWN), body(BodyKind.UNKNOWN, 3.0, -1.0))
    [problem] = check(replace(CUBE, body_list=pair), GOLD, MATERIALS)
    assert (problem.code, problem.where) == (ProblemCode.CAVITY, ((3.0, 3.0, 3.0),))


def test_bodies_that_do_not_hang_together_are_told_and_all_but_the_largest_shown() -> None:
    """A chain is priced as it is; a stone that was left in the model is priced as metal, so it is said."""
    parts = (body(BodyKind.SOLID, 2.0, 5.0), body(BodyKind.SOLID, 5.0, 990.0), body(BodyKind.SOLID, 8.0, 6.0))
    [problem] = check(replace(CUBE, body_list=parts), GOLD, MATERIALS)
    assert (problem.code, problem.severity) == (ProblemCode.LOOSE, Severity.WARNING)
    assert problem.sentence.startswith("The model has 3 bodies that do not hang together; they are all priced as metal")
    assert problem.where == ((8.0, 8.0, 8.0), (2.0, 2.0, 2.0))


def test_no_problem_shows_more_places_than_a_picture_can() -> None:
    many = tuple(body(BodyKind.SOLID, float(place)) for place in range(100))
    [problem] = check(replace(CUBE, body_list=many), GOLD, MATERIALS)
    assert len(problem.where) == 16


@pytest.mark.parametrize("kind", [*BodyKind])
def test_a_speck_too_small_for_any_digit_of_the_price_is_no_problem(kind: BodyKind) -> None:
    """As tangled faces leave them: a thousand-millionth of the piece, whatever it is."""
    assert found(replace(CUBE, body_list=(*CUBE.body_list, body(kind, volume=1e-6)))) == []
    assert found(replace(CUBE, body_list=(*CUBE.body_list, body(kind, volume=1.1e-6))))


@pytest.mark.parametrize("kind", [BodyKind.INSIDE_OUT, BodyKind.COUNTED_TWICE])
def test_a_body_that_would_be_counted_wrongly_is_refused_with_its_place(kind: BodyKind) -> None:
    pair = (*CUBE.body_list, body(kind, 3.0))
    with pytest.raises(Refusal) as refused:
        refuse(check(replace(CUBE, body_list=pair), GOLD, MATERIALS))
    assert refused.value.where == ((3.0, 3.0, 3.0),)


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
    assert found(replace(CUBE, high_mm=box)) == expected


@pytest.mark.parametrize(
    ("measures", "code"),
    [
        (replace(CUBE, triangles=0, closed=False), RefusalCode.EMPTY),
        (replace(CUBE, volume_mm3=0.0), RefusalCode.EMPTY),
        (replace(CUBE, area_mm2=0.0), RefusalCode.EMPTY),
        (replace(CUBE, closed=False, open_edges=3, wound=False), RefusalCode.OPEN),
        (replace(CUBE, closed=False), RefusalCode.OPEN),  # more than two faces along an edge
        (replace(CUBE, wound=False), RefusalCode.WINDING),
        (replace(CUBE, volume_mm3=-1.0), RefusalCode.WINDING),
        (replace(CUBE, body_list=(body(BodyKind.SOLID), body(BodyKind.INSIDE_OUT))), RefusalCode.WINDING),
        (replace(CUBE, body_list=(body(BodyKind.SOLID), body(BodyKind.COUNTED_TWICE))), RefusalCode.OVERLAPPING),
        (replace(CUBE, unlisted=1), RefusalCode.TOO_LARGE),  # a body that nobody compared with the others
        (replace(CUBE, area_mm2=float("inf")), RefusalCode.NOT_FINITE),
        (replace(CUBE, print_s=float("nan")), RefusalCode.NOT_FINITE),
    ],
)
def test_what_is_no_solid_is_refused_for_its_plainest_reason_alone(measures: Measures, code: RefusalCode) -> None:
    """Whatever else may be wrong, only why there is no price is told, and it has the code of its refusal."""
    thin = replace(measures, min_wall_mm=0.1, min_gap_mm=0.1)
    assert found(thin) == [(code, Severity.REFUSED)]
    with pytest.raises(Refusal) as refused:
        refuse(check(thin, GOLD, MATERIALS))
    assert refused.value.code is code


@pytest.mark.parametrize(
    ("measures", "plausible"),
    [
        (replace(CUBE, high_mm=(2.0, 1.0, 0.1), volume_mm3=1.0), True),
        (replace(CUBE, high_mm=(1.99, 1.0, 1.0), volume_mm3=1.0), False),
        (replace(CUBE, high_mm=(150.0, 1.0, 1.0)), True),
        (replace(CUBE, high_mm=(150.1, 1.0, 1.0)), False),
        (replace(CUBE, volume_mm3=0.99), False),
        (replace(CUBE, high_mm=(60.0, 60.0, 60.0), volume_mm3=60_000.0), True),
        (replace(CUBE, high_mm=(60.0, 60.0, 60.0), volume_mm3=60_001.0), False),
    ],
)
def test_a_size_out_of_bounds_is_asked_about(measures: Measures, plausible: bool) -> None:  # noqa: FBT001 - a table
    assert ((RefusalCode.SIZE, Severity.REFUSED) in found(measures)) is not plausible


def test_a_size_out_of_bounds_is_shown_from_end_to_end() -> None:
    beam = replace(CUBE, low_mm=(-2.0, 0.0, -100.0), high_mm=(2.0, 10.0, 100.0))
    [problem] = check(beam, GOLD, MATERIALS)
    assert (problem.code, problem.where) == (RefusalCode.SIZE, ((0.0, 5.0, -100.0), (0.0, 5.0, 100.0)))


def test_what_is_too_large_for_the_flask_is_shown_from_end_to_end() -> None:
    [problem] = check(replace(CUBE, high_mm=(119.0, 10.0, 10.0)), GOLD, MATERIALS)
    assert (problem.code, problem.where) == (ProblemCode.FLASK, ((0.0, 5.0, 5.0), (119.0, 5.0, 5.0)))


@given(side=st.floats(0.01, 1000), fill=st.floats(1e-6, 1), unit=st.sampled_from([None, *Unit]), out=st.booleans())
def test_who_asks_before_measuring_asks_the_same_as_the_check(
    side: float,
    fill: float,
    unit: Unit | None,
    out: bool,  # noqa: FBT001 - drawn
) -> None:
    """``implausible`` needs only box, volume and unit, tells places in the model's unit, and takes any winding."""
    measures = replace(cube(side), volume_mm3=fill * side**3)
    problems = [problem for problem in check(measures, GOLD, MATERIALS, unit) if problem.code is RefusalCode.SIZE]
    volume = measures.volume_mm3 if out else -measures.volume_mm3
    with pytest.raises(Refusal) if problems else nullcontext() as refused:
        implausible(measures.low_mm, measures.high_mm, volume, unit, MATERIALS.plausible)
    if refused:
        [problem], refusal, mm = problems, refused.value, unit.mm if unit else 1.0
        assert (refusal.code, refusal.detail) == (problem.code, problem.sentence)
        assert refusal.where == tuple((x / mm, y / mm, z / mm) for x, y, z in problem.where)


def test_the_noise_of_a_sum_asks_nothing() -> None:
    high = (60.0 * (1 + 1e-12), 60.0, 60.0)
    implausible((0.0, 0.0, 0.0), high, 60_000.0 * (1 + 1e-12), None, MATERIALS.plausible)
    with pytest.raises(Refusal):
        implausible((0.0, 0.0, 0.0), high, 60_001.0, None, MATERIALS.plausible)


def test_before_the_volume_is_known_only_the_box_is_judged() -> None:
    implausible((0.0, 0.0, 0.0), (2.0, 0.1, 0.1), None, None, MATERIALS.plausible)
    with pytest.raises(Refusal, match=r"is its unit `cm` \(10 mm\) or `inch` \(25\.4 mm\)\?"):
        implausible((0.0, 0.0, 0.0), (1.0, 0.1, 0.1), None, None, MATERIALS.plausible)


def test_the_question_about_a_size_names_the_units_that_would_make_it_a_jewel() -> None:
    """A ring drawn in metres and read as millimetres: 0.02 mm; as inches it would be 0.5 mm, in metres 20 mm."""
    [problem] = check(cube(0.02), GOLD, MATERIALS, Unit.MILLIMETRE)
    assert problem.sentence == (
        "Read in mm, the longest side is 0.02 mm, and jewellery has 2 to 150 mm: is its unit `m` (20 mm)? "
        "It is not priced before its size is certain."
    )


def test_the_hint_counts_from_the_unit_that_was_used() -> None:
    """20 drawn units read as metres are 20,000 mm: in mm they are 20, in inches 508, in cm 200."""
    [problem] = check(cube(20_000.0), GOLD, MATERIALS, Unit.METRE)
    assert "Read in m, the longest side is 2e+04 mm" in problem.sentence
    assert "is its unit `mm` (20 mm)?" in problem.sentence


def test_where_nobody_named_a_unit_that_is_said() -> None:
    [problem] = check(cube(1.0), GOLD, MATERIALS)
    assert problem.sentence.startswith("Neither you nor the file names a unit; read in mm, the longest side is 1 mm")


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


@pytest.mark.parametrize("code", [*ProblemCode, *RefusalCode])
def test_a_problem_that_was_kept_as_json_is_the_same(code: ProblemCode | RefusalCode) -> None:
    problem = Problem(code, Severity.WARNING, "It is thin.", ((1.0, 2.5, -3.0), (0.1, 0.2, 0.3)))
    kept = Problem.from_document(json.loads(json.dumps(problem.to_document())))
    assert kept == problem
    assert type(kept.code) is type(code)


def test_codes_are_one_list_without_doubles() -> None:
    """Programs see one `code`, whether it refuses or warns."""
    assert not {code.value for code in ProblemCode} & {code.value for code in RefusalCode}


@pytest.mark.parametrize("what", ["time", "memory", "output"])
def test_a_model_that_is_given_up_says_what_it_used_up_and_what_to_do(what: Exhausted) -> None:
    refusal = too_complex(what)
    assert refusal.code is RefusalCode.TOO_COMPLEX
    assert refusal.detail.endswith("with fewer triangles, or send it to us and we price it by hand.")
    assert len({too_complex(other).detail for other in ("time", "memory", "output")}) == 3
