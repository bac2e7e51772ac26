"""The JSON of a glTF file, as far as it says something of shape (Khronos, glTF 2.0 Specification, 2021)."""

from __future__ import annotations

from typing import Annotated, Final

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pricing.loading.found import too_large, unreadable, unsupported

Index = Annotated[int, Field(ge=0, lt=1 << 31)]
Bytes = Annotated[int, Field(ge=0, lt=1 << 40)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Vector = tuple[Number, Number, Number]
Quaternion = tuple[Number, Number, Number, Number]

# A hundred bytes of memory for each value that JSON holds: a hundred megabytes.
MOST_VALUES: Final = 1_000_000
DRACO: Final = "KHR_draco_mesh_compression"
INSTANCING: Final = "EXT_mesh_gpu_instancing"
_READ: Final = {DRACO, INSTANCING, "KHR_mesh_quantization"}
_ONLY_LOOKS: Final = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_", "EXT_lights_", "MSFT_texture_")


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Buffer(_Strict):
    """Bytes: of the GLB file where ``uri`` is missing."""

    byteLength: Bytes  # noqa: N815 - glTF's own name, here and below
    uri: str | None = None


class BufferView(_Strict):
    """A slice of a buffer."""

    buffer: Index
    byteLength: Bytes  # noqa: N815
    byteOffset: Bytes = 0  # noqa: N815
    byteStride: Annotated[int, Field(ge=4, le=252)] | None = None  # noqa: N815


class Accessor(_Strict):
    """Numbers in a slice."""

    componentType: int  # noqa: N815
    count: Annotated[int, Field(ge=1, lt=1 << 40)]
    type: str
    bufferView: Index | None = None  # noqa: N815
    byteOffset: Bytes = 0  # noqa: N815
    normalized: bool = False
    sparse: dict[str, object] | None = None


class Draco(_Strict):
    """Where a primitive's compressed form is."""

    bufferView: Index  # noqa: N815


class PrimitiveExtensions(_Strict):
    """Extensions of a primitive."""

    draco: Annotated[Draco | None, Field(alias=DRACO)] = None


class Primitive(_Strict):
    """Triangles of one material; ``mode`` 4, 5 and 6 are triangles, strip and fan, less is points and lines."""

    attributes: dict[str, Index]
    indices: Index | None = None
    mode: Annotated[int, Field(ge=0, le=6)] = 4
    targets: list[dict[str, Index]] = []
    extensions: PrimitiveExtensions = PrimitiveExtensions()


class Mesh(_Strict):
    """Primitives."""

    primitives: list[Primitive]


class Instancing(_Strict):
    """Accessors of the places that a node's mesh is drawn at."""

    attributes: dict[str, Index]


class NodeExtensions(_Strict):
    """Extensions of a node."""

    instancing: Annotated[Instancing | None, Field(alias=INSTANCING)] = None


class Node(_Strict):
    """A place in space, with a mesh or further nodes within."""

    mesh: Index | None = None
    skin: Index | None = None
    children: list[Index] = []
    matrix: Annotated[list[Number], Field(min_length=16, max_length=16)] | None = None
    translation: Vector = (0.0, 0.0, 0.0)
    rotation: Quaternion = (0.0, 0.0, 0.0, 1.0)
    scale: Vector = (1.0, 1.0, 1.0)
    extensions: NodeExtensions = NodeExtensions()


class Scene(_Strict):
    """The nodes at the root."""

    nodes: list[Index] = []


class Asset(_Strict):
    """The version of glTF."""

    version: str


class Document(_Strict):
    """The whole."""

    asset: Asset
    scene: Index | None = None
    scenes: list[Scene] = []
    nodes: list[Node] = []
    meshes: list[Mesh] = []
    accessors: list[Accessor] = []
    bufferViews: list[BufferView] = []  # noqa: N815
    buffers: list[Buffer] = []
    extensionsRequired: list[str] = []  # noqa: N815


def parse(data: bytes) -> Document:
    """Return the document. Raises a refusal for what is no glTF 2.0, or needs what we cannot read."""
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MOST_VALUES:
        raise too_large("The description in the glTF file has more than a million values")
    try:
        document = Document.model_validate_json(data.rstrip(b" \0"))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the beginning"
        raise unreadable(
            f"The glTF file's description cannot be read at `{where[:80]}`: {first['msg'][:120]}"
        ) from None
    if not document.asset.version.startswith("2."):
        raise unsupported("The file is of a glTF version that we cannot read: export it as glTF 2.0")
    for name in document.extensionsRequired:
        if name not in _READ and not name.startswith(_ONLY_LOOKS):
            raise unsupported(
                f"The glTF file needs an extension that we cannot read (`{name[:60]}`): export without it"
            )
    return document
