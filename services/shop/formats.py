"""Which kind of 3D model some bytes are, decided by what they hold, not by what they are called."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KNOWN: Final = "STL, OBJ, 3MF, PLY or GLB"
_HEAD: Final = 64 * 1024
_TAIL: Final = 64 * 1024 + 22  # where a ZIP archive's directory ends: its last record and the longest comment
_STL_HEADER: Final = 84  # 80 bytes of anything, then the number of triangles
_STL_TRIANGLE: Final = 50
_VERTEX: Final = re.compile(rb"^[ \t]*v(?:[ \t]+[-+.\deE]+){3}", re.MULTILINE)
_FACET: Final = re.compile(rb"^\s*solid\b[^\n]*\n\s*(?:facet\s+normal|endsolid)\b", re.IGNORECASE)


class TooLarge(BadInput):
    """The model is too large."""


class NoModel(BadInput):
    """This is no 3D model that we know."""


class Broken(BadInput):
    """This 3D model is not whole."""


class Inspection:
    """What passes by of an upload: its size, its beginning and its end, which tell the format."""

    def __init__(self, largest_bytes: int) -> None:
        self._largest = largest_bytes
        self._head = b""
        self._tail = b""
        self.size = 0
        self.format = ""

    async def watch(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass the stream on. Raises BadInput as soon as it cannot be a model, at its end at the latest."""
        async for part in stream:
            self.size += len(part)
            if self.size > self._largest:
                raise TooLarge(f"a model has at most {self._largest:,} bytes; simplify the mesh and send it again")
            if len(self._head) < _HEAD:
                self._head += part[: _HEAD - len(self._head)]
            self._tail = (self._tail + part)[-_TAIL:]
            yield part
        self.format = recognised(self._head, self._tail, self.size)


def recognised(head: bytes, tail: bytes, size: int) -> str:
    """Return the format of a file by its first and last bytes and its size.

    Raises BadInput where it is none that we know, or where a part of it is missing.
    """
    if size == 0:
        raise NoModel(f"the file is empty; send a 3D model ({KNOWN})")
    for format_, of_this_kind, complete in _KINDS:
        if of_this_kind(head):
            if not complete(head, tail, size):
                raise Broken(f"this {format_} file is not whole: a part of it is missing; export the model again")
            return format_
    return _stl_or_obj(head, tail, size)


def _stl_or_obj(head: bytes, tail: bytes, size: int) -> str:
    # A binary STL has no signature; its length gives it away. Its free header may even begin with `solid`.
    triangles = struct.unpack_from("<I", head, 80)[0] if size >= _STL_HEADER else 0
    expected = _STL_HEADER + _STL_TRIANGLE * triangles
    if triangles and size == expected:
        return "stl"
    if _FACET.match(head):
        if b"endsolid" not in tail.lower():
            raise Broken("this STL file is not whole: it does not end with `endsolid`; export the model again")
        return "stl"
    if b"\0" not in head and _VERTEX.search(head):
        return "obj"
    if triangles and b"\0" in head and _like_binary_stl(head, size):
        raise Broken(
            f"this STL file says {triangles:,} triangles, which is {expected:,} bytes, but it has {size:,}; "
            "export the model again"
        )
    raise NoModel(f"this is no 3D model that we know; send {KNOWN}")


def _like_binary_stl(head: bytes, size: int) -> bool:
    """Whether the first triangle's normal reads as one: three numbers within -1 and 1, as the format asks."""
    if size < _STL_HEADER + 12:
        return size >= _STL_HEADER
    return all(abs(number) <= 1.001 for number in struct.unpack_from("<3f", head, _STL_HEADER))


def _zip_complete(_head: bytes, tail: bytes, size: int) -> bool:
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < 22:
        return False
    length, offset = struct.unpack_from("<II", tail, place + 12)
    return bool(offset + length == size - (len(tail) - place)) and b".model" in tail


def _glb_complete(head: bytes, _tail: bytes, size: int) -> bool:
    return len(head) >= 12 and struct.unpack_from("<I", head, 8)[0] == size


def _ply_complete(head: bytes, _tail: bytes, _size: int) -> bool:
    return b"\nend_header" in head.replace(b"\r", b"\n")


_KINDS: Final[tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes, bytes, int], bool]], ...]] = (
    ("3mf", lambda head: head.startswith(b"PK\x03\x04"), _zip_complete),
    ("glb", lambda head: head.startswith(b"glTF"), _glb_complete),
    ("ply", lambda head: head.startswith((b"ply\n", b"ply\r")), _ply_complete),
)
