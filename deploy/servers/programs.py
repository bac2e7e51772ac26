"""Where the programs of servers are that deploy/parts builds from source."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deploy.servers.processes import Absent


def cache() -> Path:
    """Return the folder of what deploy/parts builds."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchstone"


def program(name: str, server: str) -> str:
    """Return a server's program: the one on PATH, else the one that deploy/parts built. Raises Absent."""
    built = cache() / "bin"
    found = shutil.which(name) or shutil.which(name, path=str(built))
    if found is None:
        raise Absent(f"{server} ({name}) is neither on PATH nor in {built}; deploy/parts builds it where Go is")
    return found
