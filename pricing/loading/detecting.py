"""Which format a file is in, by its content: its name is what somebody called it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import numpy as np

from pricing.loading.found import unsupported
from pricing.loading.lines import text_of
from pricing.loading.stl_records import HEADER, RECORD, promised

HEAD: Final = 1 << 16
KNOWN: Final = "STL, OBJ, 3MF, PLY, GLB and glTF"

# What customers send by mistake, so that the answer can say which program's export menu helps.
_OTHERS: Final = {
    b"ISO-10303-21": "a STEP file",
    b"3D Geometry File Format": "a Rhino file",
    b"Kaydara FBX": "an FBX file",
    b"BLENDER": "a Blender file",
    b"%PDF": "a PDF",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"\x89PNG": "a picture (PNG)",
    b"\x1f\x8b": "a compressed file (gzip)",
    b"Rar!": "a compressed file (RAR)",
    b"7z\xbc\xaf": "a compressed file (7z)",
}
_OBJ: Final = re.compile(r"^[ \t]*(v|f|o|g|l|s|vn|vt|usemtl|mtllib)[ \t]+\S", re.MULTILINE)
_GLTF: Final = re.compile(r'\A\s*\{.*"asset"\s*:', re.DOTALL)


class Kind(StrEnum):
    """The readers there are."""

    STL_BINARY = "binary STL"
    STL_TEXT = "text STL"
    OBJ = "OBJ"
    THREE_MF = "3MF"
    PLY = "PLY"
    GLB = "GLB"
    GLTF = "glTF"


_MAGIC: Final = {b"PK\x03\x04": Kind.THREE_MF, b"glTF": Kind.GLB, b"ply\n": Kind.PLY, b"ply\r": Kind.PLY}


def detect(head: bytes, size: int) -> Kind:
    """Return the kind of a file. ``head``: its first ``HEAD`` bytes; ``size``: all its bytes.

    Raises a refusal that says what the file is, if that is known.
    """
    if (kind := _MAGIC.get(head[:4])) is not None:
        return kind
    for magic, what in _OTHERS.items():
        if head[:128].lstrip().startswith(magic):
            raise unsupported(f"This is {what}, and we read {KNOWN}: export the model in one of these")
    # Before text: many programs begin the header of a binary STL with the word `solid`.
    if size >= HEADER and size == HEADER + RECORD * promised(head):
        return Kind.STL_BINARY
    if (kind := _text_kind(text_of(head), size)) is not None:
        return kind
    if _records_look_sound(head, size):
        return Kind.STL_BINARY
    raise unsupported(f"This is no 3D model that we know; we read {KNOWN}")


def _text_kind(text: str, size: int) -> Kind | None:
    if "\0" in text[:HEADER] and text.lstrip()[:5].lower() == "solid":
        return None
    if text.lstrip()[:5].lower() == "solid" and re.search(r"\b(facet|endsolid)\b", text, re.IGNORECASE):
        return Kind.STL_TEXT
    # The asset may stand behind a long buffer, so that a `{` alone has to do for files longer than their head.
    if _GLTF.match(text) or (text.lstrip().startswith("{") and size > HEAD):
        return Kind.GLTF
    if "\0" not in text and _OBJ.search(text):
        return Kind.OBJ
    return None


def _records_look_sound(head: bytes, size: int) -> bool:
    """Say whether bytes without any mark could be a binary STL whose length is wrong: unit normals, finite corners."""
    count = (min(len(head), size) - HEADER) // RECORD
    if count < 1:
        return False
    raw = np.frombuffer(head, np.uint8, count * RECORD, HEADER).reshape(count, RECORD)[:, :48]
    stored = np.ascontiguousarray(raw).view("<f4")
    if not np.isfinite(stored).all():
        return False
    numbers = stored.astype(np.float64)
    lengths = np.sqrt((numbers[:, :3] ** 2).sum(axis=1))
    return bool((lengths < 1.01).mean() > 0.9 and np.abs(numbers[:, 3:]).max() < 1e15)
