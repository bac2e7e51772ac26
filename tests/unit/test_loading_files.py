"""Files in every format, written by these tests from arrays, are read back to the digit."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import DracoPy
import numpy as np
import pytest

from pricing.loading import load
from pricing.refusals import Refusal, RefusalCode
from pricing.surface import Format
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pricing.surface import Model

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel" Target="/3D/shape.model"/></Relationships>'
)

CUBE_VERTICES = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
CUBE_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
CUBE = CUBE_QUADS[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def torus(around: int = 24, across: int = 12) -> tuple[Floats, Ints]:
    """Return a ring with a round wire: radius 10 mm, wire 1 mm, as vertices and triangles wound outward."""
    u = np.repeat(np.arange(around) * 2 * np.pi / around, across)
    v = np.tile(np.arange(across) * 2 * np.pi / across, around)
    out = 10 + np.cos(v)
    vertices = np.stack([out * np.cos(u), out * np.sin(u), np.sin(v)], axis=1).astype(np.float32).astype(np.float64)
    i, j = (each.reshape(-1) for each in np.meshgrid(np.arange(around), np.arange(across), indexing="ij"))
    a, b = i * across + j, (i + 1) % around * across + j
    d, c = i * across + (j + 1) % across, (i + 1) % around * across + (j + 1) % across
    return vertices, np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])


def volume(model: Model) -> float:
    """Return the signed volume by the divergence theorem, cubic units of the file."""
    return volume_of(np.asarray(model.surface.corners, np.float64))


def volume_of(corners: Floats) -> float:
    """Return the signed volume of triangles, shape (n, 3, 3)."""
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def stl(vertices: Floats, triangles: Ints, header: bytes = b"solid of a liar", count: int | None = None) -> bytes:
    records = np.zeros(len(triangles), [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")])
    records["c"] = vertices[triangles]
    claim = len(triangles) if count is None else count
    return header.ljust(80, b"\0") + struct.pack("<I", claim) + records.tobytes()


def stl_text(vertices: Floats, triangles: Ints) -> bytes:
    lines = ["solid vertex ring"]
    for corners in vertices[triangles]:
        lines += [" facet normal 0 0 0", "  outer loop"]
        lines += [f"   vertex {float(x)!r} {float(y)!r} {float(z)!r}" for x, y, z in corners]
        lines += ["  endloop", " endfacet"]
    return "\r\n".join([*lines, "endsolid vertex ring", ""]).encode()


def obj(vertices: Floats, faces: Ints) -> bytes:
    lines = ["# made", "o ring", *(f"v {float(x)!r} {float(y)!r} {float(z)!r}" for x, y, z in vertices)]
    return "\n".join([*lines, *("f " + " ".join(f"{i + 1}/1/1" for i in face) for face in faces), ""]).encode()


def ply(vertices: Floats, faces: Ints, order: str = "<") -> bytes:
    name = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}[order]
    header = (
        f"ply\nformat {name} 1.0\ncomment made\nelement vertex {len(vertices)}\nproperty float quality\n"
        "property double x\nproperty double y\nproperty double z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nproperty uchar red\nend_header\n"
    ).encode()
    if not order:
        rows = [f"0.5 {float(x)!r} {float(y)!r} {float(z)!r}" for x, y, z in vertices]
        rows += [f"{len(face)} {' '.join(map(str, face))} 255" for face in faces]
        return header + "\n".join(rows).encode() + b"\n"
    rows_of_vertices = b"".join(struct.pack(order + "fddd", 0.5, *row) for row in vertices)
    return (
        header
        + rows_of_vertices
        + b"".join(struct.pack(f"{order}B{len(face)}iB", len(face), *face, 255) for face in faces)
    )


def zipped(parts: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def mesh_xml(vertices: Floats, triangles: Ints) -> str:
    points = "".join(f'<vertex x="{float(x)!r}" y="{float(y)!r}" z="{float(z)!r}"/>' for x, y, z in vertices)
    faces = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in triangles)
    return f"<mesh><vertices>{points}</vertices><triangles>{faces}</triangles></mesh>"


def model_xml(resources: str, build: str, unit: str = "millimeter", more: str = "") -> str:
    return (
        f'<?xml version="1.0"?><model unit="{unit}" xmlns="{CORE}" {more}>'
        f"<resources>{resources}</resources><build>{build}</build></model>"
    )


def three_mf(vertices: Floats, triangles: Ints) -> bytes:
    shape = f'<object id="1">{mesh_xml(vertices, triangles)}</object>'
    return zipped({"_rels/.rels": RELATIONS, "3D/shape.model": model_xml(shape, '<item objectid="1"/>')})


def gltf_parts(vertices: Floats, indices: Ints) -> tuple[dict[str, Any], bytes]:
    points, corners = vertices.astype("<f4").tobytes(), indices.astype("<u4").tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": indices.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": len(points)},
            {"buffer": 0, "byteOffset": len(points), "byteLength": len(corners)},
        ],
        "buffers": [{"byteLength": len(points) + len(corners)}],
    }
    return document, points + corners


def glb(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def gltf(document: dict[str, Any], binary: bytes) -> bytes:
    uri = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    return json.dumps(document | {"buffers": [{"byteLength": len(binary), "uri": uri}]}).encode()


def draco_parts(vertices: Floats, triangles: Ints) -> tuple[dict[str, Any], bytes]:
    packed = DracoPy.encode(vertices.astype(np.float32), triangles.astype(np.uint32), quantization_bits=20)
    document, _ = gltf_parts(vertices, triangles)
    for accessor in document["accessors"]:
        del accessor["bufferView"]
    document["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    extension = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    document["meshes"][0]["primitives"][0]["extensions"] = extension
    document["bufferViews"] = [{"buffer": 0, "byteLength": len(packed)}]
    document["buffers"] = [{"byteLength": len(packed)}]
    return document, packed


WRITERS: dict[str, tuple[Format, Unit | None, Callable[[Floats, Ints], bytes]]] = {
    "binary STL": (Format.STL, None, stl),
    "text STL": (Format.STL, None, stl_text),
    "OBJ": (Format.OBJ, None, obj),
    "PLY, little": (Format.PLY, None, ply),
    "PLY, big": (Format.PLY, None, lambda v, t: ply(v, t, ">")),
    "PLY, text": (Format.PLY, None, lambda v, t: ply(v, t, "")),
    "3MF": (Format.THREE_MF, Unit.MILLIMETRE, three_mf),
    "GLB": (Format.GLB, Unit.METRE, lambda v, t: glb(*gltf_parts(v, t))),
    "glTF": (Format.GLTF, Unit.METRE, lambda v, t: gltf(*gltf_parts(v, t))),
}


def loaded(tmp_path: Path, data: bytes, **options: Any) -> Model:
    """Load bytes from a file whose name says nothing."""
    path = tmp_path / "upload"
    path.write_bytes(data)
    return load(path, **options)


def refused(tmp_path: Path, data: bytes, **options: Any) -> Refusal:
    """Return the refusal of bytes."""
    with pytest.raises(Refusal) as caught:
        loaded(tmp_path, data, **options)
    assert caught.value.detail.endswith(".")
    return caught.value


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("shape", ["cube", "torus"])
def test_every_format_reads_back_what_was_written(tmp_path: Path, name: str, shape: str) -> None:
    vertices, triangles = (CUBE_VERTICES, CUBE) if shape == "cube" else torus()
    form, unit, writer = WRITERS[name]
    model = loaded(tmp_path, writer(vertices, triangles))
    assert (model.format, model.unit, model.notes) == (form, unit, ())
    np.testing.assert_array_equal(np.concatenate(list(model.surface.chunks())), vertices[triangles])


def test_a_draco_compressed_shape_is_decoded_never_a_silent_zero(tmp_path: Path) -> None:
    vertices, triangles = torus()
    model = loaded(tmp_path, glb(*draco_parts(vertices, triangles)))
    truth = loaded(tmp_path, stl(vertices, triangles))
    assert model.surface.count == len(triangles)
    assert volume(model) == pytest.approx(volume(truth), rel=1e-4)


def test_quads_of_a_cube_become_twelve_triangles_in_obj_and_ply(tmp_path: Path) -> None:
    for data in (obj(CUBE_VERTICES, CUBE_QUADS), *(ply(CUBE_VERTICES, CUBE_QUADS, order) for order in ("<", ">", ""))):
        model = loaded(tmp_path, data)
        assert model.surface.count == 12
        assert volume(model) == pytest.approx(1)


def test_the_customers_unit_outweighs_the_files_and_a_note_says_so(tmp_path: Path) -> None:
    data = glb(*gltf_parts(CUBE_VERTICES, CUBE))
    model = loaded(tmp_path, data, unit=Unit.MILLIMETRE)
    assert model.unit == Unit.MILLIMETRE
    assert model.notes == ("The file says its unit is m; it was taken as mm, as asked.",)
    assert loaded(tmp_path, stl(CUBE_VERTICES, CUBE), unit=Unit.INCH).notes == ()


def test_the_format_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "ring.obj"
    path.write_bytes(three_mf(CUBE_VERTICES, CUBE))
    assert load(path).format == Format.THREE_MF


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_text_in_other_encodings_is_read(tmp_path: Path, encoding: str) -> None:
    for writer in (obj, stl_text):
        data = writer(CUBE_VERTICES, CUBE).decode().encode(encoding)
        assert volume(loaded(tmp_path, data)) == pytest.approx(1), writer


def test_obj_negative_indices_continued_lines_and_curves(tmp_path: Path) -> None:
    data = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 \\\n -2 -1\nl 1 2\nsurf 0 1 0 1 1\nf 1 2\n"
    model = loaded(tmp_path, data)
    np.testing.assert_array_equal(model.surface.corners, [[[0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    assert model.notes == (
        "Curved surfaces left out, as they are no polygons: 1.",
        "Faces left out, as they have fewer than three corners: 1.",
    )


@pytest.mark.parametrize("order", ["binary_big_endian", "ascii"])
def test_a_ply_whose_lists_are_counted_in_fractions_is_refused(tmp_path: Path, order: str) -> None:
    """Found by fuzzing: such a count may be no number at all."""
    header = f"ply\nformat {order} 1.0\nelement face 11\nproperty list float int vertex_indices\nend_header\n"
    file = tmp_path / "a.ply"
    file.write_bytes(header.encode() + b"\x7f\xc0\x00\x00" * 40)
    with pytest.raises(Refusal, match="counts a list in numbers that are not whole: `float`") as refused:
        load(file)
    assert refused.value.code is RefusalCode.UNREADABLE


def test_a_ply_of_strips_turns_every_second_triangle(tmp_path: Path) -> None:
    header = b"ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    strips = b"element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
    model = loaded(tmp_path, header + strips + b"0 0 0\n1 0 0\n0 1 0\n1 1 0\n8 0 1 2 3 -1 2 1 0\n")
    normals = np.cross(*np.moveaxis(np.diff(np.asarray(model.surface.corners), axis=1), 1, 0))
    np.testing.assert_array_equal(normals, [[0, 0, 1], [0, 0, 1], [0, 0, -1]])


def test_triangles_without_area_are_kept_and_counted(tmp_path: Path) -> None:
    triangles = np.vstack([CUBE, [[0, 0, 1], [2, 2, 2]]])
    for writer in (stl, obj, three_mf):
        model = loaded(tmp_path, writer(CUBE_VERTICES, triangles))
        assert model.surface.count == 14
        assert model.notes == ("Triangles without area: 2 of 14; they change nothing.",)


def test_a_binary_stl_whose_header_counts_none_is_as_long_as_its_file(tmp_path: Path) -> None:
    model = loaded(tmp_path, stl(CUBE_VERTICES, CUBE, count=0))
    assert model.surface.count == 12
    assert model.notes == ("The header counts no triangles and the file holds 12; all were taken.",)
    assert loaded(tmp_path, stl(CUBE_VERTICES, CUBE) + b"\r\n").notes == (
        "2 bytes after the last triangle were ignored.",
    )


def test_a_binary_stl_stays_on_disk(tmp_path: Path) -> None:
    corners = loaded(tmp_path, stl(CUBE_VERTICES, CUBE)).surface.corners
    assert isinstance(corners, np.memmap)
