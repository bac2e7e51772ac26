"""Files that are damaged, bent or built to hurt: each is refused in words, with little memory."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import DracoPy
import numpy as np
import pytest

from pricing.limits import Limits
from pricing.loading import load
from pricing.loading.guarding import guarded
from pricing.refusals import Refusal, RefusalCode
from tests.unit.test_loading_files import (
    CORE,
    CUBE,
    CUBE_VERTICES,
    RELATIONS,
    WRITERS,
    draco_parts,
    glb,
    gltf,
    gltf_parts,
    loaded,
    mesh_xml,
    model_xml,
    obj,
    ply,
    refused,
    stl,
    stl_text,
    torus,
    zipped,
)

if TYPE_CHECKING:
    from pathlib import Path

SMALL = 4 << 20


def package(model: str, **parts: str) -> bytes:
    return zipped({"_rels/.rels": RELATIONS, "3D/shape.model": model, **parts})


def small_refusal(tmp_path: Path, data: bytes, **options: Any) -> Refusal:
    """Return the refusal of bytes; refusing them took little memory."""
    tracemalloc.start()
    try:
        found = refused(tmp_path, data, **options)
        assert tracemalloc.get_traced_memory()[1] < SMALL + 3 * len(data)
    finally:
        tracemalloc.stop()
    return found


def test_a_truncated_stl_says_how_much_of_it_is_there(tmp_path: Path) -> None:
    found = small_refusal(tmp_path, stl(CUBE_VERTICES, CUBE, count=4_294_967_295))
    assert found.code == RefusalCode.UNREADABLE
    assert found.detail == (
        "The file ends before the model does: 12 of 4,294,967,295 triangles are there; export the model again."
    )
    assert "11 of 12 triangles" in refused(tmp_path, stl(CUBE_VERTICES, CUBE)[:-1]).detail
    assert "holds 12" in refused(tmp_path, stl(CUBE_VERTICES, CUBE, count=5)).detail


def test_a_text_stl_without_its_end_or_with_half_a_triangle_is_refused(tmp_path: Path) -> None:
    data = stl_text(CUBE_VERTICES, CUBE)
    assert "ends before the model" in refused(tmp_path, data[: data.rindex(b"endsolid")]).detail
    assert "ends before the model" in refused(tmp_path, data[: data.rindex(b"   vertex")]).detail
    assert "three corners" in refused(tmp_path, data.replace(b"   vertex 0.0 0.0 0.0\r\n", b"", 1)).detail
    assert "three numbers" in refused(tmp_path, data.replace(b"0.0", b"0,0", 1)).detail


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_corner_that_is_no_point_is_refused_in_every_format(tmp_path: Path, name: str, value: float) -> None:
    vertices = CUBE_VERTICES.copy()
    vertices[3, 1] = value
    found = refused(tmp_path, WRITERS[name][2](vertices, CUBE))
    assert found.code == RefusalCode.NOT_FINITE


def test_numbers_that_signal_when_they_are_converted_are_no_points_either(tmp_path: Path) -> None:
    signal = struct.pack("<I", 0x7FA00000)
    found = stl(CUBE_VERTICES, CUBE)
    assert refused(tmp_path, found[:96] + signal + found[100:]).code == RefusalCode.NOT_FINITE
    assert refused(tmp_path, found[:96] + signal + found[100:-1]).code == RefusalCode.UNSUPPORTED
    document, binary = gltf_parts(CUBE_VERTICES, CUBE)
    assert refused(tmp_path, glb(document, signal + binary[4:])).code == RefusalCode.NOT_FINITE


def test_numbers_beyond_any_model_are_no_points(tmp_path: Path) -> None:
    for writer in (obj, stl_text):
        assert refused(tmp_path, writer(CUBE_VERTICES * 1e300, CUBE)).code == RefusalCode.NOT_FINITE


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_without_triangles_is_empty(tmp_path: Path, name: str) -> None:
    if name in {"GLB", "glTF"}:
        document, binary = gltf_parts(CUBE_VERTICES, CUBE)
        document["meshes"][0]["primitives"][0]["mode"] = 1
        data = glb(document, binary) if name == "GLB" else gltf(document, binary)
    else:
        data = WRITERS[name][2](CUBE_VERTICES, CUBE[:0])
    assert refused(tmp_path, data).code == RefusalCode.EMPTY


def test_lines_alone_and_no_bytes_at_all_are_empty(tmp_path: Path) -> None:
    assert refused(tmp_path, b"v 0 0 0\nv 1 0 0\nl 1 2\n").code == RefusalCode.EMPTY
    assert refused(tmp_path, b"").code == RefusalCode.EMPTY


def test_references_to_no_vertex_are_refused(tmp_path: Path) -> None:
    wrong = CUBE.copy()
    wrong[5, 2] = 8
    for name, (_, _, writer) in WRITERS.items():
        if "STL" not in name:
            assert refused(tmp_path, writer(CUBE_VERTICES, wrong)).code == RefusalCode.UNREADABLE, name
    for face in (b"f 0 1 2", b"f -4 1 2", b"f 1 2 99999999999999999999999", b"f a b c"):
        data = b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" + face
        assert refused(tmp_path, data).code == RefusalCode.UNREADABLE, face


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"ISO-10303-21;\nHEADER;", "STEP"),
        (b"3D Geometry File Format 50", "Rhino"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"a letter to the editor\n" * 9, "no 3D model"),
        (bytes(range(256)) * 9, "no 3D model"),
        (b"\xff" * 5000, "no 3D model"),
    ],
)
def test_what_is_no_model_is_called_by_its_name(tmp_path: Path, head: bytes, says: str) -> None:
    found = refused(tmp_path, head)
    assert found.code == RefusalCode.UNSUPPORTED
    assert says in found.detail


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "pipe"):
        with pytest.raises(Refusal):
            load(path)


def test_the_limits_hold_in_every_format(tmp_path: Path) -> None:
    for name, (_, _, writer) in WRITERS.items():
        data = writer(CUBE_VERTICES, CUBE)
        for limits in (Limits(file_bytes=100), Limits(triangles=11, held_triangles=11)):
            assert refused(tmp_path, data, limits=limits).code == RefusalCode.TOO_LARGE, name


@pytest.mark.parametrize("order", ["<", ">", ""])
def test_lying_ply_headers_take_no_memory(tmp_path: Path, order: str) -> None:
    data = ply(CUBE_VERTICES, CUBE, order)
    for old, new in ((b"vertex 8", b"vertex 2000000000"), (b"face 12", b"face 2000000000"), (b"face 12", b"face 13")):
        assert "ends before" in small_refusal(tmp_path, data.replace(old, new)).detail
    assert "no x, y and z" in refused(tmp_path, data.replace(b"double z", b"double w")).detail
    assert "type of number" in refused(tmp_path, data.replace(b"double z", b"triple z")).detail
    assert "cannot be read" in refused(tmp_path, data.replace(b"vertex 8", b"vertex -8")).detail
    assert "no end" in refused(tmp_path, b"ply\n" * 5000).detail


def test_a_ply_list_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    header = b"ply\nformat binary_little_endian 1.0\nelement face 1\n"
    data = header + b"property list uint int vertex_indices\nend_header\n" + struct.pack("<Ii", 4_000_000_000, 0)
    assert "ends before" in small_refusal(tmp_path, data).detail
    nothing = b"ply\nformat binary_little_endian 1.0\nelement face 1000000\nend_header\n"
    assert "consists of" in refused(tmp_path, nothing).detail


def test_document_types_and_entities_are_refused_before_they_expand(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE model [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    model = model_xml("", "").replace("?>", "?>" + laughs, 1)
    assert "document type" in small_refusal(tmp_path, package(model)).detail
    relations = RELATIONS.replace("<Relationships", laughs + "<Relationships", 1)
    assert "document type" in refused(tmp_path, zipped({"_rels/.rels": relations})).detail


def test_a_zip_bomb_is_stopped_while_it_inflates_whatever_its_directory_says(tmp_path: Path) -> None:
    bomb = bytearray(package(model_xml("", "") + " " * (64 << 20)))
    assert small_refusal(tmp_path, bytes(bomb)).code == RefusalCode.TOO_LARGE
    at = bomb.rindex(b"PK\x01\x02")
    bomb[at + 24 : at + 28] = struct.pack("<I", 100)
    assert small_refusal(tmp_path, bytes(bomb)).code in {RefusalCode.TOO_LARGE, RefusalCode.UNREADABLE}


def test_archives_of_many_entries_other_methods_and_other_things_are_refused(tmp_path: Path) -> None:
    many = zipped({f"{i}": "" for i in range(201)})
    assert "200 entries" in refused(tmp_path, many).detail
    packed = zipped({"_rels/.rels": RELATIONS}, zipfile.ZIP_BZIP2)
    assert "does not allow" in refused(tmp_path, packed).detail
    assert "without a 3MF model" in refused(tmp_path, zipped({"ring.stl": b"x"})).detail
    assert "does not hold" in refused(tmp_path, zipped({"_rels/.rels": RELATIONS})).detail
    assert "damaged" in refused(tmp_path, packed[:-30]).detail


def test_xml_of_endless_names_depth_or_values_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(5)
    value = "".join(map(chr, noise.integers(97, 122, 3 << 20).tolist()))
    for inside in (
        "<a>" * 40 + "</a>" * 40,
        "".join(f"<n{i}/>" for i in range(60_000)),
        f'<a b="{value}"/>',
    ):
        assert refused(tmp_path, package(model_xml(inside, ""))).code == RefusalCode.TOO_LARGE
    assert refused(tmp_path, package("<model")).code == RefusalCode.UNREADABLE
    assert refused(tmp_path, package('<?xml version="1.0" encoding="klingon"?><a/>')).code == RefusalCode.UNREADABLE


def components(*pairs: tuple[int, int]) -> str:
    """Return objects, each of which uses another twice."""
    twice = "".join(
        f'<object id="{a}"><components>{f"""<component objectid="{b}"/>""" * 2}</components></object>' for a, b in pairs
    )
    return f'<object id="0">{mesh_xml(CUBE_VERTICES, CUBE)}</object>{twice}'


def test_component_cycles_depth_and_doubling_are_refused(tmp_path: Path) -> None:
    item = '<item objectid="{}"/>'
    cycle = package(model_xml(components((1, 2), (2, 1)), item.format(1)))
    assert "made of itself" in small_refusal(tmp_path, cycle).detail
    doubled = package(model_xml(components(*((i + 1, i) for i in range(30))), item.format(30)))
    assert refused(tmp_path, doubled).code == RefusalCode.TOO_LARGE
    deep = package(model_xml(components(*((i + 1, i) for i in range(50))), item.format(50)))
    assert "deep" in refused(tmp_path, deep).detail
    assert "does not hold" in refused(tmp_path, package(model_xml("", item.format(7)))).detail


def test_3mf_elements_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for model in (
        model_xml("", "", unit="cubit"),
        model_xml('<object id="1"><mesh><vertices><vertex x="1" y="2"/></vertices></mesh></object>', ""),
        model_xml('<object id="1"><mesh><triangles><triangle v1="1" v2="b" v3="2"/></triangles></mesh></object>', ""),
        model_xml("", '<item objectid="1" transform="1 2 3"/>'),
    ):
        assert "element that cannot be read" in refused(tmp_path, package(model)).detail
    assert "outside of any object" in refused(tmp_path, package(model_xml('<vertex x="1" y="1" z="1"/>', ""))).detail
    lattice = model_xml("", "", more='xmlns:b="http://beams" requiredextensions="b"')
    assert refused(tmp_path, package(lattice)).code == RefusalCode.UNSUPPORTED
    assert CORE in lattice


def test_lying_accessors_views_and_buffers_take_no_memory(tmp_path: Path) -> None:
    for table, index, key, value in (
        ("accessors", 0, "count", 2_000_000_000),
        ("accessors", 1, "count", 2_000_000_000),
        ("accessors", 0, "byteOffset", 10**9),
        ("accessors", 0, "bufferView", 9),
        ("bufferViews", 0, "byteLength", 10**9),
        ("bufferViews", 1, "buffer", 3),
        ("buffers", 0, "byteLength", 10**9),
        ("meshes", 0, "primitives", [{"attributes": {"POSITION": 5}}]),
        ("nodes", 0, "mesh", 4),
        ("nodes", 0, "children", [8]),
        ("accessors", 0, "componentType", 5126.5),
        ("accessors", 0, "type", "MAT4"),
        ("accessors", 0, "count", -1),
        ("accessors", 1, "type", "VEC3"),
        ("accessors", 1, "componentType", 5126),
    ):
        document, binary = gltf_parts(CUBE_VERTICES, CUBE)
        document[table][index][key] = value
        assert small_refusal(tmp_path, glb(document, binary)).code == RefusalCode.UNREADABLE, (table, key, value)


def test_gltf_trees_without_end_are_refused(tmp_path: Path) -> None:
    document, binary = gltf_parts(CUBE_VERTICES, CUBE)
    document["nodes"][0]["children"] = [0]
    assert "deep" in refused(tmp_path, glb(document, binary)).detail
    document["nodes"] = [{"mesh": 0}, *({"children": [i, i]} for i in range(30))]
    document["scenes"] = [{"nodes": [30]}]
    assert refused(tmp_path, glb(document, binary)).code == RefusalCode.TOO_LARGE


@pytest.mark.parametrize(
    "change",
    [
        {"extensionsRequired": ["EXT_meshopt_compression"]},
        {"asset": {"version": "1.0"}},
        {"buffers": [{"byteLength": 9, "uri": "https://elsewhere.example/ring.bin"}]},
        {"buffers": [{"byteLength": 9, "uri": "../../etc/passwd"}]},
        {"accessors": [{"componentType": 5126, "count": 3, "type": "VEC3", "sparse": {"count": 1}}] * 2},
    ],
)
def test_gltf_that_needs_what_we_do_not_read_is_refused_as_such(tmp_path: Path, change: dict[str, Any]) -> None:
    document, binary = gltf_parts(CUBE_VERTICES, CUBE)
    assert refused(tmp_path, glb(document | change, binary)).code == RefusalCode.UNSUPPORTED


def test_glb_whose_chunks_or_words_are_damaged_is_refused(tmp_path: Path) -> None:
    document, binary = gltf_parts(CUBE_VERTICES, CUBE)
    data = glb(document, binary)
    assert "ends before" in refused(tmp_path, data[:-5]).detail
    assert "no description" in refused(tmp_path, data[:12]).detail
    assert "version" in refused(tmp_path, data[:4] + b"\1" + data[5:]).detail
    assert "`the beginning`" in refused(tmp_path, data.replace(b'{"asset"', b'["asset"')).detail
    assert "million values" in refused(tmp_path, glb({"nodes": [0] * 1_000_001}, b"")).detail
    text = gltf(document, binary)
    assert "base64" in refused(tmp_path, text.replace(b"base64,", b"base64,!!!!!")).detail
    del document["accessors"][0]["bufferView"]
    assert "without data" in refused(tmp_path, glb(document, binary)).detail


def test_draco_that_lies_or_is_damaged_is_refused(tmp_path: Path) -> None:
    vertices, triangles = torus()
    document, packed = draco_parts(vertices, triangles)
    huge = packed[:12] + b"\xff\xff\xff\xff\x07" * 2 + packed[16:]
    assert small_refusal(tmp_path, glb(document, huge.ljust(len(packed), b"\0")[: len(packed)])).code in {
        RefusalCode.TOO_LARGE,
        RefusalCode.UNREADABLE,
    }
    for damaged in (b"x" * len(packed), packed[:40].ljust(len(packed), b"\0"), packed[:5] + b"\1" + packed[6:]):
        assert refused(tmp_path, glb(document, damaged)).code in {RefusalCode.UNREADABLE, RefusalCode.UNSUPPORTED}
    cloud = DracoPy.encode(vertices.astype(np.float32))
    document["buffers"][0]["byteLength"] = document["bufferViews"][0]["byteLength"] = len(cloud)
    assert refused(tmp_path, glb(document, cloud)).code == RefusalCode.UNSUPPORTED


def test_a_refusal_crosses_to_another_process_whole() -> None:
    found = pickle.loads(pickle.dumps(Refusal(RefusalCode.OPEN, "It is open.", ((1.0, 2.0, 3.0),))))  # noqa: S301 - ours
    assert (found.code, found.detail, found.where) == (RefusalCode.OPEN, "It is open.", ((1.0, 2.0, 3.0),))
    assert str(found) == "It is open."


def test_a_line_of_a_megabyte_is_no_text(tmp_path: Path) -> None:
    assert "line of more than" in refused(tmp_path, b"v 0 0 0\nf " + b"1 " * (1 << 20)).detail
    assert loaded(tmp_path, obj(CUBE_VERTICES, CUBE)).surface.count == 12


def test_memory_that_runs_out_is_no_damage_but_what_draco_asks_for_is_a_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MemoryError), guarded("The file is damaged"):
        raise MemoryError
    data = glb(*draco_parts(*torus()))
    monkeypatch.setattr(DracoPy, "decode", lambda _: bytearray(1 << 62))
    assert refused(tmp_path, data).code == RefusalCode.TOO_LARGE
