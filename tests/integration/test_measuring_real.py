"""Models as people make them, against measures of two independent libraries: `reference.csv` of the shared set."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pytest

from pricing.loading import load
from pricing.measuring import Measures, measure
from pricing.refusals import Refusal
from pricing.units import Unit

MODELS: Final = Path(__file__).parents[3] / "shared" / "models"
REFERENCE: Final = MODELS / "reference.csv"
Row = dict[str, str]

# Rows that the reference itself does not take as truth, and why ours differ: its loader saw something else.
LOADED_DIFFERENTLY: Final = {
    "good_010_ring.glb": "Draco: the reference's loader gave zeros for most of it",
    "good_012_3-stone-transformed.glb": "Draco: the reference's loader gave one point for all corners",
    "good_034_igea.ply": "the reference's loader gave no faces",
}


# Hostile models whose triangles can be read: the volume where the surface is sound, None where it is not.
HOSTILE: Final = {
    "nasty_062_wallhole.obj": 3200 / 3,
    "nasty_066_notenoughindices.obj": None,
    "nasty_074_sphereWithHole.stl": None,
    "nasty_076_box_UTF16BE.obj": 1,
    "nasty_080_CubeInvalidUnicode.stl": 8,
    "nasty_082_cube_with_concave_hole.obj": 3000,
    "nasty_084_suzanne.obj": None,
    "nasty_090_open_cube.stl": None,
    "nasty_092_mixed_winding_cube.stl": None,
}


def rows(*, truth: bool) -> list[Row]:
    if not REFERENCE.exists():
        return []
    with REFERENCE.open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if (row["usable_as_truth"] == "True") is truth]


def measured(row: Row) -> Measures:
    """Measure in the file's own numbers, as the reference does."""
    return measure(load(MODELS / "open" / row["file"]).surface, Unit.MILLIMETRE)


def name(row: Row) -> str:
    return row["file"]


absent = pytest.mark.skipif(
    not REFERENCE.exists(), reason=f"the shared models are not there: {REFERENCE.name} not found"
)


@absent
def test_the_reference_has_rows() -> None:
    assert len(rows(truth=True)) == 19


@absent
@pytest.mark.parametrize("row", rows(truth=True), ids=name)
def test_a_usable_row_is_met_within_a_millionth(row: Row) -> None:
    found = measured(row)
    assert found.volume_mm3 == pytest.approx(float(row["volume"]), rel=1e-6)
    assert found.area_mm2 == pytest.approx(float(row["area"]), rel=1e-6)
    assert found.bbox_mm == pytest.approx([float(row[f"bbox_{axis}"]) for axis in "xyz"], rel=1e-6)
    assert str(found.watertight) == row["watertight_merged"]
    assert str(found.bodies) == row["body_count_merged"]
    assert found.triangles == int(row["tris"])


@absent
@pytest.mark.parametrize("row", rows(truth=True), ids=name)
def test_layers_of_a_usable_row_add_up_to_its_volume(row: Row) -> None:
    """Within what a midpoint rule of so few layers can: some files are in metres, and have a layer or two."""
    found = measured(row)
    assert found.sound
    loose = 1e-3 if len(found.layers_mm2) >= 200 else 0.05
    assert sum(found.layers_mm2) * found.layer_step_mm == pytest.approx(float(row["volume"]), rel=loose)


@absent
@pytest.mark.parametrize("row", rows(truth=False), ids=name)
def test_an_unusable_row_has_the_same_topology_where_the_same_triangles_were_loaded(row: Row) -> None:
    try:
        found = measured(row)
    except Refusal:
        pytest.skip("refused by the loader")
    if row["file"] in LOADED_DIFFERENTLY:
        pytest.skip(LOADED_DIFFERENTLY[row["file"]])
    assert str(found.watertight) == row["watertight_merged"]
    assert str(found.bodies) == row["body_count_merged"]
    assert found.area_mm2 == pytest.approx(float(row["area"]), rel=1e-6)
    if "winding" in row["why_not"]:
        assert not found.wound


@absent
@pytest.mark.parametrize(("file", "volume"), HOSTILE.items())
def test_a_hostile_model_is_sound_only_where_its_surface_is(file: str, volume: float | None) -> None:
    found = measure(load(MODELS / "hostile" / file).surface, Unit.MILLIMETRE)
    assert found.sound is (volume is not None)
    assert volume is None or found.volume_mm3 == pytest.approx(volume, rel=1e-6)
