"""A file's content in blocks, gzip inflated on the way, bounded in memory and in what it may inflate to."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
"""zlib's code for a gzip header and trailer around a window of 32 KiB; it checks the CRC too."""
_COMPRESSED_BYTES: Final = 1 << 16


class Blocks:
    """Iterate once over a file's content; ``damage`` then says in words how a gzip stream broke, if it did.

    The next block is read and inflated in a thread while the last one is parsed (zlib releases the lock).
    Plain and gzip files are told apart by their first bytes, so a wrong suffix does no harm.
    Raises BadInput where the file cannot be opened, or inflates to more than the limits allow.
    """

    def __init__(
        self, path: Path, *, block_bytes: int, inflated_bytes: int, ratio: int, ratio_after_bytes: int
    ) -> None:
        self.damage: str | None = None
        self.file_bytes_read = 0
        self._path = path
        self._block_bytes = block_bytes
        self._inflated_bytes = inflated_bytes
        self._ratio = ratio
        self._ratio_after_bytes = ratio_after_bytes

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._read_ahead()
        except OSError as error:
            raise BadInput(f"{self._path}: cannot be read ({error.strerror}); check the path") from error

    def _read_ahead(self) -> Iterator[bytes]:
        with self._path.open("rb") as file, ThreadPoolExecutor(1, thread_name_prefix="inflate") as ahead:
            blocks = self._inflated(file) if file.peek(2)[:2] == GZIP_MAGIC else self._plain(file)
            coming = ahead.submit(next, blocks, b"")
            while block := coming.result():
                coming = ahead.submit(next, blocks, b"")
                yield block

    def _plain(self, file: BufferedReader) -> Iterator[bytes]:
        while block := file.read(self._block_bytes):
            self.file_bytes_read += len(block)
            yield block

    def _inflated(self, file: BufferedReader) -> Iterator[bytes]:
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        total = 0
        packed = b""
        while packed or (packed := self._packed(file)):
            try:
                block = inflater.decompress(packed, self._block_bytes)
            except zlib.error as error:
                self.damage = f"the gzip data are damaged ({error})"
                return
            total += len(block)
            self._refuse_bomb(total)
            if block:
                yield block
            packed = inflater.unconsumed_tail
            if inflater.eof:
                # Members may follow one another, and tapes pad with zeros; gzip(1) reads both.
                packed = inflater.unused_data.lstrip(b"\0") or self._packed(file).lstrip(b"\0")
                inflater = zlib.decompressobj(_GZIP_WINDOW)
                if not packed:
                    return
        self.damage = "the gzip data end too early"
        yield inflater.flush()

    def _packed(self, file: BufferedReader) -> bytes:
        packed = file.read(_COMPRESSED_BYTES)
        self.file_bytes_read += len(packed)
        return packed

    def _refuse_bomb(self, total: int) -> None:
        suspicious = total > self._ratio_after_bytes and total > self._ratio * self.file_bytes_read
        if suspicious or total > self._inflated_bytes:
            raise BadInput(
                f"{self._path}: inflates to over {total >> 20} MiB from {self.file_bytes_read} bytes, "
                "which looks like a decompression bomb; if you trust it, unpack it and give the plain file"
            )
