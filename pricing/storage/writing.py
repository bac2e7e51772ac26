"""A file that is written beside the others before it takes its name."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, NamedTuple


class Begun(NamedTuple):
    """A new file that is open to be written."""

    path: Path
    file: IO[bytes]


def begun(folder: Path, prefix: str = "") -> Begun:
    """Begin a file of a name of its own in a folder."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=prefix)
    return Begun(Path(name), os.fdopen(handle, "wb"))


def discard(one: Begun) -> None:
    """Close a file that nobody wants any more, and remove it, unless it has taken another name."""
    one.file.close()
    one.path.unlink(missing_ok=True)
