"""What judges the fuzzing's inputs sees what is wrong; its mutators keep models nearly valid; its engines count."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pricing.loading import load
from pricing.surface import Format
from tests.fuzz import judging
from tests.fuzz.campaign import Campaign, smaller
from tests.fuzz.containers import pack_glb, pack_zip, unpack_glb, unpack_zip
from tests.fuzz.engines import drawn
from tests.fuzz.judging import Judge
from tests.fuzz.mutating import MOST_BYTES, mutate
from tests.fuzz.seeds import BOX, OVERLAPPING, RING, TWO, seeds
from tests.fuzz.solids import Broken, check_closed, check_volume
from tests.unit.test_loading_files import stl, stl_text, volume_of

if TYPE_CHECKING:
    from pricing.limits import Limits
    from pricing.surface import Model
    from tests.unit.test_loading_files import Floats, Ints

FORMATS = list(Format)


@pytest.mark.parametrize("form", FORMATS)
def test_the_seeds_are_models_of_their_format_and_most_get_a_price(tmp_path: Path, form: Format) -> None:
    judge = Judge(tmp_path / "upload", 1)
    models = seeds(form)
    for model in models:
        judge(model, thorough=True)
        assert len(model) <= MOST_BYTES
    assert judge.tally.loaded == 2 * len(models)
    assert judge.tally.priced >= len(models)


@pytest.mark.parametrize("form", FORMATS)
def test_mutated_models_of_a_format_break_no_rule_and_are_not_all_refused(tmp_path: Path, form: Format) -> None:
    found = drawn(form, 500, 5, tmp_path)
    assert found["failures"] == []
    assert found["runs"] == 500
    assert found["loaded"] > 75
    assert found["priced"] > 0
    assert len(found["refused"]) >= 3


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_chance_makes_the_same_mutant_and_another_makes_another(form: Format) -> None:
    model = seeds(form)[0]
    mutants = [mutate(form, model, random.Random(number)) for number in (*range(40), *range(40))]  # noqa: S311 - seeded
    assert mutants[:40] == mutants[40:]
    assert len(set(mutants)) > 25


def test_the_mutators_leave_containers_whole(tmp_path: Path) -> None:
    model = seeds(Format.THREE_MF)[0]
    for packed in (True, False):
        assert unpack_zip(pack_zip(unpack_zip(model), packed=packed)) == unpack_zip(model)
        Judge(tmp_path / "upload", 1)(pack_zip(unpack_zip(model), packed=packed), thorough=True)
    scene = seeds(Format.GLB)[0]
    assert pack_glb(*(unpack_glb(scene) or (b"", b""))) == scene


def test_a_surface_that_is_open_or_wound_both_ways_is_not_closed() -> None:
    corners = BOX[0][BOX[1]]
    check_closed(corners)
    turned = corners.copy()
    turned[0] = turned[0, ::-1]
    for wrong in (corners[:-1], turned):
        with pytest.raises(Broken, match="unsound"):
            check_closed(wrong)


@pytest.mark.parametrize("shape", [BOX, RING, TWO])
def test_a_volume_is_held_against_the_triangles_and_its_sign(shape: tuple[np.ndarray, np.ndarray]) -> None:
    corners = shape[0][shape[1]]
    check_volume(corners, volume_of(corners))
    for wrong, told in ((corners, 1.01 * volume_of(corners)), (corners[:, ::-1], -volume_of(corners))):
        with pytest.raises(Broken, match="volume"):
            check_volume(wrong, told)


def test_metal_that_is_counted_twice_or_that_is_missing_is_seen() -> None:
    corners = OVERLAPPING[0][OVERLAPPING[1]]
    with pytest.raises(Broken, match="twice"):
        check_volume(corners, volume_of(corners))
    beside = np.concatenate([corners[:12], 0.7 * corners[:12, ::-1] + 13])
    with pytest.raises(Broken, match="inside out"):
        check_volume(beside, volume_of(beside))


def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception) -> Campaign:
    """Return a campaign over a reader that fails on inputs with a `!` in them."""

    def failing(path: Path, limits: Limits) -> Model:
        if b"!" in path.read_bytes():
            raise error
        return load(path, limits)

    monkeypatch.setattr(judging, "load", failing)
    return Campaign(Format.STL, 3, tmp_path, tmp_path)


def test_an_untyped_error_is_recorded_once_with_its_smallest_input(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    campaign = broken(monkeypatch, tmp_path, KeyError("vertex 17"))
    for data in (b"solid !\nfacet" * 9, b"solid", b"!!" * 40, b"one too many: !"):
        campaign.one(data)
    document = json.loads((tmp_path / "state.json").read_bytes())
    (failure,) = document["failures"]
    assert (failure["kind"], failure["inputs"]) == ("KeyError", 2)
    assert Path(failure["file"]).read_bytes() == b"!"
    assert document["runs"] == 3


def test_other_outcomes_memory_files_and_sentences_are_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = stl(*BOX)
    words = iter(["one", "another"])
    judge = Judge(tmp_path / "upload", 1)
    monkeypatch.setattr(judging, "_digest", lambda _: next(words))
    with pytest.raises(Broken, match="not deterministic"):
        judge(data, thorough=True)
    monkeypatch.undo()
    judge(data, thorough=True)
    held = [(tmp_path / "upload").open("rb") for _ in range(9)]
    with pytest.raises(Broken, match="files left open"):
        judge(data, thorough=True)
    for file in held:
        file.close()
    sizes = iter([0, judging.GROWTH_KIB + 1])
    monkeypatch.setattr(judging, "_peak_kib", lambda: next(sizes))
    with pytest.raises(Broken, match="memory"):
        judge(data)
    monkeypatch.undo()
    monkeypatch.setattr(judging, "LONGEST_SENTENCE", 10)
    with pytest.raises(Broken, match="no sentence"):
        judge(b"no model")


def squeezed(shape: tuple[Floats, Ints], sides: tuple[float, float, float], missing: int) -> bytes:
    """Return a shape, squeezed to sides whose squares are nought and with faces missing, beside a box."""
    faces = np.concatenate([BOX[1], shape[1][:-missing] + len(BOX[0])])
    return stl_text(np.concatenate([BOX[0] + 50, shape[0] * sides]), faces)


@pytest.mark.parametrize(
    "data",
    [
        # A seam so narrow that the square of its width is nought.
        stl_text(*BOX).replace(b"vertex 0.0 12.0 0.0", b"vertex 0.0 12.0 1e-321", 1),
        stl_text(*TWO).replace(b"vertex 20.0 12.0 0.0", b"vertex 20.0 12.0 1e-321", 1),
        # A hole in a body without an area.
        squeezed(RING, (1, 1e-200, 1e-200), 1),
        squeezed(BOX, (1e-170, 1e-170, 1e-170), 3),
    ],
)
def test_what_once_failed_fails_no_more(tmp_path: Path, data: bytes) -> None:
    judge = Judge(tmp_path / "upload", 1)
    judge(data, thorough=True)
    assert judge.tally.loaded == 2


def test_a_smaller_input_keeps_what_fails() -> None:
    assert smaller(b"abcdefghij" * 30 + b"XY" + b"klm" * 50, lambda data: b"X" in data and b"Y" in data) == b"XY"


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_the_command_runs_atheris_and_ends_with_a_line_of_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--format", "obj", "--runs", "1500", "--folder", str(tmp_path)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    document = json.loads(ended.stdout.splitlines()[-1])
    assert (document["format"], document["engine"], document["runs"]) == ("obj", "atheris", 1_500)
    assert document["failures"] == []
    assert document["loaded"] > 150
    assert document["coverage"]["branches"] > 100
    assert list((tmp_path / "corpus" / "obj").iterdir())
