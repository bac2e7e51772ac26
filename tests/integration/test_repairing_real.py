"""Models as people made them: sound ones come out untouched, imperfect ones closed or refused with a reason."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from pricing.calculation import measured
from pricing.loading import load
from pricing.materials import load_materials
from pricing.measuring import weld
from pricing.quoting import Order, quote
from pricing.refusals import Refusal, RefusalCode
from pricing.repairing import Repaired, repair
from pricing.surface import Surface
from pricing.units import Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODELS: Final = Path(__file__).parents[2].parent / "shared" / "models"
if not (MODELS / "reference.csv").exists():
    pytest.skip(f"the real models are not at {MODELS}", allow_module_level=True)

with (MODELS / "reference.csv").open(encoding="utf-8", newline="") as lines:
    ROWS: Final = {row["file"]: row for row in csv.DictReader(lines)}
TRUE: Final = [name for name, row in ROWS.items() if row["usable_as_truth"] == "True"]

# What repair does with the rest, and the volume that it ends with, in the file's unit cubed.
MENDED: Final = {
    "open/good_002_cube_gears.3mf": 112366.3,
    "open/good_022_capsule.obj": 7.32143,
    "open/good_028_frog_legs.obj": 1316.84,
    "open/good_036_ring.stl": 1630.00,
    "open/good_038_ring.stl": 181.915,
    "open/good_052_multibody.stl": 0.00742322,
    "hostile/nasty_062_wallhole.obj": 1066.67,
    "hostile/nasty_074_sphereWithHole.stl": 13.5816,
    "hostile/nasty_092_mixed_winding_cube.stl": 8.0,
    "hostile/nasty_094_self_intersecting_cubes.stl": 15.0,
}
REFUSED: Final = {
    "open/good_014_ring.glb": RefusalCode.WINDING,
    "open/good_058_Spider_ascii.stl": RefusalCode.OPEN,
    "hostile/nasty_066_notenoughindices.obj": RefusalCode.OPEN,
    "hostile/nasty_084_suzanne.obj": RefusalCode.OPEN,
    "hostile/nasty_090_open_cube.stl": RefusalCode.OPEN,
    "hostile/nasty_088_inf_cube.stl": RefusalCode.NOT_FINITE,
}


@cache
def triangles(name: str) -> NDArray[np.float64]:
    """Return a model's triangles in its own unit, shape (n, 3, 3)."""
    return np.asarray(load(MODELS / name).surface.corners, dtype=np.float64)


def volume(surface: Surface) -> float:
    """Return the volume by the divergence theorem, from the middle of the surface."""
    corners = np.asarray(surface.corners) - np.asarray(surface.corners).reshape(-1, 3).mean(axis=0)
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


@pytest.mark.parametrize("name", TRUE)
def test_a_sound_model_comes_out_untouched(name: str) -> None:
    surface = Surface(triangles(f"open/{name}"))
    result = repair(surface)
    assert result == Repaired(surface, (), 0.0, changed=False)
    assert volume(result.surface) == pytest.approx(float(ROWS[name]["volume"]), rel=1e-6)


@pytest.mark.parametrize("name", MENDED)
def test_an_imperfect_model_is_mended_and_stays_so(name: str) -> None:
    result = repair(Surface(triangles(name)))
    assert result.changed
    assert result.notes
    assert weld(result.surface).edges.balanced
    assert volume(result.surface) == pytest.approx(MENDED[name], rel=1e-5)
    assert not repair(result.surface).changed


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_mended_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        repair(Surface(triangles(name)))
    assert caught.value.code is REFUSED[name]


@pytest.mark.parametrize("name", ["good_010_ring.glb", "good_012_3-stone-transformed.glb"])
def test_a_jewel_of_overlapping_bodies_weighs_less_than_its_parts(name: str) -> None:
    """Stones and prongs stand in each other: the union is less than the sum, by 8 and by 5 per cent."""
    surface = Surface(triangles(f"open/{name}"))
    result = repair(surface)
    assert any("overlapping bodies were united" in note for note in result.notes)
    assert 0.9 < volume(result.surface) / volume(surface) < 0.96
    assert not repair(result.surface).changed


@pytest.mark.parametrize(("name", "unit"), [("good_036_ring.stl", None), ("good_010_ring.glb", Unit.CENTIMETRE)])
def test_a_jewel_with_solids_that_touch_along_an_edge_gets_a_price(name: str, unit: Unit | None) -> None:
    """Edges of four faces, run through as often one way as the other, enclose a volume: not watertight, but closed."""
    materials = load_materials()
    found = measured(MODELS / "open" / name, unit=unit, options=materials.options, plausible=materials.plausible)
    assert (found.measures.watertight, found.measures.closed, found.measures.wound) == (False, True, True)
    assert found.measures.crowded_edges
    assert quote(found.measures, materials, Order("sterling-silver"), found.unit).price > 50
