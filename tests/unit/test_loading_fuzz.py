"""Mutated files of every format are a model or a refusal, never anything else."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricing.limits import Limits
from pricing.loading import load
from pricing.refusals import Refusal
from tests.unit.test_loading_files import (
    CUBE,
    CUBE_QUADS,
    CUBE_VERTICES,
    WRITERS,
    draco_parts,
    glb,
    gltf_parts,
    mesh_xml,
    model_xml,
    obj,
    ply,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pricing.surface import Model

DOCUMENT, PACKED = draco_parts(CUBE_VERTICES, CUBE)
XML = model_xml(f'<object id="1">{mesh_xml(CUBE_VERTICES, CUBE)}</object>', '<item objectid="1"/>')


def sized(count: int) -> dict[str, Any]:
    """Return a document whose compressed shape has so many bytes."""
    return DOCUMENT | {"buffers": [{"byteLength": count}], "bufferViews": [{"buffer": 0, "byteLength": count}]}


SEEDS = {name: writer(CUBE_VERTICES, CUBE) for name, (_, _, writer) in WRITERS.items()} | {
    "Draco": glb(*draco_parts(CUBE_VERTICES, CUBE)),
    "OBJ of quads": obj(CUBE_VERTICES, CUBE_QUADS),
    "PLY of quads": ply(CUBE_VERTICES, CUBE_QUADS, ">"),
    "XML within 3MF": XML.encode(),
    "Draco within GLB": PACKED,
}
# What lies within a container is mutated there: outside, its checksum or its length would give it away.
WRAPS = {
    "XML within 3MF": lambda data: zipped({"3D/3dmodel.model": data}),
    "Draco within GLB": lambda data: glb(sized(len(data)), data),
}
# Lies of any size are told within small limits, so that a run stays short.
LIMITS = Limits(inflated_bytes=1 << 22, held_triangles=5_000, triangles=5_000, vertices=5_000, instances=200)

BYTES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"-1", b"9" * 30, b"1e999", b"nan", b"\n", b'"', b"]", b"{}"]),
)
MUTATION = st.tuples(st.integers(0, 1 << 16), st.integers(0, 12), BYTES)


def mutated(data: bytes, mutations: list[tuple[int, int, bytes]], keep: float) -> bytes:
    for place, gone, put in mutations:
        at = place % (len(data) + 1)
        data = data[:at] + put + data[at + gone :]
    return data[: int(len(data) * keep)]


def outcome(path: Path) -> Model | Refusal:
    try:
        return load(path, LIMITS)
    except Refusal as refusal:
        return refusal


def check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(data)
        found = outcome(path)
        if isinstance(found, Refusal):
            assert found.detail.endswith(".")
            return
        assert np.isfinite(np.asarray(found.surface.corners, np.float64)).all()
        assert 0 < found.surface.count <= LIMITS.triangles


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutations=st.lists(MUTATION, min_size=1, max_size=6), keep=st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.5, 0.1]))
def test_a_mutated_file_is_a_model_or_a_refusal(
    name: str, mutations: list[tuple[int, int, bytes]], keep: float
) -> None:
    check(WRAPS.get(name, bytes)(mutated(SEEDS[name], mutations, keep)))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "SCALAR", "VEC3", [], {}, [0], [0, 0, 0], [1.5] * 4, 5120, 5121, 5126, {"POSITION": 1}]),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(compressed=st.booleans(), changes=st.lists(st.tuples(st.integers(0, 1 << 16), VALUES), min_size=1, max_size=4))
def test_a_gltf_whose_description_says_anything_is_a_model_or_a_refusal(
    changes: list[tuple[int, Any]], *, compressed: bool
) -> None:
    document, binary = (draco_parts if compressed else gltf_parts)(CUBE_VERTICES, CUBE)
    for place, value in changes:
        spots = list(places(document))
        parent, key = spots[place % len(spots)] if spots else (document, "asset")
        parent[key] = deepcopy(value)
    check(glb(document, binary))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place of a document that holds a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)
