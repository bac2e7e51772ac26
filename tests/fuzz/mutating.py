"""Mutators that keep a model nearly valid: they change what a format means, and mend the lengths that would tell."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

from pricing.surface import Format
from tests.fuzz.containers import mutated_json, pack_glb, pack_zip, unpack_glb, unpack_zip

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Mutator = Callable[[bytes, random.Random], bytes]

BYTES: Final = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80", b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\n", b'"', b"[]", b"")
WORDS: Final = (
    *(b"0 1 2 3 8 9 -1 -8 255 256 65536 2147483648 4294967295 99999999999999999999999").split(),
    *(b"1e999 -1e300 1e-320 nan inf 0.5 12 1.5e38 3.5e38 x 0x10 1_0 +1 1e3").split(),
    *(b"solid facet endfacet vertex outer endloop endsolid v f l vn o g # \\ 1/1 1//2 ply format element").split(),
    *(b"property list uchar char int float double vertex face tristrips vertex_indices x y z end_header").split(),
    *(b"ascii binary_little_endian binary_big_endian true null { } [ ] VEC3 SCALAR").split(),
    b"",
)
_WORD: Final = re.compile(rb"[^\s\"<>=/,:{}\[\]]+")
_TEXT_END: Final = re.compile(rb"end_header\r?\n")
RECORD, HEADER = 50, 84
MOST_BYTES: Final = 1 << 14


def mutate(form: Format, data: bytes, chance: random.Random) -> bytes:
    """Return a model changed in one to three places, in the format's own way or blindly; at most ``MOST_BYTES``."""
    for _ in range(chance.choice((1, 1, 1, 1, 2, 2, 3))):
        known = chance.random() < 0.92
        data = (_KNOWN[form] if known else blind)(data, chance)[:MOST_BYTES]
    return data


def blind(data: bytes, chance: random.Random) -> bytes:
    """Change bytes that may mean anything."""
    at = chance.randint(0, len(data))
    size = min(chance.choice((1, 1, 2, 4, 8, 50)), len(data) - at)
    match chance.randrange(6):
        case 0:
            return data[:at] + chance.choice(BYTES) + data[at + size :]
        case 1:
            return data[:at] + chance.randbytes(size) + data[at + size :]
        case 2:
            return data[:at] + data[at + size :]
        case 3:
            return data[:at] + data[at : at + size] * 2 + data[at + size :]
        case 4:
            return data[:at] if chance.random() < 0.2 else data[:at] + chance.choice(BYTES) + data[at:]
        case _:
            start = chance.randint(0, len(data))
            return data[:at] + data[start : start + size] + data[at + size :]


NUMBERS: Final = (
    b"\0\0\0\0",
    b"\0\0\0\x80",
    b"\0\0\x80\x7f",
    b"\0\0\xc0\x7f",
    b"\xff\xff\x7f\x7f",
    b"\1\0\0\0",
    b"\xff\xff\xff\xff",
)


def numbers(data: bytes, chance: random.Random) -> bytes:
    """Change one number of binary data, and nothing's place: to another that is there, to an odd one, by a bit."""
    if len(data) < 4 or chance.random() < 0.1:
        return blind(data, chance)
    at, other = (4 * chance.randrange(len(data) // 4) for _ in range(2))
    if chance.random() < 0.5:
        new = data[other : other + 4]
    elif chance.random() < 0.4:
        new = chance.choice(NUMBERS)
    else:
        new = (int.from_bytes(data[at : at + 4], "little") ^ 1 << chance.randrange(32)).to_bytes(4, "little")
    return data[:at] + new + data[at + 4 :]


def words(data: bytes, chance: random.Random) -> bytes:
    """Change a word, or a line, of text."""
    if chance.random() < 0.25:
        return _lines(data, chance)
    found = _near(data, chance)
    if found is None:
        return blind(data, chance)
    begin, end = found
    other = _near(data, chance) or found
    new = chance.choice((chance.choice(WORDS), data[other[0] : other[1]], _nudged(data[begin:end], chance)))
    return data[:begin] + new + data[end:]


def _near(data: bytes, chance: random.Random) -> tuple[int, int] | None:
    """Return where a word is, without looking for all of them."""
    found = _WORD.search(data, chance.randint(0, len(data)))
    return found.span() if found else None


def _nudged(word: bytes, chance: random.Random) -> bytes:
    try:
        value = float(word) if b"." in word else int(word)
    except ValueError:
        return word[::-1]
    return str(value + chance.choice((1, -1, 2, -value, value, 1e-7, 0.25 * value))).encode()


def _lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return blind(data, chance)
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            del lines[min(at, other) : max(at, other)]
    return b"".join(lines)


def _stl(data: bytes, chance: random.Random) -> bytes:
    if data[:5] == b"solid" and b"facet" in data[:400]:
        return words(data, chance)
    count = max(0, len(data) - HEADER) // RECORD
    if count < 1:
        return blind(data, chance)
    records = [data[HEADER + i * RECORD : HEADER + (i + 1) * RECORD] for i in range(count)]
    at, other = chance.randrange(count), chance.randrange(count)
    match chance.randrange(6):
        case 0:
            records.insert(other, records[at])
        case 1:
            del records[at]
        case 2:
            records[at] = records[at][:12] + records[at][24:36] + records[at][12:24] + records[at][36:]
        case 3:
            corner, its = 12 + 12 * chance.randrange(3), 12 + 12 * chance.randrange(3)
            records[at] = records[at][:corner] + records[other][its : its + 12] + records[at][corner + 12 :]
        case 4:
            records[at] = numbers(records[at], chance)[:RECORD].ljust(RECORD, b"\0")
        case _:
            lie = chance.choice((0, count + 1, count - 1, 0xFFFFFFFF, 1 << 20))
            return data[:80] + max(0, lie).to_bytes(4, "little") + data[HEADER:]
    return data[:80] + len(records).to_bytes(4, "little") + b"".join(records)


def _ply(data: bytes, chance: random.Random) -> bytes:
    end = _TEXT_END.search(data)
    if end is None:
        return words(data, chance)
    head, body = data[: end.end()], data[end.end() :]
    if chance.random() < 0.3:
        return words(head, chance) + body
    return head + (words if b"format ascii" in head else numbers)(body, chance)


def _three_mf(data: bytes, chance: random.Random) -> bytes:
    parts = unpack_zip(data)
    if not parts:
        return blind(data, chance)
    at = chance.randrange(len(parts))
    match chance.randrange(12):
        case 0:
            parts.insert(0, parts[at])
        case 1:
            parts[at] = words(parts[at][0].encode(), chance).decode("latin-1")[:60], parts[at][1]
        case 2:
            return pack_zip(parts, packed=True)
        case _:
            # The model is the longest part, and the one that is worth most.
            at = max(range(len(parts)), key=lambda i: len(parts[i][1])) if chance.random() < 0.7 else at
            parts[at] = parts[at][0], (xml if chance.random() < 0.9 else blind)(parts[at][1], chance)
    return pack_zip(parts, packed=False)


_ELEMENT: Final = re.compile(rb"<[^<>]*>")


def xml(data: bytes, chance: random.Random) -> bytes:
    """Change a word of XML, or drop, double or move an element's tag."""
    found = _ELEMENT.search(data, chance.randint(0, len(data)))
    if found is None or chance.random() < 0.6:
        return words(data, chance)
    match chance.randrange(3):
        case 0:
            return data[: found.start()] + data[found.end() :]
        case 1:
            return data[: found.end()] + found[0] + data[found.end() :]
        case _:
            other = _ELEMENT.search(data, chance.randint(0, len(data)))
            return data[: found.start()] + (other[0] if other else b"") + data[found.end() :]


def _glb(data: bytes, chance: random.Random) -> bytes:
    parts = unpack_glb(data)
    if parts is None:
        return blind(data, chance)
    text, binary = parts
    if chance.random() < 0.5:
        return pack_glb(mutated_json(text, chance), binary)
    return pack_glb(text, numbers(binary, chance))


_DATA: Final = re.compile(rb"base64,([A-Za-z0-9+/=]*)")


def _gltf(data: bytes, chance: random.Random) -> bytes:
    found = _DATA.search(data)
    if found is None or chance.random() < 0.5:
        return mutated_json(data, chance)
    try:
        binary = binascii.a2b_base64(found[1])
    except binascii.Error:
        return words(data, chance)
    return data[: found.start(1)] + base64.b64encode(numbers(binary, chance)) + data[found.end(1) :]


_KNOWN: Final[dict[Format, Mutator]] = {
    Format.STL: _stl,
    Format.OBJ: words,
    Format.THREE_MF: _three_mf,
    Format.PLY: _ply,
    Format.GLB: _glb,
    Format.GLTF: _gltf,
}
