"""Volume, area, box and centre against formulas, under motions, and cut in any way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.measuring import measure, sums
from pricing.refusals import Refusal, RefusalCode
from pricing.surface import CHUNK, Surface
from pricing.units import Unit
from tests.unit.test_measuring_solids import box, of, sphere, tetrahedron, torus


def test_a_box_measures_what_its_sides_say() -> None:
    found = of(box(2, 3, 5, at=(1, 1, 1)))
    assert found.volume_mm3 == pytest.approx(30, rel=1e-14)
    assert found.area_mm2 == pytest.approx(62, rel=1e-14)
    assert found.bbox_mm == (2, 3, 5)
    assert found.centre_mm == pytest.approx((2, 2.5, 3.5), rel=1e-14)


def test_a_tetrahedron_measures_what_its_corners_say() -> None:
    found = of(tetrahedron())
    assert found.volume_mm3 == pytest.approx(1 / 6, rel=1e-14)
    assert found.area_mm2 == pytest.approx(1.5 + math.sqrt(3) / 2, rel=1e-14)
    assert found.centre_mm == pytest.approx((0.25, 0.25, 0.25), rel=1e-14)


def test_a_torus_of_facets_falls_short_of_the_round_one_by_its_known_share() -> None:
    """Quads of the torus are cut into triangles: the ring of n-gons is short by sin(2 pi/n)/(2 pi/n) in each turn."""
    u, v = 96, 48
    short = math.sin(2 * math.pi / u) / (2 * math.pi / u) * math.sin(2 * math.pi / v) / (2 * math.pi / v)
    assert of(torus(10, 2, u, v)).volume_mm3 == pytest.approx(2 * math.pi**2 * 10 * 4 * short, rel=1e-3)


def test_a_finer_sphere_comes_nearer_by_the_square_of_its_facets() -> None:
    errors = [4 / 3 * math.pi - of(sphere(1, rows)).volume_mm3 for rows in (16, 32, 64)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.02)


def test_overlapping_boxes_count_twice_where_they_overlap() -> None:
    """A signed sum cannot know: uniting bodies is the work of repairing."""
    both = np.concatenate([box(2, 2, 2), box(2, 2, 2, at=(1, 1, 1))])
    assert of(both).volume_mm3 == pytest.approx(16, rel=1e-14)


def test_a_cavity_is_taken_off() -> None:
    found = of(np.concatenate([sphere(2), sphere(1)[:, ::-1]]))
    assert found.volume_mm3 == pytest.approx(of(sphere(2)).volume_mm3 - of(sphere(1)).volume_mm3, rel=1e-12)


def test_far_from_the_origin_nothing_cancels() -> None:
    """A model placed a kilometre off measures as it does at home, up to the digits its coordinates lost there."""
    far = sphere(1) + np.array([1e6, -1e6, 1e6])
    assert of(far).volume_mm3 == pytest.approx(of(sphere(1)).volume_mm3, rel=1e-8)


@pytest.mark.parametrize(("unit", "mm"), [(Unit.METRE, 1000), (Unit.INCH, 25.4), (Unit.CENTIMETRE, 10)])
def test_units_scale_length_area_and_volume(unit: Unit, mm: float) -> None:
    found, plain = of(torus(3, 1), unit=unit), of(torus(3, 1))
    assert found.volume_mm3 == pytest.approx(plain.volume_mm3 * mm**3, rel=1e-14)
    assert found.area_mm2 == pytest.approx(plain.area_mm2 * mm**2, rel=1e-14)
    assert found.bbox_mm == pytest.approx([side * mm for side in plain.bbox_mm], rel=1e-14)


moves = st.floats(-1000, 1000, allow_subnormal=False)
angles = st.floats(0, 2 * math.pi)


@given(st.tuples(moves, moves, moves), angles, angles, st.floats(0.01, 100))
def test_motion_changes_nothing_and_scale_what_it_must(
    move: tuple[float, float, float], turn: float, tilt: float, scale: float
) -> None:
    c, s, d, t = math.cos(turn), math.sin(turn), math.cos(tilt), math.sin(tilt)
    turning = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, d, -t], [0, t, d]])
    corners = torus(3, 1, 24, 12)
    origin = sums.anchor(Surface(corners))
    plain = sums.combine([sums.partial(corners, origin)], origin)
    moved = scale * corners @ turning.T + np.array(move)
    origin = sums.anchor(Surface(moved))
    found = sums.combine([sums.partial(moved, origin)], origin)
    assert found.volume == pytest.approx(plain.volume * scale**3, rel=1e-7)
    assert found.area == pytest.approx(plain.area * scale**2, rel=1e-7)
    assert found.centre == pytest.approx(move, abs=1e-6 * (scale + 1))


@given(st.lists(st.integers(0, 5), max_size=5), st.randoms(use_true_random=False))
def test_any_division_of_the_chunks_among_workers_gives_the_same_digits(cuts: list[int], chance: object) -> None:
    """Workers hand in their chunks' sums in any order; put back in the order of the file they add up bit for bit."""
    surface = Surface(MANY)
    origin = sums.anchor(surface)
    whole = sums.combine([sums.partial(chunk, origin) for chunk in sums.pieces(surface)], origin)
    chunks = list(enumerate(surface.chunks()))
    borders = [0, *sorted(cuts), len(chunks)]
    slabs = [chunks[begin:end] for begin, end in itertools.pairwise(borders)]
    chance.shuffle(slabs)  # type: ignore[attr-defined]
    done = [(index, sums.partial(chunk, origin)) for slab in slabs for index, chunk in slab]
    assert sums.combine([part for _, part in sorted(done, key=lambda each: each[0])], origin) == whole


MANY = np.random.default_rng(5).normal(size=(4 * CHUNK + 77, 3, 3)).astype(np.float32)


def test_single_and_double_precision_of_the_same_numbers_give_the_same_digits() -> None:
    """A mapped STL is read as float32, and widened block by block."""
    narrow = torus(3, 1).astype(np.float32)
    assert measure(Surface(narrow), Unit.MILLIMETRE) == of(narrow.astype(np.float64))


def test_measures_are_rounded_to_eight_digits_throughout() -> None:
    rounded = of(sphere(1, 8)).rounded(8)
    assert rounded.volume_mm3 == float(f"{of(sphere(1, 8)).volume_mm3:.7e}")
    assert rounded.body_list[0].volume_mm3 == rounded.volume_mm3
    assert all(area == float(f"{area:.7e}") for area in rounded.layers_mm2)
    assert rounded.triangles == of(sphere(1, 8)).triangles
    assert rounded.rounded(8) == rounded


@pytest.mark.parametrize(
    ("corners", "code"),
    [
        (np.empty((0, 3, 3)), RefusalCode.EMPTY),
        (np.where(np.arange(9).reshape(1, 3, 3) == 4, np.nan, 1.0), RefusalCode.NOT_FINITE),
        (np.where(np.arange(9).reshape(1, 3, 3) == 4, np.inf, 1.0), RefusalCode.NOT_FINITE),
        (box(1e200, 1e200, 1e200), RefusalCode.SIZE),
    ],
)
def test_what_has_no_measures_is_refused(corners: np.ndarray, code: RefusalCode) -> None:
    with pytest.raises(Refusal) as refused:
        of(corners)
    assert refused.value.code is code
