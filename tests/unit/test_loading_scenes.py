"""Parts placed in space: transforms, instances, components, units and mirrors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pricing.refusals import RefusalCode
from pricing.units import Unit
from tests.unit.test_loading_files import (
    CUBE,
    CUBE_VERTICES,
    RELATIONS,
    glb,
    gltf_parts,
    loaded,
    mesh_xml,
    model_xml,
    refused,
    volume,
    volume_of,
    zipped,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pricing.surface import Model

PRODUCTION = 'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06"'
CUBE_OBJECT = f'<object id="1">{mesh_xml(CUBE_VERTICES, CUBE)}</object>'


def box(model: Model) -> list[list[float]]:
    corners = np.asarray(model.surface.corners).reshape(-1, 3)
    return [[float(round(each, 9)) for each in side] for side in (corners.min(axis=0), corners.max(axis=0))]


def scene(tmp_path: Path, nodes: list[dict[str, Any]], **more: Any) -> Model:
    document, binary = gltf_parts(CUBE_VERTICES, CUBE)
    return loaded(tmp_path, glb(document | {"nodes": nodes} | more, binary))


def test_gltf_nodes_scale_then_turn_then_move_from_the_child_outward(tmp_path: Path) -> None:
    half = float(np.sqrt(0.5))
    parent = {"children": [1], "translation": [10, 0, 0], "rotation": [0, 0, half, half]}
    model = scene(tmp_path, [parent, {"mesh": 0, "scale": [2, 3, 4]}])
    assert box(model) == [[7, 0, 0], [10, 2, 4]]
    assert volume(model) == pytest.approx(24)
    matrix = [0, 2, 0, 0, -3, 0, 0, 0, 0, 0, 4, 0, 10, 0, 0, 1]
    assert box(scene(tmp_path, [{"mesh": 0, "matrix": matrix}])) == [[7, 0, 0], [10, 2, 4]]


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_a_rotation_of_any_length_turns_and_one_of_none_does_not(tmp_path: Path, size: float) -> None:
    model = scene(tmp_path, [{"mesh": 0, "rotation": [0, 0, size, size]}])
    assert box(model) == [[-1, 0, 0], [0, 1, 1]]
    assert box(scene(tmp_path, [{"mesh": 0, "rotation": [0, 0, 0, 0]}])) == [[0, 0, 0], [1, 1, 1]]


def test_a_mirrored_part_keeps_its_outside_outside(tmp_path: Path) -> None:
    model = scene(tmp_path, [{"mesh": 0, "scale": [-1, 1, 1]}])
    assert box(model) == [[-1, 0, 0], [0, 1, 1]]
    assert volume(model) == pytest.approx(1)
    item = '<item objectid="1" transform="-1 0 0 0 1 0 0 0 1 0 0 0"/>'
    assert volume(package(tmp_path, model_xml(CUBE_OBJECT, item))) == pytest.approx(1)


def test_a_mirror_is_seen_where_its_determinant_is_beyond_floats(tmp_path: Path) -> None:
    model = scene(tmp_path, [{"mesh": 0, "scale": [-1e-110, 1e-110, 1e-110]}])
    assert volume_of(np.asarray(model.surface.corners) * 1e110) == pytest.approx(1)


@pytest.mark.parametrize("transform", ["0 1e-320 0 -1 0 0 0 0 1 40 0 5", "0 0 0 0 0 0 0 0 1 0 0 0"])
def test_a_matrix_that_flattens_makes_triangles_without_area(tmp_path: Path, transform: str) -> None:
    model = package(tmp_path, model_xml(CUBE_OBJECT, f'<item objectid="1" transform="{transform}"/>'))
    assert model.surface.count == 12
    assert volume(model) == pytest.approx(0)


def instanced(attribute: str, kind: str, values: list[list[float]]) -> bytes:
    """Return a cube that is drawn as often as an attribute of EXT_mesh_gpu_instancing has values."""
    document, binary = gltf_parts(CUBE_VERTICES, CUBE)
    places = np.array(values, "<f4").tobytes()
    document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(places)})
    document["accessors"].append({"bufferView": 2, "componentType": 5126, "count": len(values), "type": kind})
    document["buffers"] = [{"byteLength": len(binary) + len(places)}]
    document["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": {attribute: 2}}}
    return glb(document, binary + places)


def test_gltf_instances_by_attributes_are_all_there_and_the_mesh_is_at_no_other_place(tmp_path: Path) -> None:
    model = loaded(tmp_path, instanced("TRANSLATION", "VEC3", [[3, 0, 0], [5, 0, 0], [3, 7, 0]]))
    assert model.surface.count == 3 * 12
    assert volume(model) == pytest.approx(3)
    assert box(model) == [[3, 0, 0], [6, 8, 1]]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_instance_whose_rotation_is_no_number_is_no_point_in_space(tmp_path: Path, wrong: float) -> None:
    found = refused(tmp_path, instanced("ROTATION", "VEC4", [[0, 0, wrong, 1]]))
    assert found.code == RefusalCode.NOT_FINITE


def test_only_the_default_scene_is_taken_and_roots_where_there_is_none(tmp_path: Path) -> None:
    nodes: list[dict[str, Any]] = [{"mesh": 0}, {"mesh": 0, "translation": [5, 0, 0]}]
    assert scene(tmp_path, nodes, scenes=[{"nodes": [0]}, {"nodes": [1]}], scene=1).surface.count == 12
    assert scene(tmp_path, nodes, scenes=[]).surface.count == 24


@pytest.mark.parametrize(
    ("mode", "triangles"),
    [
        # Of the strip, the triangle that names a vertex twice is left out; of the fan, two that have no area are kept.
        (5, [[0, 1, 3], [3, 1, 0], [3, 0, 2]]),
        (6, [[0, 1, 3], [0, 3, 0], [0, 0, 3], [0, 3, 2]]),
    ],
)
def test_gltf_strips_and_fans_become_triangles(tmp_path: Path, mode: int, triangles: list[list[int]]) -> None:
    document, binary = gltf_parts(CUBE_VERTICES, CUBE[:2])
    document["meshes"][0]["primitives"][0]["mode"] = mode
    model = loaded(tmp_path, glb(document, binary))
    np.testing.assert_array_equal(model.surface.corners, CUBE_VERTICES[np.array(triangles)])


def test_gltf_whole_numbers_that_stand_for_fractions_are_divided(tmp_path: Path) -> None:
    document, _ = gltf_parts(CUBE_VERTICES, CUBE)
    points = np.zeros((8, 4), "<i2")
    points[:, :3] = CUBE_VERTICES * 32767
    corners = CUBE.astype("u1").tobytes()
    document["accessors"][0] |= {"componentType": 5122, "normalized": True}
    document["accessors"][1] |= {"componentType": 5121}
    document["bufferViews"] = [
        {"buffer": 0, "byteLength": 64, "byteStride": 8},
        {"buffer": 0, "byteOffset": 64, "byteLength": len(corners)},
    ]
    document["buffers"] = [{"byteLength": 64 + len(corners)}]
    document["extensionsRequired"] = ["KHR_mesh_quantization"]
    assert volume(loaded(tmp_path, glb(document, points.tobytes() + corners))) == pytest.approx(1)


def test_poses_and_lines_are_left_out_with_a_note(tmp_path: Path) -> None:
    document, binary = gltf_parts(CUBE_VERTICES, CUBE)
    document["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}, "mode": 1})
    document["nodes"][0]["skin"] = 0
    notes = loaded(tmp_path, glb(document, binary)).notes
    assert notes == (
        "Poses and blends of the model were left out; its resting shape was taken.",
        "Lines and points were left out.",
    )


def package(tmp_path: Path, model: str, parts: dict[str, str] | None = None) -> Model:
    return loaded(tmp_path, zipped({"_rels/.rels": RELATIONS, "3D/shape.model": model, **(parts or {})}))


@pytest.mark.parametrize(("word", "unit"), [("inch", Unit.INCH), ("micron", Unit.MICROMETRE), ("foot", Unit.FOOT)])
def test_3mf_says_its_unit(tmp_path: Path, word: str, unit: Unit) -> None:
    assert package(tmp_path, model_xml(CUBE_OBJECT, '<item objectid="1"/>', word)).unit == unit


def test_3mf_components_are_placed_within_their_item(tmp_path: Path) -> None:
    two = (
        '<object id="2"><components><component objectid="1"/>'
        '<component objectid="1" transform="2 0 0 0 2 0 0 0 2 5 0 0"/></components></object>'
    )
    item = '<item objectid="2" transform="0 1 0 -1 0 0 0 0 1 100 0 0"/>'
    model = package(tmp_path, model_xml(CUBE_OBJECT + two, item))
    assert volume(model) == pytest.approx(9)
    assert box(model) == [[98, 0, 0], [100, 7, 2]]


def test_3mf_objects_of_other_parts_come_in_the_root_parts_unit(tmp_path: Path) -> None:
    other = model_xml(CUBE_OBJECT, "", "centimeter")
    uses = '<object id="5"><components><component objectid="1" p:path="/3D/Other.model"/></components></object>'
    root = model_xml(uses, '<item objectid="5"/>', more=PRODUCTION)
    model = package(tmp_path, root, {"3D/other.model": other})
    assert model.unit == Unit.MILLIMETRE
    assert box(model) == [[0, 0, 0], [10, 10, 10]]


def test_3mf_supports_and_objects_that_are_not_built_are_left_out(tmp_path: Path) -> None:
    support = CUBE_OBJECT.replace('id="1"', 'id="2" type="support"')
    spare = CUBE_OBJECT.replace('id="1"', 'id="3"')
    build = '<item objectid="1"/><item objectid="2"/>'
    model = package(tmp_path, model_xml(CUBE_OBJECT + support + spare, build))
    assert model.surface.count == 12
    assert model.notes == ("Support structures for printing left out: 1.",)


def test_a_moved_corner_is_the_same_in_every_triangle(tmp_path: Path) -> None:
    model = scene(tmp_path, [{"mesh": 0, "rotation": [0.1, 0.2, 0.3, 0.9], "translation": [0.1, 0.7, 0.3]}])
    assert len(np.unique(np.asarray(model.surface.corners).reshape(-1, 3), axis=0)) == 8
