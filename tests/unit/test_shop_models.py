"""Models: told by their content, refused when a part is missing, kept once, and never half."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import struct
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrumentation.errors import BadInput
from pricing.storage import Area, Stored, create_store
from services.auth.people import Role
from services.shop.formats import Inspection, recognised
from tests.unit.test_shop import MODEL, detail_of, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def binary_stl(triangles: int, header: bytes = b"") -> bytes:
    """Return a binary STL of triangles that are all alike."""
    triangle = struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
    return header.ljust(80, b"\0") + struct.pack("<I", triangles) + triangle * triangles


def _3mf() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("3D/3dmodel.model", "<model/>" * 100)
    return file.getvalue()


def _glb() -> bytes:
    chunk = b'{"asset":{"version":"2.0"}}  '[:28]
    return b"glTF" + struct.pack("<II", 2, 20 + len(chunk)) + struct.pack("<I4s", len(chunk), b"JSON") + chunk


PLY = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"
OBJ = b"# a ring\no ring\nv 0 0 0\nv 1 0 0.5e-3\nv 0 1 0\nf 1 2 3\n"
WHOLE = {
    "binary stl": (binary_stl(12), "stl"),
    "binary stl that calls itself solid": (binary_stl(3, b"solid made by some tool"), "stl"),
    "ascii stl": (MODEL, "stl"),
    "obj": (OBJ, "obj"),
    "obj after a long preface": (b"# exported\n" * 500 + b"mtllib a.mtl\n" + OBJ, "obj"),
    "3mf": (_3mf(), "3mf"),
    "ply": (PLY, "ply"),
    "glb": (_glb(), "glb"),
}
BROKEN = {
    "truncated binary stl": (binary_stl(12)[:-1], "12 triangles"),
    "binary stl with more than it says": (binary_stl(12) + b"\0\0", "12 triangles"),
    "binary stl cut in its first triangle": (binary_stl(12)[:90], "12 triangles"),
    "truncated ascii stl": (MODEL[:30], "endsolid"),
    "truncated 3mf": (_3mf()[:-30], "3mf file is not whole"),
    "3mf that misses its beginning": (b"PK\x03\x04" + _3mf()[40:], "3mf file is not whole"),
    "truncated glb": (_glb()[:-1], "glb file is not whole"),
    "ply without its header's end": (b"ply\nformat ascii 1.0\n", "ply file is not whole"),
}
NO_MODEL = {
    "nothing": b"",
    "text": b"Dear shop, please make me a ring.\n",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(200) + b"\xff" * 50,
    "html": b"<html><body>v 1</body></html>",
    "one zero": b"\0",
}


def _told(content: bytes) -> str:
    return recognised(content[: 64 * 1024], content[-64 * 1024 :], len(content))


async def test_a_model_is_told_by_its_content(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        for name, (content, format_) in WHOLE.items():
            named_wrong = {**headers, "content-type": "image/png"}
            answer = await shop.client.post("/models", content=content, headers=named_wrong)
            digest = hashlib.sha256(content).hexdigest()
            assert answer.json() == {"model": digest, "bytes": len(content), "format": format_}, name
            form = await shop.client.post("/models", files={"model": ("a.txt", content)}, headers=headers)
            assert form.json() == answer.json()
            read = await shop.client.get(f"/models/{digest}", headers=shop.staff(Role.SERVICE))
            assert (read.content, read.headers["content-length"]) == (content, str(len(content)))


@pytest.mark.parametrize("name", BROKEN)
def test_a_model_that_lacks_a_part_is_refused_with_what_to_do(name: str) -> None:
    content, says = BROKEN[name]
    with pytest.raises(BadInput, match="export the model again") as refusal:
        _told(content)
    assert says in str(refusal.value)


@pytest.mark.parametrize("name", NO_MODEL)
def test_what_is_no_model_is_refused_with_the_formats_that_are(name: str) -> None:
    with pytest.raises(BadInput, match="STL, OBJ, 3MF, PLY or GLB"):
        _told(NO_MODEL[name])


@given(st.binary(max_size=400), st.sampled_from([b"", b"solid x\n", b"PK\x03\x04", b"glTF", b"ply\n", bytes(84)]))
def test_no_bytes_make_the_check_fail(content: bytes, beginning: bytes) -> None:
    """Whatever is uploaded is one of the formats, or one sentence."""
    try:
        found = _told(beginning + content)
    except BadInput as refusal:
        found = str(refusal)
    assert found in {"stl", "obj", "3mf", "ply", "glb"} or "; " in found


async def test_refused_uploads_say_so_and_leave_nothing_behind(tmp_path: Path) -> None:
    async with running(tmp_path, largest_model_bytes=1_000) as shop:
        _, headers = await shop.customer()

        async def too_much() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b"\0" * 100

        for content, status, says in (
            (b"hello", 415, "no 3D model"),
            (binary_stl(9)[:-5], 400, "9 triangles"),
            (binary_stl(100), 413, "1,000 bytes"),
            (too_much(), 413, "1,000 bytes"),
        ):
            assert says in detail_of(await shop.client.post("/models", content=content, headers=headers), status)
        form: Any = {"files": {"model": ("a.stl", binary_stl(100))}}
        assert "1,000 bytes" in detail_of(await shop.client.post("/models", headers=headers, **form), 413)
        huge: Any = {"files": {"model": ("a.stl", binary_stl(10_000))}}
        assert "1,000 bytes" in detail_of(await shop.client.post("/models", headers=headers, **huge), 413)
        form = {"files": {"other": ("a.stl", MODEL)}}
        assert "no file `model`" in detail_of(await shop.client.post("/models", headers=headers, **form), 400)
        broken = {**headers, "content-type": "multipart/form-data"}
        assert "form" in detail_of(await shop.client.post("/models", content=b"x", headers=broken), 400)
        assert _files(tmp_path / "models") == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_only_whole_names_are_read(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        machine = shop.staff(Role.SERVICE)
        detail_of(await shop.client.get(f"/models/{'0' * 64}", headers=machine), 404)
        detail_of(await shop.client.get("/models/..%2F..%2Fshop.db", headers=machine), 404)
        detail_of(await shop.client.get("/models/abc", headers=machine), 400)


async def _stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_what_is_not_as_declared_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        right, wrong = (base64.b64encode(hashlib.sha256(one).digest()).decode() for one in (MODEL, b"another"))
        for digest, status, says in (
            (f"sha-256=:{wrong}:", 422, "SHA-256"),
            (f"md5=:abc=:, sha-256=:{wrong}:", 422, "send the file again"),
            ("sha-256=:abc:", 400, "RFC 9530"),
            (f"sha-256={right}", 400, "RFC 9530"),
        ):
            declared = {**headers, "content-digest": digest}
            answer = await shop.client.post("/models", content=MODEL, headers=declared)
            assert says in detail_of(answer, status), digest
        for field, status, says in (
            (hashlib.sha256(b"x").hexdigest(), 422, "SHA-256"),
            ("mine", 400, "64 hexadecimal"),
        ):
            form: Any = {"files": {"model": ("a.stl", MODEL)}, "data": {"sha256": field}}
            assert says in detail_of(await shop.client.post("/models", headers=headers, **form), status)
        longer = {**headers, "content-length": str(len(MODEL) + 1)}
        assert "bytes were declared" in detail_of(await shop.client.post("/models", content=MODEL, headers=longer), 422)
        assert _files(tmp_path / "models") == []


async def test_what_is_as_declared_is_kept_in_quarantine(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        digest = hashlib.sha256(MODEL)
        right = base64.b64encode(digest.digest()).decode()
        for declared in (f"sha-256=:{right}:", f"sha-512=:abc=:, sha-256=:{right}:", "sha-512=:abc=:"):
            answer = await shop.client.post("/models", content=MODEL, headers={**headers, "content-digest": declared})
            assert answer.json()["model"] == digest.hexdigest()
        form: Any = {"files": {"model": ("a.stl", MODEL)}, "data": {"sha256": digest.hexdigest().upper()}}
        assert (await shop.client.post("/models", headers=headers, **form)).status_code == 201
        assert await shop.service.objects.area(digest.hexdigest()) is Area.QUARANTINE


async def test_a_folder_takes_no_uploads_past_us_and_says_what_to_do(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        begun = await shop.client.post("/uploads", json={"size": 100}, headers=headers)
        assert "POST /models" in detail_of(begun, 501)
        done = await shop.client.post("/uploads/abc/complete", json={"parts": ["x"]}, headers=headers)
        assert "POST /models" in detail_of(done, 501)
        assert "POST /models" in detail_of(await shop.client.delete("/uploads/abc", headers=headers), 501)


async def test_a_model_that_was_deleted_while_it_was_uploaded_again_is_asked_for_once_more(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        _, headers = await shop.customer()
        put = shop.service.objects.put

        async def put_and_lose(*given: Any, **more: Any) -> Stored:
            stored = await put(*given, **more)
            await shop.service.objects.delete(stored.name)
            return stored

        shop.service.objects.put = put_and_lose  # type: ignore[method-assign] # the sweep of another process
        assert "send it again" in detail_of(await shop.client.post("/models", content=MODEL, headers=headers), 503)


def test_what_a_killed_process_left_half_written_is_swept_away_after_a_day(tmp_path: Path) -> None:
    create_store(tmp_path)
    old, new = tmp_path / "incoming" / "old", tmp_path / "incoming" / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    day_ago = time.time() - 24 * 3_600 - 60
    os.utime(old, (day_ago, day_ago))
    create_store(tmp_path)
    assert _files(tmp_path) == [new]


async def test_however_a_model_is_cut_into_parts_it_is_the_same_model() -> None:
    content = binary_stl(3_000)
    for size in (1, 83, 65_536, len(content)):
        inspection = Inspection(len(content))
        parts = [content[at : at + size] for at in range(0, min(len(content), 200 * size), size)]
        rest = content[200 * size :] if len(parts) == 200 else b""
        seen = [part async for part in inspection.watch(_stream(*parts, rest))]
        assert b"".join(seen) == content
        assert (inspection.format, inspection.size) == ("stl", len(content))
