"""Containers taken apart and put together again with right lengths and checksums: zip, GLB, JSON."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

VALUES: Final[tuple[Any, ...]] = (
    *(None, True, 0, 1, 2, 3, 4, 5, 6, 8, 12, 36, 64, 252, 255, -1, 1 << 31, 1 << 40, 1e300, 0.5, -2.0),
    *("", "SCALAR", "VEC3", "VEC4", "2.0", 5120, 5121, 5122, 5123, 5125, 5126, [], {}, [0], [0, 0, 0], [1.5] * 4),
    *({"POSITION": 0}, {"POSITION": 1}, [0.001] * 16, "data:;base64,AAAA", "KHR_mesh_quantization"),
)
KEYS: Final = (
    *("mode", "normalized", "byteOffset", "byteStride", "sparse", "targets", "skin", "matrix", "scale", "rotation"),
    *("translation", "children", "extensions", "indices", "uri", "scene", "extensionsRequired", "mesh", "bufferView"),
)


def unpack_zip(data: bytes) -> list[tuple[str, bytes]]:
    """Return the entries' names and bytes; none where it is no archive that Python can read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(info.filename, archive.read(info)) for info in archive.infolist() if info.file_size < 1 << 16]
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, OSError, EOFError, RuntimeError):
        return []


def pack_zip(parts: list[tuple[str, bytes]], *, packed: bool) -> bytes:
    """Return an archive: names may stand in it twice. Written by hand, as zipfile takes five times as long."""
    local, directory = io.BytesIO(), io.BytesIO()
    for name, data in parts:
        held, encoded = _deflated(data) if packed else data, name.encode("utf-8", "replace")
        method, at = 8 if packed else 0, local.tell()
        sizes = struct.pack("<IIIHH", zlib.crc32(data), len(held), len(data), len(encoded), 0)
        local.write(struct.pack("<IHHHHH", 0x04034B50, 20, 0x800, method, 0, 33) + sizes + encoded + held)
        entry = struct.pack("<IHHHHHH", 0x02014B50, 20, 20, 0x800, method, 0, 33) + sizes
        directory.write(entry + struct.pack("<HHHII", 0, 0, 0, 0, at) + encoded)
    count, size, at = len(parts), directory.tell(), local.tell()
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size, at, 0)
    return local.getvalue() + directory.getvalue() + end


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def unpack_glb(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the two chunks of a GLB file, or None where there is no first one."""
    if len(data) < 20 or data[:4] != b"glTF":
        return None
    size = int.from_bytes(data[12:16], "little")
    return data[20 : 20 + size], data[28 + size :]


def pack_glb(text: bytes, binary: bytes) -> bytes:
    """Return a GLB file of two chunks."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def mutated_json(data: bytes, chance: random.Random) -> bytes:
    """Return a document with one value changed, dropped, doubled, moved or added; bytes blindly where it is none."""
    try:
        document = json.loads(data)
        spots = list(places(document))
    except (ValueError, RecursionError):
        document, spots = None, []
    if not spots:
        at = chance.randint(0, len(data))
        return data[:at] + chance.choice((b"{", b"}", b'"', b",", b"0")) + data[at + chance.randint(0, 1) :]
    parent, key = chance.choice(spots)
    match chance.randrange(8):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.insert(key, deepcopy(parent[key]))
        case 2:
            other, its = chance.choice(spots)
            parent[key] = deepcopy(other[its])
        case 3 if isinstance(parent, dict):
            parent[chance.choice(KEYS)] = deepcopy(chance.choice(VALUES))
        case 4 | 5 if type(parent[key]) in {int, float}:
            parent[key] += chance.choice((1, -1, 4, -4, 0.5, parent[key]))
        case _:
            parent[key] = deepcopy(chance.choice(VALUES))
    return json.dumps(document, separators=(",", ":")).encode()


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place of a document that holds a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)
