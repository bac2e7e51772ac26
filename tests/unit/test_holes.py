"""Holes: small ones are closed, with a volume that covers what was there; larger ones are refused with their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricing.calculation import measured
from pricing.materials import load_materials
from pricing.measuring import measure
from pricing.quoting import Order, quote
from pricing.refusals import Refusal, RefusalCode
from pricing.repairing import Repaired, repair
from pricing.surface import Surface
from pricing.units import Unit
from tests.unit.test_quoting_command import write_stl
from tests.unit.test_repairing import cube, mended, refused, volume

if TYPE_CHECKING:
    from pathlib import Path

Triangles: TypeAlias = NDArray[np.float64]
UP: Final = np.array([0.0, 0.0, 1.0])


def without(triangles: Triangles, *missing: int) -> Triangles:
    """Return a surface with some of its triangles torn out."""
    return np.delete(triangles, missing, axis=0)


def pipe(width: float, long: float, sides: int = 24) -> Triangles:
    """Return the surface of a rod without its two ends."""
    along = np.arange(sides) * 2 * np.pi / sides
    low = np.stack((np.cos(along), np.sin(along), 0 * along), axis=1) * width / 2
    ahead, up = np.roll(low, -1, axis=0), long * UP
    return np.concatenate((np.stack((low, ahead, ahead + up), axis=1), np.stack((low, ahead + up, low + up), axis=1)))


def ball(rows: int, columns: int) -> Triangles:
    """Return a unit sphere by latitude and longitude."""
    down, along = np.linspace(0, np.pi, rows + 1), np.arange(columns + 1) % columns * 2 * np.pi / columns
    ring = np.sin(down)
    ring[[0, -1]] = 0.0
    heights = np.repeat(np.cos(down)[:, None], columns + 1, axis=1)
    points = np.stack((ring[:, None] * np.cos(along), ring[:, None] * np.sin(along), heights), axis=-1)
    here, below, beside, beyond = points[:-1, :-1], points[1:, :-1], points[:-1, 1:], points[1:, 1:]
    first = np.stack((here, below, beyond), axis=2)[:-1].reshape(-1, 3, 3)  # those at the poles would collapse
    second = np.stack((here, beyond, beside), axis=2)[1:].reshape(-1, 3, 3)
    return np.concatenate((first, second))


def price(repaired: Repaired) -> str:
    """Return the price of a mended surface in mm, of which every one that passes has one."""
    measures = measure(repaired.surface, Unit.MILLIMETRE)
    return str(quote(measures, load_materials(), Order("bronze")).price)


@pytest.mark.parametrize("face", range(6))
def test_a_cube_without_a_face_is_refused_with_the_place_of_the_hole(face: int) -> None:
    """It could be a box without a lid as well as a block: only its owner knows."""
    refusal = refused(without(cube(12.0), 2 * face, 2 * face + 1))
    assert refusal.code is RefusalCode.OPEN
    axis, side = divmod(face, 2)
    middle = [6.0, 6.0, 6.0]
    middle[axis] = 12.0 * side
    assert refusal.where == (tuple(middle),)
    assert "a hole of 4 edges, 17 mm across, near" in refusal.detail
    assert refusal.detail.endswith("is too large to be closed without guessing; close it in your program.")


@pytest.mark.parametrize("triangle", range(12))
def test_a_cube_without_a_triangle_is_refused(triangle: int) -> None:
    assert refused(without(cube(2.0), triangle)).code is RefusalCode.OPEN


def test_every_hole_that_is_too_large_is_shown_the_largest_first() -> None:
    """A face of 4 x 4 squares is missing, and a square of another one."""
    refusal = refused(without(cube(12.0, cells=4), *range(32), 74, 75))
    assert refusal.detail.startswith(
        "The surface is open: a hole of 16 edges, 17 mm across, near (0, 6, 6) (and 1 more"
    )
    assert refusal.where[0] == (0.0, 6.0, 6.0)
    assert len(refusal.where) == 2


def test_a_pin_hole_in_a_flat_face_is_closed_exactly_and_its_uncertainty_is_said(tmp_path: Path) -> None:
    """One of 4,800 triangles: nobody saw what was there, so half a ball, in or out, is allowed for."""
    torn = without(cube(12.0, cells=20), 100)
    result = mended(torn)
    assert volume(result.surface) == pytest.approx(12.0**3, rel=1e-12)
    area = 0.6**2 / 2
    assert result.volume_uncertainty == pytest.approx(area * 2 / 3 * np.sqrt(area / np.pi), rel=1e-9)
    model = measured(write_stl(tmp_path / "torn.stl", torn))
    assert model.notes[0].startswith("A hole 0.849 mm across near (0,")
    assert model.notes[1] == "The volume may be off by up to 0.0287 mm³ (0.0017 %)."
    assert model.uncertainty == pytest.approx(result.volume_uncertainty, rel=1e-6)


@pytest.mark.parametrize("cells", [6, 7, 8, 9, 10])
def test_a_square_hole_is_closed_up_to_a_hundredth_of_the_area(cells: int) -> None:
    """One square of 6 x cells x cells: 1/216 of the area and smaller is closed."""
    result = mended(without(cube(12.0, cells=cells), 0, 1))
    assert 0 < result.volume_uncertainty < 0.01 * 12.0**3


@pytest.mark.parametrize("cells", [2, 3, 4])
def test_a_square_hole_of_more_than_a_hundredth_of_the_area_is_refused(cells: int) -> None:
    assert refused(without(cube(12.0, cells=cells), 0, 1)).code is RefusalCode.OPEN


def test_many_pin_holes_are_refused_where_together_they_are_too_much() -> None:
    """Each of 2,400 triangles is small; a hundred of them, none beside another, are 4 % of the area."""
    whole = cube(12.0, cells=20)
    assert mended(without(whole, *range(0, 800, 80))).changed
    assert refused(without(whole, *range(0, 800, 8))).code is RefusalCode.OPEN


def test_an_open_pipe_is_no_rod() -> None:
    """Its ends are under a hundredth of its area, and yet nobody can know whether it was meant to be massive."""
    refusal = refused(pipe(1.0, 80.0))
    assert refusal.code is RefusalCode.OPEN
    assert sorted(round(z, 9) for _, _, z in refusal.where) == [0.0, 80.0]
    assert "(and 1 more hole)" in refusal.detail


def test_a_hole_in_a_dome_states_a_volume_that_covers_what_is_missing() -> None:
    """The filling is flat, the dome was not: what is missing lies within the uncertainty."""
    sphere = ball(48, 96)
    whole = volume(Surface(sphere))
    cap = sphere[:, :, 2].min(axis=1) > np.cos(np.pi * 3.5 / 48)
    result = mended(sphere[~cap])
    missing = whole - volume(result.surface)
    assert missing > 1e-4 * whole
    assert missing <= result.volume_uncertainty < 0.01 * whole


def test_a_larger_piece_of_a_dome_is_refused() -> None:
    sphere = ball(48, 96)
    cap = sphere[:, :, 2].min(axis=1) > np.cos(np.pi * 9.5 / 48)
    refusal = refused(sphere[~cap])
    assert refusal.code is RefusalCode.OPEN
    [(x, y, z)] = refusal.where
    assert (x, y) == pytest.approx((0, 0), abs=1e-9)
    assert z == pytest.approx(np.cos(np.pi * 9 / 48), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), cells=st.integers(1, 8))
def test_a_torn_cube_is_refused_or_keeps_its_volume_within_the_stated_uncertainty(
    data: st.DataObject, cells: int
) -> None:
    """Whatever is torn out, a price comes only with a volume that is off by no more than said, and by 1.2 % at most."""
    whole = cube(12.0, cells=cells)
    missing = data.draw(st.sets(st.integers(0, len(whole) - 1), min_size=1, max_size=6))
    try:
        result = repair(Surface(without(whole, *missing)), Unit.MILLIMETRE)
    except Refusal as refusal:
        assert refusal.code in {RefusalCode.OPEN, RefusalCode.WINDING}  # noqa: PT017 - a refusal is as good as a price
        return
    assert abs(volume(result.surface) - 12.0**3) <= result.volume_uncertainty < 0.012 * 12.0**3
    assert float(price(result)) > 0
