"""Cross-sections against formulas; print time, resin, overhangs and supports."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pricing.measuring import Options, Printing, layers, measure
from pricing.measuring.sections import CUTS, MOST_CUTS, Planes
from pricing.surface import CHUNK, Surface
from pricing.units import Unit
from tests.unit.test_measuring_solids import box, of, sphere, summed, torus, turned


def test_every_layer_of_a_box_is_its_ground_and_they_add_up_to_its_volume() -> None:
    found = of(box(2, 3, 5, at=(7, -8, 9)))
    assert len(found.layers_mm2) == 100
    assert found.layers_mm2 == pytest.approx([6] * 100, rel=1e-12)
    assert sum(found.layers_mm2) * found.layer_step_mm == pytest.approx(30, rel=1e-12)


def test_layers_of_a_cone_shrink_with_the_square_of_the_height() -> None:
    sides, found = 64, of(turned([(0, 0), (3, 0), (0, 5)], 64))
    for index, area in enumerate(found.layers_mm2):
        radius = 3 * (1 - (index + 0.5) * found.layer_step_mm / 5)
        assert area == pytest.approx(sides / 2 * math.sin(2 * math.pi / sides) * radius**2, rel=1e-9)


def test_layers_of_a_torus_are_rings() -> None:
    """A round torus cut at height z is a ring of area 4 pi R sqrt(r2 - z2); facets take a little off."""
    found = of(torus(10, 2, 256, 256))
    middle = len(found.layers_mm2) / 2
    for index, area in enumerate(found.layers_mm2[4:-4], start=4):
        z = (index + 0.5 - middle) * found.layer_step_mm
        assert area == pytest.approx(4 * math.pi * 10 * math.sqrt(4 - z * z), rel=2e-3)


@pytest.mark.parametrize("corners", [sphere(2), torus(4, 1)])
def test_layers_add_up_to_the_volume_better_by_the_square_of_their_step(corners: np.ndarray) -> None:
    coarse, fine = (of(corners, Options(printing=Printing(layer_mm=step))) for step in (0.1, 0.01))
    errors = [abs(sum(found.layers_mm2) * found.layer_step_mm / found.volume_mm3 - 1) for found in (coarse, fine)]
    assert errors[0] < 2e-2
    assert errors[1] < max(errors[0] / 10, 1e-4)


def test_a_plane_through_vertices_belongs_to_what_is_above_it() -> None:
    """Half-open: the plane in the bottom cuts the whole box, the one in the top nothing, none cuts half."""
    how = layers.Slicing(Planes(2, 0.0, 1.0, 3), (0, 0, 0), 0.0, 45)
    stack = np.concatenate([box(1, 1, 1), box(2, 2, 1, at=(0, 0, 1))])
    assert layers.combine([layers.partial(stack, how, 1)]).areas == (1, 4, 0)


def test_more_cuts_than_fit_at_once_give_the_same_areas() -> None:
    towers = np.concatenate([box(1, 1, 4096, at=(2 * i, 0, 0)) for i in range(20)])
    assert 2 * CUTS < 20 * 8 * 4096
    found = of(towers, Options(printing=Printing(layer_mm=1), rays_across=8))
    assert found.layers_mm2 == pytest.approx([20] * 4096, rel=1e-12)


def test_layers_of_many_chunks_add_up() -> None:
    corners = np.tile(torus(3, 1, 300, 120), (2, 1, 1))
    surface = Surface(corners)
    assert surface.count > 2 * CHUNK
    how = layers.slicing(summed(corners), 0.05, 4096, 45)
    parts = [layers.partial(chunk, how, 1) for chunk in surface.chunks()]
    one = layers.partial(torus(3, 1, 300, 120), how, 1)
    assert layers.combine(parts).areas == pytest.approx(2 * one.areas, rel=1e-12)


def test_inside_out_layers_are_those_of_the_right_side() -> None:
    assert of(torus(3, 1)[:, ::-1]).layers_mm2 == pytest.approx(of(torus(3, 1)).layers_mm2, rel=1e-12)


def test_print_time_counts_layers_and_resin_their_volume() -> None:
    printing = Printing(layer_mm=0.1, exposure_s=3, lift_s=5, bottom_layers=4, bottom_exposure_s=33)
    found = of(box(10, 10, 2), Options(printing=printing))
    assert found.print_s == 20 * 8 + 4 * 30
    assert found.resin_ml == pytest.approx(0.2, rel=1e-12)


def test_a_height_of_whole_layers_takes_no_layer_more_for_rounding() -> None:
    """0.3 / 0.1 is a little more than 3 in binary, and 0.0003 m a little more than 0.3 mm."""
    options = Options(printing=Printing(layer_mm=0.1))
    assert len(measure(Surface(box(1, 1, 0.3)), Unit.MILLIMETRE, options).layers_mm2) == 3
    assert len(measure(Surface(box(0.001, 0.001, 0.0003)), Unit.METRE, options).layers_mm2) == 3
    assert len(measure(Surface(box(1, 1, 0.31)), Unit.MILLIMETRE, options).layers_mm2) == 4


def test_a_tall_model_is_cut_more_coarsely_and_printed_as_long() -> None:
    few, all_of_them = of(box(1, 1, 5), Options(most_layers=10)), of(box(1, 1, 5))
    assert (len(few.layers_mm2), few.layer_step_mm) == (10, 0.5)
    assert few.print_s == all_of_them.print_s
    assert few.resin_ml == pytest.approx(all_of_them.resin_ml, rel=1e-12)


def test_a_slab_in_the_air_is_held_up_and_one_on_the_plate_is_not() -> None:
    found = of(np.concatenate([box(1, 1, 1), box(4, 4, 1, at=(10, 0, 3))]))
    assert (found.overhang_mm2, found.support_mm3) == pytest.approx((16, 48), rel=1e-12)
    assert found.resin_ml == pytest.approx((1 + 16 + 48 * Printing().support_fill) / 1000, rel=1e-12)
    assert of(box(4, 4, 1)).overhang_mm2 == 0


@pytest.mark.parametrize(("degrees", "hangs"), [(44, False), (46, True)])
def test_a_face_hangs_over_by_its_angle(degrees: float, hangs: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A funnel that opens upwards at 45 degrees."""
    funnel = turned([(0, 0), (1, 0), (3, 2), (0, 2)], 128)
    side = math.pi * (1 + 3) * 2 * math.sqrt(2)
    found = of(funnel, Options(overhang_deg=degrees))
    assert found.overhang_mm2 == pytest.approx(side if hangs else 0, rel=1e-3)


def test_many_long_triangles_are_cut_more_coarsely_not_without_bound() -> None:
    """A thousand needles as high as the model, in four thousand layers, would be cut 32 million times."""
    needles = np.concatenate([box(0.5, 0.5, 200, at=(i, 0, 0)) for i in range(1000)])
    found = of(needles)
    assert len(found.layers_mm2) == MOST_CUTS / 8_000
    assert found.layers_mm2 == pytest.approx([250] * len(found.layers_mm2), rel=1e-9)
    assert found.print_s == 4000 * 8.5 + 6 * 27.5


@pytest.mark.parametrize("where", [0.0, 1000.1, -77.3])
def test_a_floor_that_rises_by_rounding_alone_spoils_no_layer(where: float) -> None:
    """A box whose ground is tilted by the least that floats can tell, with a plane through it."""
    corners = box(100, 100, 1, at=(0, 0, where))
    raised = (corners[:, :, 2] == where) & (corners[:, :, 0] == 0)
    corners[:, :, 2] = np.where(raised, np.nextafter(where, math.inf), corners[:, :, 2])
    for first in (where, float(np.nextafter(where, math.inf)), float(np.nextafter(where, -math.inf))):
        how = layers.Slicing(Planes(2, first, 0.1, 5), (50, 50, where), where, 45)
        areas = layers.combine([layers.partial(corners, how, 1)]).areas
        assert 0 <= areas[0] <= 10000.000001
        assert areas[1:] == pytest.approx([10000] * 4, rel=1e-9)
