"""Polygons into triangles: right in area and volume, whatever their outline."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.limits import Limits
from pricing.loading import ears
from pricing.loading.polygons import triangulate
from pricing.refusals import Refusal, RefusalCode


def cut(points: object, sizes: list[int] | None = None) -> tuple[np.ndarray, list[str]]:
    vertices = np.array(points, np.float64)
    indices = np.arange(len(vertices))
    return triangulate(vertices, indices, np.array(sizes or [len(vertices)]), Limits())


def areas(corners: np.ndarray) -> np.ndarray:
    """Return areas upward: of triangles that face down they are negative."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2


def test_a_convex_polygon_is_a_fan_from_its_first_corner() -> None:
    corners, notes = cut([[0, 0, 0], [2, 0, 0], [3, 1, 0], [2, 2, 0], [0, 2, 0]])
    np.testing.assert_array_equal(corners[:, 0], np.zeros((3, 3)))
    assert (areas(corners).sum(), notes) == (5, [])


def test_an_arrowhead_is_cut_along_its_inner_diagonal_wherever_it_begins() -> None:
    arrow = np.array([[0, 0, 0], [2, 1, 0], [0, 2, 0], [0.5, 1, 0]])
    for turn in range(4):
        corners, _ = cut(np.roll(arrow, turn, axis=0))
        assert (areas(corners) > 0).all()
        assert areas(corners).sum() == pytest.approx(1.5)


@settings(max_examples=200, deadline=None)
@given(radii=st.lists(st.floats(0.1, 10), min_size=5, max_size=40), turn=st.integers(0, 39), down=st.booleans())
def test_stars_of_any_outline_keep_their_area_and_face_one_way(radii: list[float], turn: int, *, down: bool) -> None:
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
    star = np.stack([np.cos(angles) * radii, np.sin(angles) * radii, np.zeros(len(radii))], axis=1)
    star = np.roll(star[::-1] if down else star, turn, axis=0)
    following = np.roll(star, -1, axis=0)
    area = (star[:, 0] * following[:, 1] - star[:, 1] * following[:, 0]).sum() / 2
    corners, notes = cut(star)
    assert len(corners) == len(radii) - 2
    assert areas(corners).sum() == pytest.approx(area)
    assert np.abs(areas(corners)).sum() == pytest.approx(abs(area), rel=1e-6)
    assert notes == []


def test_a_hole_joined_by_a_bridge_stays_a_hole() -> None:
    outer, inner = [[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]], [[1, 1, 0], [1, 3, 0], [3, 3, 0], [3, 1, 0]]
    corners, notes = cut([*outer, outer[0], *inner, inner[0]])
    assert np.abs(areas(corners)).sum() == pytest.approx(12)
    assert notes == []


def test_corners_on_a_straight_edge_are_kept_so_that_neighbours_still_fit() -> None:
    points = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 2, 0], [1, 1, 0], [0, 2, 0]]
    corners, _ = cut(points)
    assert areas(corners).sum() == pytest.approx(3)
    assert {tuple(point) for point in corners.reshape(-1, 3).tolist()} == {tuple(map(float, p)) for p in points}


def test_a_polygon_that_crosses_itself_is_cut_with_a_note() -> None:
    bow = [[0, 0, 0], [4, 3, 0], [4, 0, 0], [0, 3, 0], [2, 5, 0]]
    corners, notes = cut(bow)
    assert len(corners) == 3
    assert notes == ["Faces that cross themselves or are bent: 1; their area may be off."]


def test_polygons_that_would_take_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ears, "MOST_LOOKS", 100)
    teeth = [[x, (x % 2) * 5 + 1, 0] for x in range(40)]
    with pytest.raises(Refusal) as caught:
        cut([*teeth, [39, -9, 0], [20, 0.5, 0], [0, -9, 0]])
    assert caught.value.code == RefusalCode.TOO_LARGE
