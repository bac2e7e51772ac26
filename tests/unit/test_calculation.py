"""From a file to measures: the steps are told, sizes are asked about early, and a prepared model measures the same."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pricing.calculation import PREPARED, SURFACE, Measured, Prepared, measured, prepared, reduced
from pricing.materials import load_materials
from pricing.measuring import slab
from pricing.refusals import Refusal, RefusalCode
from pricing.surface import Surface
from pricing.units import Unit
from tests.unit.test_measuring_solids import box, torus
from tests.unit.test_quoting_command import write_stl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Steps = list[tuple[str, dict[str, object]]]
OVERLAPPING = (box(10, 10, 10), box(10, 10, 10, at=(5, 5, 5)))


def told(path: Path, **more: Any) -> tuple[Measured | Refusal, Steps]:
    """Measure, and return how it ended and what was announced."""
    steps: Steps = []

    @contextmanager
    def announce(step: str, facts: dict[str, object]) -> Iterator[None]:
        steps.append((step, facts))
        yield

    try:
        return measured(path, announce=announce, **more), steps
    except Refusal as refusal:
        return refusal, steps


def test_each_step_is_told_with_its_facts(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "two.stl", *OVERLAPPING)
    found, steps = told(path)
    assert isinstance(found, Measured)
    assert [step for step, _ in steps] == ["load", "mend", "measure"]
    load, mend, measure = (facts for _, facts in steps)
    assert (load["format"], load["triangles"], load["file_bytes"]) == ("stl", 24, path.stat().st_size)
    assert (mend["bodies"], mend["watertight"], mend["mended"], mend["notes"]) == (1, True, True, 1)
    assert mend["volume_mm3"] == pytest.approx(1875)
    assert measure["layers"] == len(found.measures.layers_mm2) == 300
    assert (found.name, found.format, found.unit, found.file_triangles) == ("two.stl", "stl", None, 24)
    assert found.notes == ("2 overlapping bodies were united, so that their common metal counts once.",)


def test_measures_are_rounded_to_eight_digits(tmp_path: Path) -> None:
    found = measured(write_stl(tmp_path / "ring.stl", torus(9, 2)))
    assert found.measures == found.measures.rounded()


def test_a_refused_model_has_told_what_was_known_of_it(tmp_path: Path) -> None:
    refusal, steps = told(write_stl(tmp_path / "open.stl", np.delete(box(9, 9, 9), slice(6, 10), axis=0)))
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.OPEN
    step, facts = steps[-1]
    assert (step, facts["triangles"], facts["watertight"], facts["volume_mm3"]) == ("mend", 8, False, None)


def test_an_implausible_size_is_asked_about_before_anything_is_mended(tmp_path: Path) -> None:
    """An open box of a kilometre: that it is open is only seen when it is mended."""
    path = write_stl(tmp_path / "huge.stl", box(1e6, 1e6, 1e6)[1:])
    refusal, steps = told(path, plausible=load_materials().plausible)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.SIZE
    assert [step for step, _ in steps] == ["load", "mend"]
    unasked, _ = told(path)
    assert isinstance(unasked, Refusal)
    assert unasked.code is RefusalCode.OPEN


def test_a_volume_that_no_jewellery_has_is_asked_about_before_layers_are_cut(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "block.stl", box(149, 149, 149))
    refusal, steps = told(path, plausible=load_materials().plausible)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.SIZE
    assert [step for step, _ in steps] == ["load", "mend"]


def test_a_body_that_cuts_through_itself_is_refused_after_it_was_measured(tmp_path: Path) -> None:
    """A tube of square section whose ends overlap: one skin, run through itself."""
    refusal, steps = told(write_stl(tmp_path / "tube.stl", _tube()))
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.OVERLAPPING
    assert [step for step, _ in steps] == ["load", "mend", "measure"]


def test_solids_that_touch_along_an_edge_are_measured(tmp_path: Path) -> None:
    found = measured(write_stl(tmp_path / "edge.stl", box(9, 9, 9), box(9, 9, 9, at=(9, 9, 0))))
    assert (found.measures.watertight, found.measures.closed, found.measures.volume_mm3) == (False, True, 1458)


def test_the_customers_unit_outweighs_none(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "cube.stl", box(1, 1, 1))
    assert measured(path, unit=Unit.CENTIMETRE).unit is Unit.CENTIMETRE
    assert measured(path, unit=Unit.CENTIMETRE).measures.volume_mm3 == 1000


def test_the_surface_is_shown_as_loaded_and_as_mended_and_the_progress_told(tmp_path: Path) -> None:
    seen: list[tuple[int, Unit]] = []
    progress: list[float] = []
    path = write_stl(tmp_path / "two.stl", *OVERLAPPING)
    found = measured(path, seen=lambda surface, unit: seen.append((surface.count, unit)), progress=progress.append)
    assert seen == [(24, Unit.MILLIMETRE), (found.measures.triangles, Unit.MILLIMETRE)]
    assert progress == [1.0]


@pytest.mark.parametrize("bodies", [(torus(9, 2, 300, 150),), OVERLAPPING], ids=["sound", "mended"])
def test_a_prepared_model_is_measured_from_its_folder_to_the_same_digits(
    tmp_path: Path, bodies: tuple[np.ndarray, ...]
) -> None:
    path = write_stl(tmp_path / "model.stl", *bodies)
    ready = prepared(path)
    ready.save(tmp_path)
    found = Prepared.read(tmp_path)
    assert isinstance(found.surface.corners, np.memmap)
    np.testing.assert_array_equal(found.surface.corners, ready.surface.corners)
    assert (found.begun, found.notes, found.unit, found.format) == (ready.begun, ready.notes, None, "stl")
    slabs = [slab(found.surface, found.begun, chunk, chunk + 1) for chunk in range(found.begun.chunks)]
    assert reduced(found, slabs) == measured(path)


def test_a_prepared_model_whose_triangles_were_cut_off_is_not_read(tmp_path: Path) -> None:
    prepared(write_stl(tmp_path / "model.stl", box(9, 9, 9))).save(tmp_path)
    raw = (tmp_path / SURFACE).read_bytes()
    assert len(raw) == 12 * 72
    (tmp_path / SURFACE).write_bytes(raw[:-72])
    with pytest.raises(ValueError, match=PREPARED):
        Prepared.read(tmp_path)


def test_what_was_measured_survives_json(tmp_path: Path) -> None:
    found = measured(write_stl(tmp_path / "two.stl", *OVERLAPPING), unit=Unit.MILLIMETRE)
    assert Measured.from_document(json.loads(json.dumps(found.to_document()))) == found


def test_the_surface_of_a_prepared_model_stays_in_its_own_unit(tmp_path: Path) -> None:
    ready = prepared(write_stl(tmp_path / "cube.stl", box(1, 1, 1)), unit=Unit.CENTIMETRE)
    assert isinstance(ready.surface, Surface)
    assert float(ready.surface.corners.max()) == 1
    assert ready.begun.volume_mm3 == pytest.approx(1000)


def _tube() -> np.ndarray:
    """Return a closed tube of square section, its middle line a figure of eight."""
    turn = np.arange(96) * 2 * np.pi / 96
    middle = np.stack([20 * np.sin(turn), 10 * np.sin(2 * turn), 0 * turn], axis=1)
    along = np.roll(middle, -1, axis=0) - np.roll(middle, 1, axis=0)
    side = np.stack([-along[:, 1], along[:, 0], 0 * turn], axis=1)
    side *= 3 / np.linalg.norm(side, axis=1, keepdims=True)
    up = np.array([0, 0, 3.0])
    section = np.stack([middle - side - up, middle + side - up, middle + side + up, middle - side + up], axis=1)
    ahead, beside = np.roll(section, -1, axis=0), np.roll(section, -1, axis=1)
    beyond = np.roll(ahead, -1, axis=1)
    quads = [np.stack([section, ahead, beyond], axis=2), np.stack([section, beyond, beside], axis=2)]
    return np.concatenate(quads).reshape(-1, 3, 3)
