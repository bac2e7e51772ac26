"""The thinnest wall and the narrowest gap, in any position, with the error that is stated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.measuring import Options, walls
from tests.unit.test_measuring_solids import box, grid, of, sphere, summed, torus, turned


def rotated(corners: np.ndarray, turn: float, tilt: float) -> np.ndarray:
    c, s, d, t = math.cos(turn), math.sin(turn), math.cos(tilt), math.sin(tilt)
    turning = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, d, -t], [0, t, d]])
    return np.asarray(corners @ turning.T)


angles = st.floats(0, math.pi)
COARSE = Options(rays_across=64)


@given(angles, angles)
def test_a_plate_is_as_thick_in_any_position(turn: float, tilt: float) -> None:
    """Parallel sides are measured exactly, however oblique the rays."""
    found = of(rotated(box(10, 10, 0.5), turn, tilt), COARSE)
    assert found.min_wall_mm == pytest.approx(0.5, rel=1e-6)
    assert found.min_wall_error_mm == pytest.approx(0, abs=1e-5)


@given(angles, angles)
def test_a_round_wire_is_at_most_as_thick_as_it_is_and_at_most_the_stated_error_thinner(
    turn: float, tilt: float
) -> None:
    found = of(rotated(torus(5, 1, 64, 48), turn, tilt), COARSE)
    assert found.min_wall_mm is not None
    assert found.min_wall_error_mm is not None
    assert 2 * 0.88 <= found.min_wall_mm <= 2
    assert found.min_wall_mm + found.min_wall_error_mm >= 2 * math.cos(math.pi / 48)


def test_a_shell_is_as_thick_as_its_radii_are_apart() -> None:
    found = of(np.concatenate([sphere(5), sphere(4.5)[:, ::-1]]))
    assert found.min_wall_mm is not None
    assert found.min_wall_error_mm is not None
    assert 0.45 < found.min_wall_mm <= 0.5 <= found.min_wall_mm + found.min_wall_error_mm
    assert found.min_wall_at_mm is not None
    assert math.hypot(*found.min_wall_at_mm) == pytest.approx(4.75, abs=0.1)


def test_a_thin_place_is_found_where_it_is() -> None:
    """A rod of 4 mm with a neck of 1 mm: across the neck, near the middle of its height."""
    found = of(turned([(0, 0), (2, 0), (2, 4), (0.5, 4.2), (0.5, 5.8), (2, 6), (2, 10), (0, 10)], 64))
    assert found.min_wall_mm == pytest.approx(1, rel=0.04)
    assert found.min_wall_at_mm is not None
    assert 4.2 <= found.min_wall_at_mm[2] <= 5.8


def test_between_two_plates_is_a_gap() -> None:
    found = of(np.concatenate([box(10, 10, 1), box(10, 10, 2, at=(0, 0, 1.3))]))
    assert found.min_gap_mm == pytest.approx(0.3, rel=1e-9)
    assert found.min_wall_mm == pytest.approx(1, rel=1e-9)
    assert found.smallest_feature_mm == found.min_gap_mm
    assert found.min_gap_at_mm is not None
    assert found.min_gap_at_mm[2] == pytest.approx(1.15)


def test_boxes_that_overlap_or_touch_are_one_wall() -> None:
    """Neither the overlap of 0.1 mm nor the face that both share is a wall or a gap."""
    overlapping = of(np.concatenate([box(2, 2, 2), box(2, 2, 2, at=(1.9, 0.3, 0.3))]))
    touching = of(np.concatenate([box(2, 2, 2), box(2, 1.5, 1.5, at=(2, 0.3, 0.3))]))
    assert overlapping.min_wall_mm == pytest.approx(2, rel=1e-9)
    assert touching.min_wall_mm == pytest.approx(1.5, rel=1e-9)
    assert touching.min_gap_mm is None


def test_a_cube_has_no_thin_edges() -> None:
    """Rays that leave by a side at right angles to the one they came in by have met an edge, not a wall."""
    found = of(rotated(box(3, 3, 3), 0.5, 0.6))
    assert found.min_wall_mm == pytest.approx(3, rel=1e-9)


def test_scale_scales_walls() -> None:
    small, large = of(torus(5, 1)), of(torus(5, 1) * 1000)
    assert large.min_wall_mm == pytest.approx((small.min_wall_mm or 0) * 1000, rel=1e-9)


def test_walls_are_the_same_however_the_triangles_are_cut_into_chunks() -> None:
    corners = np.concatenate([torus(5, 1), torus(5, 0.6)[:, ::-1]])
    rays = walls.lattice(summed(corners), 64)
    whole = walls.combine([walls.partial(corners, rays, 1)], rays)
    for size in (100, 1000, 7777):
        parts = [walls.partial(corners[at : at + size], rays, 1) for at in range(0, len(corners), size)]
        assert walls.combine(parts, rays) == whole


def test_a_surface_inside_out_has_the_same_walls() -> None:
    outside, inside = of(torus(5, 1)), of(torus(5, 1)[:, ::-1])
    assert (inside.min_wall_mm, inside.min_gap_mm) == (outside.min_wall_mm, outside.min_gap_mm)
    assert inside.wall_samples == outside.wall_samples


def test_a_heap_of_sheets_gets_fewer_rays_not_unbounded_work() -> None:
    """Four hundred plates over the whole box would be hit 30 million times by the rays of a plain solid."""
    heap = np.concatenate([box(1000, 1000, 0.5, at=(0, 0, i)) for i in range(400)])
    found = of(heap)
    assert found.ray_step_mm > 1.5 * 1000 / 192
    assert 50_000 < found.wall_samples < walls.MOST_HITS
    assert found.min_wall_mm == pytest.approx(0.5, rel=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_every_ray_leaves_a_closed_surface_as_often_as_it_enters_it(seed: int) -> None:
    """However crumpled the surface: walls pair entries and exits by that."""
    chance = np.random.default_rng(seed)
    points = np.round(chance.normal(size=(8, 8, 3)), int(chance.integers(0, 4)))
    corners = grid(points, closed=True)
    rays = walls.lattice(summed(corners), 32)
    for hits in walls.partial(corners, rays, 1):
        assert not np.bincount(hits.ray, hits.turn).any()
