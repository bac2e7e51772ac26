"""Where commands write their results: never over what they read, and a refusal in one sentence."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TextIO

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def spare(inputs: tuple[Path | None, ...], outputs: tuple[Path | None, ...]) -> None:
    """Refuse to write over what is to be read."""
    for output in outputs:
        if output is None or not output.exists():
            continue
        if any(path is not None and path.exists() and path.samefile(output) for path in inputs):
            raise BadInput(f"{output}: is to be read, so it cannot be written too; name another file")


def write(path: Path, text: str) -> None:
    """Write a text. Raises BadInput where that cannot be."""
    with opened(path) as stream:
        stream.write(text)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Open a file to be written. Raises BadInput where that cannot be."""
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            yield stream
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); name another file") from error
