"""Look at a log's first bytes: is it there, what is it packed in, which encoding is it in."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from collectors.sources.blocks import Blocks
from collectors.sources.xes_fields import XesLimits
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from typing_extensions import Buffer

LIMITS: Final = XesLimits()
PEEK_BYTES: Final = 1 << 20
GZIP_MAGIC: Final = b"\x1f\x8b"
STDIN: Final = Path("-")


@dataclass(frozen=True)
class LogFile:
    """A log on disk. ``name`` is what people call it; ``head`` is its beginning, unpacked."""

    path: Path
    name: str
    gzipped: bool
    head: bytes

    @property
    def encoding(self) -> str:
        """The text encoding, judged by the head: UTF-8, UTF-16 by its mark, else Latin-1."""
        if self.head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        try:
            self.head.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # A character cut in two by the end of the head is no sign of another encoding.
            return "utf-8" if error.start >= len(self.head) - 4 and len(self.head) >= PEEK_BYTES else "latin-1"
        return "utf-8"

    def text(self) -> str:
        """Return the head as text."""
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        return self.head.decode(encoding, errors="replace")

    def open(self) -> IO[bytes]:
        """Open the log for reading, unpacked.

        Reading raises EOFError where a gzip file breaks off, and BadInput where it inflates like a bomb.
        """
        return io.BufferedReader(_Unpacked(self.path), PEEK_BYTES) if self.gzipped else self.path.open("rb")


class _Unpacked(io.RawIOBase):
    """The content of a gzip file."""

    def __init__(self, path: Path) -> None:
        self._blocks = Blocks(
            path,
            block_bytes=LIMITS.block_bytes,
            inflated_bytes=LIMITS.inflated_bytes,
            ratio=LIMITS.ratio,
            ratio_after_bytes=LIMITS.ratio_after_bytes,
        )
        self._parts = iter(self._blocks)
        self._part = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        room = memoryview(buffer)
        if not self._part:
            self._part = memoryview(next(self._parts, b""))
        if not self._part and self._blocks.damage is not None:
            raise EOFError(self._blocks.damage)
        count = min(len(room), len(self._part))
        room[:count] = self._part[:count]
        self._part = self._part[count:]
        return count


def open_log(path: Path) -> LogFile:
    """Look at a log; ``-`` is standard input, spooled to a file. Raises BadInput where there is nothing to read."""
    name = path.name
    if path == STDIN:
        path, name = _spool(), "standard input"
    try:
        if path.is_dir():
            raise BadInput(f"{path}: is a folder; name a log file in it")
        if not path.is_file() and path.exists():
            path = _spool_from(path)
        with path.open("rb") as stream:
            start = stream.read(PEEK_BYTES)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if not start.strip():
        raise BadInput(f"{name}: is empty; a log needs at least one order's status")
    gzipped = start.startswith(GZIP_MAGIC)
    head = _unpacked_head(path, name) if gzipped else start
    if not head.strip(b"\0 \t\r\n"):
        raise BadInput(f"{name}: holds nothing but blanks; a log needs at least one order's status")
    return LogFile(path, name, gzipped, head)


def _unpacked_head(path: Path, name: str) -> bytes:
    unpack = zlib.decompressobj(wbits=31)
    with path.open("rb") as stream:
        try:
            return unpack.decompress(stream.read(PEEK_BYTES), PEEK_BYTES)
        except zlib.error as error:
            raise BadInput(f"{name}: begins like gzip but does not unpack ({error}); fetch the file again") from error


def _spool() -> Path:
    return _copied(sys.stdin.buffer)


def _spool_from(path: Path) -> Path:
    with path.open("rb") as stream:
        return _copied(stream)


def _copied(stream: IO[bytes]) -> Path:
    import atexit

    with tempfile.NamedTemporaryFile(prefix="touchstone-", delete=False) as spool:
        shutil.copyfileobj(stream, spool, 1 << 20)
    path = Path(spool.name)
    atexit.register(path.unlink, missing_ok=True)
    return path
