"""A zip archive of which nothing is believed: entries are counted in the file, bytes while they are inflated."""

from __future__ import annotations

import mmap
import zipfile
from typing import TYPE_CHECKING, Final, Self

from pricing.loading.found import too_large, unreadable, unsupported
from pricing.loading.guarding import guarded

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from types import TracebackType

    from pricing.limits import Limits

PIECE: Final = 1 << 16
# Small archives of regular text pack tighter than the ratio; this much harms nobody.
FREE_BYTES: Final = 1 << 20
_ENTRY: Final = b"PK\x01\x02"
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
DAMAGED: Final = "The 3MF archive is damaged"


class Archive:
    """An archive of which no more is inflated, over all reads together, than the limits allow."""

    def __init__(self, path: Path, limits: Limits) -> None:
        size = path.stat().st_size
        self._left = min(limits.inflated_bytes, max(FREE_BYTES, limits.inflation_ratio * size))
        _count_entries(path, limits)
        with guarded(DAMAGED):
            self._zip = zipfile.ZipFile(path)
        self.names = {info.filename.lstrip("/").lower(): info for info in self._zip.infolist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._zip.close()

    def pieces(self, name: str) -> Generator[bytes, None, None]:
        """Yield an entry's bytes, up to ``PIECE`` at a time. Names are compared without case, as OPC has it."""
        info = self.names.get(name.lstrip("/").lower())
        if info is None:
            raise unreadable(f"The 3MF archive names a part that it does not hold: `{name[:80]}`")
        if info.flag_bits & 1:
            raise unsupported("The 3MF file is locked with a password: export it without one")
        # Only deflate is inflated in bounded steps by zipfile; a few bytes of bzip2 become a megabyte at once.
        if info.compress_type not in _METHODS:
            raise unsupported("The 3MF file is packed in a way that 3MF does not allow: export it again")
        with guarded(DAMAGED), self._zip.open(info) as entry:
            while piece := entry.read(PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    raise too_large("The 3MF archive unpacks to far more than its size allows")
                yield piece


def _count_entries(path: Path, limits: Limits) -> None:
    """Count the directory's entries where they stand: zipfile would build them all before anyone could ask."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, count = data.find(_ENTRY), 0
        while at >= 0:
            count += 1
            if count > limits.entries:
                raise too_large(f"The 3MF archive has more than {limits.entries} entries")
            at = data.find(_ENTRY, at + 4)
