"""Welding, closedness, winding, bodies and what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.measuring import BodyKind, welding
from pricing.measuring.pieces import NESTED
from pricing.measuring.topology import edges_of
from pricing.surface import Surface
from tests.unit.test_measuring_solids import box, of, sphere, tetrahedron, torus


def test_an_open_box_is_not_closed_and_says_where() -> None:
    found = of(box(2, 2, 2)[1:])
    assert (found.watertight, found.closed, found.sound, found.open_edges) == (False, False, False, 3)
    assert set(found.trouble_at_mm) == {(0, 0, 1), (0, 1, 2), (0, 1, 1)}


def test_one_turned_triangle_is_mixed_winding_on_a_closed_surface() -> None:
    corners = box(1, 1, 1)
    corners[0] = corners[0, ::-1]
    found = of(corners)
    assert (found.watertight, found.wound, found.sound, found.unpaired_edges) == (True, False, False, 3)


def test_a_surface_inside_out_is_sound_and_its_volume_negative() -> None:
    found = of(box(2, 2, 2)[:, ::-1])
    assert (found.sound, found.volume_mm3) == (True, -8)
    assert [body.kind for body in found.body_list] == [BodyKind.INSIDE_OUT]
    assert found.min_wall_mm == pytest.approx(2)


def test_what_is_not_sound_gets_no_layers_walls_or_bodies() -> None:
    found = of(box(2, 2, 2)[1:])
    assert (found.layers_mm2, found.print_s, found.resin_ml, found.min_wall_mm, found.body_list) == ((), 0, 0, None, ())


def test_minus_zero_is_zero() -> None:
    corners = box(1, 1, 1, at=(-1, 0, 0))
    corners[::2] = np.where(corners[::2] == 0, -0.0, corners[::2])
    assert of(corners).watertight


def test_nothing_is_merged_by_nearness() -> None:
    corners = box(1, 1, 1)
    corners[0, 0, 0] = np.nextafter(corners[0, 0, 0], 1)
    assert not of(corners).watertight


def test_a_collapsed_triangle_is_counted_and_does_not_tear_the_surface() -> None:
    corners = box(1, 1, 1)
    spike = corners[:1, [0, 1, 1]]
    found = of(np.concatenate([corners, spike]))
    assert (found.collapsed_triangles, found.watertight, found.closed, found.sound) == (1, False, True, True)
    assert (found.volume_mm3, found.bodies, found.euler) == (1, 1, 2)


def test_boxes_that_share_an_edge_are_one_crowded_body_that_encloses_the_volume_of_both() -> None:
    found = of(np.concatenate([box(1, 1, 1), box(1, 1, 1, at=(1, 1, 0))]))
    assert (found.bodies, found.watertight, found.wound, found.crowded_edges) == (1, False, True, 1)
    assert (found.closed, found.sound, found.volume_mm3, len(found.layers_mm2)) == (True, True, 2, 20)


def test_a_fin_at_an_edge_leaves_a_surface_open() -> None:
    """Three faces at an edge, and one at each of the fin's other two."""
    fin = np.array([[[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.5, 0.0, 2.0]]])
    found = of(np.concatenate([box(1, 1, 1), fin]))
    assert (found.closed, found.sound, found.crowded_edges, found.open_edges) == (False, False, 1, 2)


def test_four_faces_at_an_edge_of_which_three_run_one_way_leave_a_surface_open() -> None:
    """Two boxes that share an edge, and one of the four faces there turned over."""
    corners = np.concatenate([box(1, 1, 1), box(1, 1, 1, at=(1, 1, 0))])
    shared = ((corners[:, :, :2] == 1).all(axis=2).sum(axis=1) == 2).nonzero()[0]
    assert len(shared) == 4
    corners[shared[0]] = corners[shared[0], ::-1]
    found = of(corners)
    assert (found.closed, found.wound, found.sound, found.open_edges) == (False, False, False, 0)


def test_boxes_that_touch_in_a_corner_are_one_body_by_that_vertex() -> None:
    found = of(np.concatenate([box(1, 1, 1), box(1, 1, 1, at=(1, 1, 1))]))
    assert (found.bodies, found.watertight, found.euler) == (1, True, 3)


def test_a_hollow_in_a_sphere_is_a_cavity_and_a_ball_in_it_a_solid() -> None:
    found = of(np.concatenate([sphere(3), sphere(2)[:, ::-1], sphere(1)]))
    assert [body.kind for body in found.body_list] == [BodyKind.SOLID, BodyKind.CAVITY, BodyKind.SOLID]
    assert found.cavities == 1
    assert [body.volume_mm3 > 0 for body in found.body_list] == [True, False, True]


def test_a_sphere_in_a_sphere_wound_alike_is_counted_twice() -> None:
    kinds = [body.kind for body in of(np.concatenate([sphere(1), sphere(3)])).body_list]
    assert kinds == [BodyKind.COUNTED_TWICE, BodyKind.SOLID]


def test_a_ball_in_the_hole_of_a_ring_is_inside_its_box_only() -> None:
    found = of(np.concatenate([torus(3, 1), sphere(0.5), sphere(0.4)[:, ::-1] + np.array([3.0, 0, 0])]))
    assert [body.kind for body in found.body_list] == [BodyKind.SOLID, BodyKind.SOLID, BodyKind.CAVITY]


def test_too_many_nested_bodies_are_of_unknown_kind() -> None:
    grains = [box(0.1, 0.1, 0.1, at=(1 + i, 1, 1)) for i in range(NESTED + 1)]
    found = of(np.concatenate([box(100, 3, 3), *grains]))
    assert found.bodies == NESTED + 2
    assert found.of_kind(BodyKind.UNKNOWN) == NESTED + 1


@given(st.permutations(range(12 + 4 + 12)), st.integers(0, 2))
def test_the_order_of_triangles_and_of_their_corners_changes_no_topology(order: list[int], roll: int) -> None:
    corners = np.concatenate([box(1, 1, 1), tetrahedron() + 5, box(1, 1, 1, at=(9, 9, 9))])
    found = of(np.roll(corners[order], roll, axis=1))
    assert (found.watertight, found.wound, found.bodies, found.euler) == (True, True, 3, 6)


def test_a_long_strip_of_triangles_in_any_order_is_one_body() -> None:
    """Labels must travel along thousands of triangles, not one a round."""
    step = np.arange(5000.0)
    strip = np.stack([np.stack([step + i, (step + i) % 2, 0 * step], axis=1) for i in range(3)], axis=1)
    shuffled = strip[np.random.default_rng(3).permutation(len(strip))]
    assert of(shuffled).bodies == 1


def test_places_that_share_a_hash_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hash that tells nothing, corners are sorted by their coordinates."""
    monkeypatch.setattr(welding, "_hash", lambda columns, salt: np.full(len(columns[0]), salt, dtype=np.uint64))
    found = of(np.concatenate([torus(3, 1, 12, 8), sphere(1, 6)]))
    assert (found.watertight, found.bodies, found.euler) == (True, 2, 2)


places = st.tuples(*[st.sampled_from([-1.5, -0.0, 0.0, 0.1, 3.0])] * 3)


@given(st.lists(st.tuples(places, places, places), min_size=1, max_size=12), st.sampled_from([np.float32, np.float64]))
def test_corners_have_one_number_where_they_are_equal_and_only_there(triangles: list[object], kind: type) -> None:
    """Numbers are given in the order of appearance."""
    corners: np.ndarray = np.array(triangles, dtype=kind)
    welded = welding.weld(Surface(corners))
    numbers: dict[tuple[float, ...], int] = {}
    expected = [numbers.setdefault(tuple(place), len(numbers)) for place in corners.reshape(-1, 3).tolist()]
    assert welded.faces.reshape(-1).tolist() == expected
    assert welded.points.tolist() == [list(place) for place in numbers]


faces = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=14)


@given(faces)
def test_edges_are_those_that_counting_one_by_one_finds(triangles: list[tuple[int, int, int]]) -> None:
    edges = edges_of(np.array(triangles, dtype=np.int32), 6)
    sides = [(one[i], one[(i + 1) % 3]) for one in triangles for i in range(3)]
    counted: dict[tuple[int, ...], list[int]] = {}
    for start, end in sides:
        counted.setdefault(tuple(sorted((start, end))), []).append(1 if start < end else -1)
    ranked = sorted(counted)
    assert edges.valence.tolist() == [len(counted[edge]) for edge in ranked]
    assert edges.net.tolist() == [sum(counted[edge]) for edge in ranked]
    assert [ranked[edge] for edge in edges.edge.tolist()] == [tuple(sorted(side)) for side in sides]
    left, right = edges.pairs()
    assert all(edges.edge[one] == edges.edge[other] for one, other in zip(left, right, strict=True))
    assert len(left) == len(sides) - len(ranked)
    two, _ = edges.pairs(valence=2)
    assert sorted(edges.edge[two].tolist()) == [number for number, edge in enumerate(ranked) if len(counted[edge]) == 2]


def test_welding_keeps_every_corner_where_it_was() -> None:
    surface = Surface(torus(3, 1, 12, 8))
    welded = welding.weld(surface)
    assert len(welded.points) == 96
    assert np.array_equal(welded.points[welded.faces], surface.corners)
