"""Surfaces as customers upload them come out closed, wound alike and with their metal counted once, or are refused."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricing.measuring import measure, weld
from pricing.measuring.topology import components
from pricing.refusals import Refusal, RefusalCode
from pricing.repairing import MendingLimits, Repaired, repair, unsure
from pricing.repairing.bodies import Bodies
from pricing.surface import Surface
from pricing.units import Unit
from services.demo.rings import Ring

Triangles: TypeAlias = NDArray[np.float64]
RING = Ring(around=24, across=12)


def cube(edge: float = 1.0, at: tuple[float, float, float] = (0.0, 0.0, 0.0), cells: int = 1) -> Triangles:
    """Return a cube's triangles, two for each of the cells x cells squares of a face, shape (n, 3, 3)."""
    steps = np.linspace(0.0, 1.0, cells + 1)
    squares = [
        [(steps[i], steps[j]), (steps[i + 1], steps[j]), (steps[i + 1], steps[j + 1]), (steps[i], steps[j + 1])]
        for i in range(cells)
        for j in range(cells)
    ]
    faces = []
    for axis in range(3):
        for side, order in ((0.0, (0, 2, 1, 0, 3, 2)), (1.0, (0, 1, 2, 0, 2, 3))):
            for square in squares:
                corners = np.array([np.roll((side, *point), axis) for point in square])
                faces += [corners[list(order[:3])], corners[list(order[3:])]]
    return np.asarray(np.array(faces) * edge + np.array(at))


def volume(surface: Surface) -> float:
    """Return the volume by the divergence theorem, from the middle of the surface."""
    corners = np.asarray(surface.corners) - np.asarray(surface.corners).reshape(-1, 3).mean(axis=0)
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def mended(triangles: Triangles, unit: Unit | None = Unit.MILLIMETRE) -> Repaired:
    """Repair, and hold what must be true of everything that comes out."""
    result = repair(Surface(triangles), unit)
    edges = weld(result.surface).edges
    assert edges.balanced
    assert bool(result.notes) == result.changed
    again = repair(result.surface, unit)
    assert not again.changed
    assert again.surface is result.surface
    same = repair(Surface(triangles.copy()), unit)
    np.testing.assert_array_equal(same.surface.corners, result.surface.corners)
    assert (same.notes, same.volume_uncertainty) == (result.notes, result.volume_uncertainty)
    return result


def refused(triangles: Triangles, limits: MendingLimits | None = None) -> Refusal:
    """Return why a surface is refused."""
    with pytest.raises(Refusal) as caught:
        repair(Surface(triangles), Unit.MILLIMETRE, limits)
    return caught.value


@pytest.mark.parametrize("triangles", [cube(12.0), cube(3.0, cells=4), RING.triangles()], ids=["cube", "cells", "ring"])
def test_a_sound_surface_comes_out_as_it_went_in(triangles: Triangles) -> None:
    surface = Surface(triangles)
    result = repair(surface)
    assert result == Repaired(surface, (), 0.0, changed=False)
    assert result.surface is surface


def test_mixed_winding_is_made_one_and_outwards() -> None:
    triangles = cube(2.0, cells=2)
    triangles[1::3] = triangles[1::3, ::-1]
    result = mended(triangles)
    assert volume(result.surface) == pytest.approx(8.0, rel=1e-12)
    assert result.notes == ("16 faces faced the wrong way and were turned.",)


def test_an_inverted_cube_is_turned_outwards() -> None:
    result = mended(cube(2.0)[:, ::-1])
    assert volume(result.surface) == pytest.approx(8.0, rel=1e-12)
    assert result.notes == ("1 body was inside out and was turned.",)


def test_overlapping_cubes_are_priced_as_their_union() -> None:
    result = mended(np.concatenate((cube(2.0), cube(2.0, (1.0, 1.0, 1.0)))))
    assert volume(result.surface) == pytest.approx(15.0, rel=1e-12)
    assert result.notes == ("2 overlapping bodies were united, so that their common metal counts once.",)


def test_a_hollow_stays_a_hollow() -> None:
    surface = Surface(np.concatenate((cube(3.0), cube(1.0, (1.0, 1.0, 1.0))[:, ::-1])))
    assert repair(surface).surface is surface


def test_a_hollow_in_an_inverted_body_is_turned_with_it() -> None:
    hollow = np.concatenate((cube(3.0), cube(1.0, (1.0, 1.0, 1.0))[:, ::-1]))
    result = mended(hollow[:, ::-1])
    assert volume(result.surface) == pytest.approx(26.0, rel=1e-12)


def test_a_body_in_a_hollow_is_metal_again() -> None:
    shells = [cube(5.0), cube(3.0, (1.0, 1.0, 1.0))[:, ::-1], cube(1.0, (2.0, 2.0, 2.0))]
    surface = Surface(np.concatenate(shells))
    assert repair(surface).surface is surface
    turned = mended(np.concatenate((*shells[:2], shells[2][:, ::-1])))
    assert volume(turned.surface) == pytest.approx(125 - 27 + 1, rel=1e-12)


def test_a_body_wholly_inside_metal_counts_once() -> None:
    result = mended(np.concatenate((cube(3.0), cube(1.0, (1.0, 1.0, 1.0)))))
    assert volume(result.surface) == pytest.approx(27.0, rel=1e-12)
    assert "1 body that lay wholly inside metal was left out" in result.notes[0]


def test_a_speck_is_left_out() -> None:
    result = mended(np.concatenate((cube(10.0), cube(1e-3, (5.0, 5.0, 5.0)), cube(1e-3, (12.0, 5.0, 5.0)))))
    assert volume(result.surface) == pytest.approx(1000.0, rel=1e-12)
    assert result.notes == ("2 bodies that enclose next to nothing were left out.",)


def test_everything_that_was_done_is_said() -> None:
    result = mended(np.concatenate((cube(2.0), cube(2.0, (1.0, 1.0, 1.0)), cube(1e-5, (5.0, 5.0, 5.0)))))
    assert result.notes == (
        "1 body that encloses next to nothing was left out.",
        "2 overlapping bodies were united, so that their common metal counts once.",
    )


@pytest.mark.parametrize("turned", [1, -1])
def test_a_copy_a_hair_beside_its_body_never_cancels_it(turned: int) -> None:
    result = mended(np.concatenate((cube(2.0), (cube(2.0) + 1e-9)[:, ::turned])))
    assert volume(result.surface) == pytest.approx(8.0, rel=1e-6)
    assert result.notes[0] == "1 body that lay on another of the same shape was left out."


def test_a_hollow_that_cuts_through_a_surface_is_refused() -> None:
    bodies = (cube(5.0), cube(1.0, (1.0, 1.0, 1.0))[:, ::-1], cube(1.0, (1.5, 1.5, 1.5)))
    assert refused(np.concatenate(bodies)).code is RefusalCode.OVERLAPPING


def test_cubes_that_share_a_wall_lose_it_and_keep_their_volume() -> None:
    result = mended(np.concatenate((cube(2.0), cube(2.0, (2.0, 0.0, 0.0)))))
    assert volume(result.surface) == pytest.approx(16.0, rel=1e-12)
    assert result.surface.count == 20
    assert result.notes == ("4 faces that lay on others were dropped.",)


@pytest.mark.parametrize("at", [(2.0, 2.0, 0.0), (2.0, 2.0, 2.0), (2.0, 0.7, 0.0)], ids=["edge", "corner", "wall"])
def test_cubes_that_only_touch_stay_as_they_are(at: tuple[float, float, float]) -> None:
    surface = Surface(np.concatenate((cube(2.0), cube(2.0, at))))
    assert repair(surface).surface is surface


def test_overlapping_cubes_with_a_common_edge_are_told_apart() -> None:
    """Both stand on the same edge, one inside the room of the other; by edges alone they would be one body."""
    result = mended(np.concatenate((cube(2.0), cube(2.0) * np.array([0.5, 2.0, 1.0]))))
    assert volume(result.surface) == pytest.approx(8 + 4, rel=1e-12)


def test_a_seam_a_hair_open_is_merged() -> None:
    whole = RING.triangles()
    split = whole.copy()
    split[::2][split[::2, :, 0].mean(axis=1) > 0] += 1e-5
    result = mended(split)
    assert volume(result.surface) == pytest.approx(volume(Surface(whole)), rel=1e-5)
    assert result.notes[0] == "Seams were open by up to 1.73e-05 mm and were merged."
    assert 0 < result.volume_uncertainty < 1e-4 * volume(Surface(whole))


def test_a_seam_open_by_less_than_a_length_can_say_is_merged_and_told() -> None:
    triangles = cube(2.0)
    triangles[0, :, 0] = np.where(triangles[0, :, 0] == 0, 1e-321, triangles[0, :, 0])
    result = mended(triangles)
    assert result.notes[0].startswith("Seams were open by")
    assert volume(result.surface) == pytest.approx(8.0, rel=1e-12)


def test_a_gap_as_wide_as_a_feature_is_not_merged() -> None:
    lid = cube(2.0)[:2] - np.array([0.1, 0.0, 0.0])
    assert refused(np.concatenate((cube(2.0)[2:], lid))).code is RefusalCode.OPEN


def test_a_t_junction_is_closed() -> None:
    """One side of an edge is cut in two at a point that the other side does not have."""
    triangles = cube(2.0)
    first = triangles[0]
    middle = (first[0] + first[1]) / 2
    halves = np.array([[first[0], middle, first[2]], [middle, first[1], first[2]]])
    result = mended(np.concatenate((halves, triangles[1:])))
    assert volume(result.surface) == pytest.approx(8.0, rel=1e-12)


def test_faces_there_twice_and_faces_without_an_extent_are_dropped() -> None:
    whole = cube(2.0, cells=3)
    flat = whole[:1, [0, 1, 1]]
    result = mended(np.concatenate((whole, whole[5:9], whole[20:21, ::-1], flat)))
    assert volume(result.surface) == pytest.approx(8.0, rel=1e-12)
    assert result.notes == (
        "1 face without an extent was dropped.",
        "5 faces that lay on others were dropped.",
    )


def test_a_dropped_face_far_away_spoils_no_digit() -> None:
    far = np.full((1, 3, 3), 1e9)
    result = mended(np.concatenate((cube(0.01), cube(0.01, (0.005, 0.005, 0.005)), far)))
    assert volume(result.surface) == pytest.approx(15e-6 / 8, rel=1e-9)


def test_a_body_and_its_reverse_elsewhere_are_two_bodies() -> None:
    result = mended(np.concatenate((cube(2.0), cube(2.0, (5.0, 0.0, 0.0))[:, ::-1])))
    assert volume(result.surface) == pytest.approx(16.0, rel=1e-12)


def test_a_body_exported_twice_counts_once() -> None:
    result = mended(np.concatenate((cube(2.0), cube(2.0))))
    assert volume(result.surface) == pytest.approx(8.0, rel=1e-12)


def test_a_body_that_cuts_through_itself_much_is_refused_and_a_little_is_said() -> None:
    """A prism over a polygon that goes round twice: its inner turn is enclosed twice, and only rays see it."""
    limits = MendingLimits()
    much, little = (measure(Surface(_coil(inner, 2.0)), Unit.MILLIMETRE) for inner in (1.0, 0.25))
    with pytest.raises(Refusal) as caught:
        unsure(0.0, much.miscounted_mm3, much.volume_mm3, Unit.MILLIMETRE, limits)
    assert caught.value.code is RefusalCode.OVERLAPPING
    assert "cuts through itself" in caught.value.detail
    off, notes = unsure(0.0, little.miscounted_mm3, little.volume_mm3, Unit.MILLIMETRE, limits)
    assert off == pytest.approx(_turn(0.25), rel=0.1)
    assert len(notes) == 2
    assert not repair(Surface(_coil(1.0, 2.0))).changed


def test_what_was_mended_and_what_is_counted_wrongly_are_unsure_together() -> None:
    limits = MendingLimits()
    assert unsure(0.0, 0.0, 10.0, Unit.MILLIMETRE, limits) == (0.0, [])
    off, notes = unsure(0.1, 0.09, 10.0, Unit.MILLIMETRE, limits)
    assert off == pytest.approx(0.19)
    assert notes[-1] == "The volume may be off by up to 0.19 mm³ (1.9 %)."
    with pytest.raises(Refusal) as caught:
        unsure(0.12, 0.09, 10.0, Unit.MILLIMETRE, limits)
    assert caught.value.code is RefusalCode.OPEN


def test_a_moebius_strip_is_refused() -> None:
    refusal = refused(_moebius(20))
    assert refusal.code is RefusalCode.WINDING
    assert "one side only" in refusal.detail


def test_a_fin_of_no_thickness_is_refused_with_its_place() -> None:
    fin = np.array([[[0.0, 0.0, 2.0], [2.0, 0.0, 2.0], [1.0, 0.0, 3.0]]])
    refusal = refused(np.concatenate((cube(2.0), fin)))
    assert refusal.code is RefusalCode.WINDING
    assert "(the first near 1, 0, 2)" in refusal.detail


def test_half_a_cube_is_refused_with_where_and_how_large_the_hole_is() -> None:
    whole = cube(12.0, cells=2)
    refusal = refused(whole[whole[:, :, 2].mean(axis=1) < 6])
    assert refusal.code is RefusalCode.OPEN
    assert "a hole of 8 edges, 17 mm across, near (6, 6, 6)" in refusal.detail


@pytest.mark.parametrize("triangles", [cube(2.0)[:2], cube(2.0)[:1]], ids=["sheet", "triangle"])
def test_a_sheet_is_refused(triangles: Triangles) -> None:
    assert refused(triangles).code is RefusalCode.OPEN


def test_a_surface_that_encloses_nothing_is_refused() -> None:
    both_sides = np.concatenate((cube(2.0)[:1], cube(2.0)[:1, ::-1]))
    assert refused(both_sides).code is RefusalCode.EMPTY
    assert refused(np.empty((0, 3, 3))).code is RefusalCode.EMPTY
    assert refused(np.zeros((4, 3, 3))).code is RefusalCode.EMPTY


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e200])
def test_a_point_at_infinity_is_refused(value: float) -> None:
    triangles = cube()
    triangles[3, 1, 2] = value
    assert refused(triangles).code is RefusalCode.NOT_FINITE


def test_what_is_too_large_to_mend_is_refused_and_sound_ones_of_that_size_pass() -> None:
    small = MendingLimits(triangles=10)
    assert refused(cube()[1:], small).code is RefusalCode.OPEN
    assert not repair(Surface(cube()), limits=small).changed


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_maltreated_ring_has_the_rings_volume_within_the_stated_uncertainty(data: st.DataObject) -> None:
    whole = RING.triangles()
    count = len(whole)
    faces = st.lists(st.integers(0, count - 2), max_size=40)
    triangles = np.delete(whole, data.draw(st.integers(0, count - 1)), axis=0)
    triangles = np.concatenate((triangles, triangles[data.draw(faces)]))
    flipped = data.draw(faces)
    triangles[flipped] = triangles[flipped][:, ::-1]
    triangles = triangles[np.random.default_rng(data.draw(st.integers(0, 9))).permutation(len(triangles))]
    result = mended(triangles)
    expected = volume(Surface(whole))
    assert abs(volume(result.surface) - expected) <= result.volume_uncertainty + 1e-12 * expected
    assert result.volume_uncertainty < 0.01 * expected


@given(links=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_components_are_those_of_a_search(links: list[tuple[int, int]]) -> None:
    labels = list(range(20))
    for _ in labels:
        for one, other in links:
            labels[one] = labels[other] = min(labels[one], labels[other])
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    assert components(20, ends[:, 0], ends[:, 1]).tolist() == labels


def _turn(radius: float) -> float:
    """Return the area of one turn of the coil's polygon."""
    return 32 / 2 * radius**2 * float(np.sin(2 * np.pi / 32))


def _coil(inner: float, outer: float) -> Triangles:
    """Return a prism of height 1 over a polygon of two turns of 32 corners about one centre."""
    along = np.arange(64) * 2 * np.pi / 32
    radius = np.where(np.arange(64) < 32, inner, outer)
    low = np.stack((radius * np.cos(along), radius * np.sin(along), 0 * along), axis=1)
    up = np.array([0.0, 0.0, 1.0])
    ahead, centre = np.roll(low, -1, axis=0), np.zeros_like(low)
    walls = [np.stack((low, ahead, ahead + up), axis=1), np.stack((low, ahead + up, low + up), axis=1)]
    caps = [np.stack((centre, ahead, low), axis=1), np.stack((centre, low, ahead), axis=1) + up]
    return np.concatenate((*walls, *caps))


def _sphere(rows: int, columns: int) -> Triangles:
    """Return a unit sphere by latitude and longitude, without the triangles that collapse at its poles."""
    down, along = np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, columns + 1)
    along[-1] = 0.0
    ring = np.sin(down)
    ring[[0, -1]] = 0.0
    points = np.stack(
        (ring[:, None] * np.cos(along), ring[:, None] * np.sin(along), np.cos(down)[:, None] + 0 * along), axis=-1
    )
    here, below = points[:-1, :-1], points[1:, :-1]
    beside, beyond = points[:-1, 1:], points[1:, 1:]
    first = np.stack((here, below, beyond), axis=2)[:-1].reshape(-1, 3, 3)
    second = np.stack((here, beyond, beside), axis=2)[1:].reshape(-1, 3, 3)
    return np.concatenate((first, second))


def _moebius(count: int) -> Triangles:
    """Return a strip of one side: half a turn on the way round."""
    along = np.linspace(0, 2 * np.pi, count + 1)
    middle = np.stack((10 * np.cos(along), 10 * np.sin(along), 0 * along), axis=1)
    out = middle / 10 * np.cos(along / 2)[:, None] + np.array([0, 0, 1.0]) * np.sin(along / 2)[:, None]
    left, right = middle + out, middle - out
    left[-1], right[-1] = right[0], left[0]
    first = np.stack((left[:-1], right[:-1], right[1:]), axis=1)
    second = np.stack((left[:-1], right[1:], left[1:]), axis=1)
    return np.concatenate((first, second))


def walled() -> Triangles:
    """Return six plates 0.5 thick that cut through each other, without common edges, around a hollow of 3 x 3 x 3."""
    plates = []
    for axis in range(3):
        for begin in (0.0, 3.5):
            low, high = np.roll([begin, -0.25, 0.1], axis), np.roll([begin + 0.5, 4.25, 3.9], axis)
            plates.append(cube() * (high - low) + low)
    return np.concatenate(plates)


def metal(boxes: Triangles) -> float:
    """Return the volume of the union of boxes of 12 triangles each, by the cells between all their sides."""
    corners = boxes.reshape(-1, 36, 3)
    low, high = corners.min(axis=1), corners.max(axis=1)
    sides = [np.unique(boxes[:, :, axis]) for axis in range(3)]
    middles = np.stack(np.meshgrid(*[(side[1:] + side[:-1]) / 2 for side in sides], indexing="ij"), axis=-1)[
        ..., None, :
    ]
    filled = ((middles > low) & (middles < high)).all(axis=-1).any(axis=-1)
    return float(np.einsum("ijk,i,j,k", filled, *[np.diff(side) for side in sides]))


@pytest.mark.parametrize("within", [(), (cube(at=(1.5, 1.5, 1.5)),)])
def test_a_hollow_that_a_union_leaves_stays_hollow_with_what_lies_in_it(within: tuple[Triangles, ...]) -> None:
    done = repair(Surface(np.concatenate([walled(), *within])))
    assert done.notes == ("6 overlapping bodies were united, so that their common metal counts once.",)
    found = measure(done.surface, Unit.MILLIMETRE)
    assert found.volume_mm3 == pytest.approx(metal(walled()) + len(within))
    assert (found.bodies, found.cavities) == (2 + len(within), 1)


def test_bodies_of_one_union_are_not_united_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    shared = Bodies._shared  # noqa: SLF001 - what takes the time

    def counted(bodies: Bodies, lesser: int, greater: int) -> float:
        compared.append(bodies.count)
        return shared(bodies, lesser, greater)

    monkeypatch.setattr(Bodies, "_shared", counted)
    repair(Surface(np.concatenate([walled(), cube(at=(1.5, 1.5, 1.5))])))
    # Seven bodies before the union; after it the loose cube with skin and hollow, but not these with each other.
    assert 7 in compared
    assert compared.count(3) == 2


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e-108])
def test_what_is_too_small_for_squares_or_cubes_of_its_sides_encloses_nothing(size: float) -> None:
    with pytest.raises(Refusal) as told:
        repair(Surface(np.concatenate([cube(), cube(at=(0.5, 0.5, 0.5))[1:]]) * size))
    assert told.value.code in {RefusalCode.EMPTY, RefusalCode.OPEN}
