"""Lines of a text file, one at a time, whatever encoding it was saved in."""

from __future__ import annotations

import codecs
from typing import IO, TYPE_CHECKING, Final

from pricing.loading.found import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST: Final = 1 << 20
_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}


def encoding_of(head: bytes) -> str:
    """Return the encoding of text that begins with ``head``; ASCII and its supersets read as Latin-1."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    # English text in UTF-16 without a mark has a zero in every other byte.
    if len(head) >= 16 and head[0::2].count(0) > 0.9 * len(head[0::2]) and 0 not in head[1::2]:
        return "utf-16-be"
    if len(head) >= 16 and head[1::2].count(0) > 0.9 * len(head[1::2]) and 0 not in head[0::2]:
        return "utf-16-le"
    return "latin-1"


def text_of(head: bytes) -> str:
    """Return the beginning of a text file as text."""
    return head.decode(encoding_of(head), errors="replace")


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines as ASCII bytes (all that the formats' grammar needs), those that end in a backslash joined.

    Raises a refusal where a line is longer than ``LONGEST``: such a file is no text.
    """
    with path.open("rb") as file:
        encoding = encoding_of(file.read(1024))
        file.seek(0)
        if encoding == "latin-1":
            yield from _joined(file)
            return
    with path.open(encoding=encoding, errors="replace") as text:
        yield from _joined(_Encoded(text))


class _Encoded:
    """A text file that is read as bytes."""

    def __init__(self, text: IO[str]) -> None:
        self.text = text

    def readline(self, size: int) -> bytes:
        """Return the next line, up to ``size`` characters of it."""
        return self.text.readline(size).encode("ascii", errors="replace")


def _joined(file: IO[bytes] | _Encoded) -> Iterator[bytes]:
    held = b""
    while line := file.readline(LONGEST):
        if len(line) + len(held) >= LONGEST:
            raise unreadable("The file has a line of more than a million characters, which no such text file has")
        if line.endswith((b"\\\n", b"\\\r\n")):
            held += line.rstrip(b"\r\n")[:-1] + b" "
            continue
        yield held + line if held else line
        held = b""
    if held:
        yield held
