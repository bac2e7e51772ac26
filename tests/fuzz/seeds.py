"""Small sound models of each format to begin from, of the size of jewellery, and the odd ways to write them."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pricing.surface import Format
from tests.unit.test_loading_files import (
    CUBE,
    CUBE_QUADS,
    CUBE_VERTICES,
    RELATIONS,
    draco_parts,
    glb,
    gltf,
    gltf_parts,
    mesh_xml,
    model_xml,
    obj,
    ply,
    stl,
    stl_text,
    three_mf,
    torus,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.test_loading_files import Floats, Ints

SIDE: Final = 12.0
PRODUCTION: Final = 'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06"'
BOX: Final = CUBE_VERTICES * SIDE, CUBE
RING: Final = torus(6, 3)


def beside(by: tuple[float, float, float], *, faces: Ints = CUBE) -> tuple[Floats, Ints]:
    """Return two boxes as one surface, the second moved."""
    return np.concatenate([BOX[0], BOX[0] + np.array(by)]), np.concatenate([faces, faces + 8])


TWO: Final = beside((20.0, 0.0, 0.0))
OVERLAPPING: Final = beside((4.0, 5.0, 6.0))
SHAPES: Final = (BOX, RING, TWO, OVERLAPPING, (BOX[0], CUBE[:-1]))


def seeds(form: Format) -> list[bytes]:
    """Return the models of a format."""
    return _MAKERS[form]()


def _stl() -> list[bytes]:
    return [stl(*shape) for shape in SHAPES] + [stl_text(*shape) for shape in SHAPES]


def _obj() -> list[bytes]:
    plain = [obj(*shape) for shape in SHAPES]
    quads = obj(BOX[0], CUBE_QUADS)
    corner = b"v 0 0 0\nv 9 0 0\nv 9 9 0\nv 4 4 0\nv 0 9 0\nv 3 3 8\n"
    dented = corner + b"f 5 4 3 2 1\nf -6 -5 -1\nf 2 3 6\nf 3 4 6\nf 4 5 6\nf 5 1 6\n"
    return [*plain, quads, dented, quads.decode().encode("utf-16"), quads.replace(b" 4/1/1", b" \\\n4/1/1")]


def _three_mf() -> list[bytes]:
    plain = [three_mf(*shape) for shape in SHAPES]
    shape = f'<object id="1">{mesh_xml(*BOX)}</object>'
    twice = (
        '<object id="2"><components><component objectid="1"/>'
        '<component objectid="1" transform="0 1 0 -1 0 0 0 0 1 40 0 5"/></components></object>'
    )
    support = f'<object id="3" type="support">{mesh_xml(*RING)}</object>'
    build = '<item objectid="2" transform="-1 0 0 0 1 0 0 0 1 0 0 0"/><item objectid="3"/>'
    placed: dict[str, str | bytes] = {
        "_rels/.rels": RELATIONS,
        "3D/shape.model": model_xml(shape + twice + support, build),
    }
    uses = '<object id="5"><components><component objectid="1" p:path="/3D/o.model"/></components></object>'
    root = model_xml(uses, '<item objectid="5"/>', more=PRODUCTION)
    other = model_xml(shape, "", "centimeter")
    parts: dict[str, str | bytes] = {"_rels/.rels": RELATIONS, "3D/shape.model": root, "3D/o.model": other}
    return [*plain, *(zipped(each, zipfile.ZIP_STORED) for each in (placed, parts))]


def _ply() -> list[bytes]:
    found = [ply(vertices, faces, order) for vertices, faces in SHAPES for order in ("<", ">", "")]
    found += [ply(BOX[0], CUBE_QUADS, order) for order in ("<", ">", "")]
    return [*found, _strips(), _mixed()]


def _strips() -> bytes:
    """Return a tetrahedron as one strip that turns back at its end."""
    header = (
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
    )
    return (header + "0 0 0\n9 0 0\n0 9 0\n0 0 9\n9 0 2 1 3 0 2 -1 0 1\n").encode()


def _mixed() -> bytes:
    """Return a pyramid of a quad and triangles, after a table that is none of ours."""
    header = (
        b"ply\nformat binary_little_endian 1.0\nelement camera 1\nproperty list ushort short list\n"
        b"element vertex 5\nproperty float x\nproperty float y\nproperty float z\n"
        b"element face 5\nproperty char flag\nproperty list uchar uint vertex_index\nend_header\n"
    )
    points = np.array([[0, 0, 0], [9, 0, 0], [9, 9, 0], [0, 9, 0], [4, 4, 8]], "<f4").tobytes()
    faces = [(0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
    rows = b"".join(struct.pack(f"<bB{len(face)}I", 0, len(face), *face) for face in faces)
    return header + struct.pack("<Hhh", 2, 7, -7) + points + rows


def _scenes() -> list[tuple[dict[str, Any], bytes]]:
    """Return glTF documents with their bytes, in metres."""
    found = [gltf_parts(vertices / 1000, faces) for vertices, faces in SHAPES]
    found += [draco_parts(vertices / 1000, faces) for vertices, faces in (BOX, RING)]
    document, binary = gltf_parts(BOX[0] / 1000, CUBE)
    places = np.array([[0, 0, 0], [0.03, 0, 0], [0, 0.03, 0]], "<f4").tobytes()
    document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(places)})
    document["accessors"].append({"bufferView": 2, "componentType": 5126, "count": 3, "type": "VEC3"})
    document["buffers"] = [{"byteLength": len(binary) + len(places)}]
    instancing = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 2}}}
    parent = {"children": [1], "rotation": [0, 0, 0.6, 0.8], "scale": [1, -1, 1]}
    document["nodes"] = [parent, {"mesh": 0, "extensions": instancing}]
    strip = gltf_parts(BOX[0] / 1000, np.array([0, 2, 1, 3, 7, 2, 6, 0, 4, 1, 5, 7, 4, 6]))
    strip[0]["meshes"][0]["primitives"][0]["mode"] = 5
    return [*found, (document, binary + places), strip]


_MAKERS: Final[dict[Format, Callable[[], list[bytes]]]] = {
    Format.STL: _stl,
    Format.OBJ: _obj,
    Format.THREE_MF: _three_mf,
    Format.PLY: _ply,
    Format.GLB: lambda: [glb(*scene) for scene in _scenes()],
    Format.GLTF: lambda: [gltf(*scene) for scene in _scenes()],
}
