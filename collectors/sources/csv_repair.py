"""What stands between a CSV on disk and the engine: unpacking, and a second copy where the file is damaged.

The engine's reader is fast on sound files. On others it drops lines without a word: those much longer than its
limit, and those that a quote, once opened and never closed, swallows. So the signs of damage are looked for, and a
damaged file is copied line by line, each bad line replaced by an empty one, which keeps the numbers of the others.
"""

from __future__ import annotations

import codecs
import contextlib
import mmap
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from collectors.sources.quarantine import BadRecord, Quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sources.opening import LogFile

LONGEST_LINE: Final = 2_000_000
LONGEST_ROW_LINES: Final = 1_000  # a quoted text may hold line breaks, but a book is a sign of a stray quote
LONGER: Final = f"the line is longer than {LONGEST_LINE:,} bytes"
UNCLOSED: Final = "a quote is opened and not closed"


@contextlib.contextmanager
def unpacked(file: LogFile, quarantine: Quarantine) -> Iterator[LogFile]:
    """Yield the file itself, or a plain copy of a gzip file or one in UTF-16, which then is UTF-8."""
    if not file.gzipped and file.encoding != "utf-16":
        yield file
        return
    with _copy() as copy:
        decode = codecs.getincrementaldecoder("utf-16")(errors="replace") if file.encoding == "utf-16" else None
        try:
            with file.open() as stream:
                while block := stream.read(1 << 20):
                    copy.write(decode.decode(block).encode() if decode else block)
        except EOFError as error:
            quarantine.add(BadRecord(f"the file breaks off ({error})", f"byte {copy.tell()} of what it unpacks to"))
        copy.flush()
        head = file.text().encode() if decode else file.head
        yield replace(file, path=Path(copy.name), gzipped=False, head=head)


@contextlib.contextmanager
def mended(file: LogFile, quarantine: Quarantine) -> Iterator[LogFile]:
    """Yield a copy of a plain file with sound rows only; the others are quarantined."""
    with file.path.open("rb") as stream, _copy() as copy:
        for row in _sound_rows(stream, quarantine):
            copy.write(row)
        copy.flush()
        yield replace(file, path=Path(copy.name))


def has_giant_line(path: Path) -> bool:
    """Tell whether some line may be too long for the engine, with a glance at every megabyte."""
    step = LONGEST_LINE // 2
    if path.stat().st_size < LONGEST_LINE:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # A line of twice the step holds a whole step without a line break.
        return any(content.find(b"\n", start, start + step) < 0 for start in range(0, len(content) - step, step))


def _sound_rows(stream: IO[bytes], quarantine: Quarantine) -> Iterator[bytes]:
    """Yield rows with the engine's line breaks: an even number of quotes each, and no line too long."""
    lines = _lines(stream, quarantine)
    pending: deque[bytes] = deque()
    number = 0
    while line := pending.popleft() if pending else next(lines, b""):
        number += 1
        row, size, odd = [line], len(line), line.count(b'"') % 2
        while odd and size < LONGEST_LINE and len(row) < LONGEST_ROW_LINES:
            if not (line := pending.popleft() if pending else next(lines, b"")):
                break
            row.append(line)
            size += len(line)
            odd ^= line.count(b'"') % 2
        if not odd:
            yield b"".join(row)
            number += len(row) - 1
            continue
        raw = row[0][:2_000].decode(errors="replace").rstrip()
        quarantine.add(BadRecord(UNCLOSED, f"line {number}", raw=raw))
        yield b"\n"
        pending.extendleft(reversed(row[1:]))


def _lines(stream: IO[bytes], quarantine: Quarantine) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            raw = line[:2_000].decode(errors="replace")
            while (line := stream.readline(LONGEST_LINE)) and not line.endswith(b"\n"):
                continue
            quarantine.add(BadRecord(LONGER, f"line {number}", raw=raw))
            line = b"\n"
        yield line.replace(b"\r\n", b"\n")


def _copy() -> tempfile._TemporaryFileWrapper[bytes]:
    return tempfile.NamedTemporaryFile(prefix="touchstone-", suffix=".csv")
