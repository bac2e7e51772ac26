"""Records that could not be used: counted by reason, kept with what they said, never dropped in silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Final, Self

import orjson

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

EXAMPLES_KEPT: Final = 100
LONGEST_SHOWN: Final = 2_000


@dataclass(frozen=True)
class BadRecord:
    """A record, or several of one kind, and why it was not used. ``where`` is its place: ``row 17``, ``byte 4096``."""

    reason: str
    where: str
    field: str | None = None
    value: str | None = None
    order: str | None = None
    raw: str | None = None
    count: int = 1


@dataclass
class Quarantine:
    """Counts bad records by reason, keeps the first few, and writes them all to a file of JSON lines if given one."""

    path: Path | None = None
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[BadRecord] = field(default_factory=list)
    _file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self.path is not None:
            try:
                self._file = self.path.open("wb")
            except OSError as error:
                raise BadInput(
                    f"{self.path}: the quarantine cannot be written there ({error.strerror}); name another file"
                ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def wants_all(self) -> bool:
        """Whether every bad record is asked for, not only the count and the first few."""
        return self._file is not None

    @property
    def total(self) -> int:
        """How many records are in quarantine."""
        return self.counts.total()

    def add(self, record: BadRecord) -> None:
        """Put a record into quarantine."""
        self.counts[record.reason] += record.count
        if len(self.examples) < EXAMPLES_KEPT:
            self.examples.append(record)
        if self._file is not None:
            shown = {k: v[:LONGEST_SHOWN] if isinstance(v, str) else v for k, v in asdict(record).items()}
            self._file.write(
                orjson.dumps({k: v for k, v in shown.items() if v is not None}, option=orjson.OPT_APPEND_NEWLINE)
            )
