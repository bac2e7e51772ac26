"""The commands of the runbooks: what stands in their fenced blocks, and a house to run it against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alerts.runbooks import INDEX, PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK: Final = "look"  # prints something, and changes nothing
QUIET: Final = "look quiet"  # changes nothing; prints nothing, or a heading alone, where all is well
CHANGE: Final = "change"
KINDS: Final = (LOOK, QUIET, CHANGE)
_BLOCK: Final = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command of a page: a line of a fenced block."""

    page: str
    kind: str
    line: str


def pages() -> list[Path]:
    """Return every page of an alert."""
    return sorted(path for path in PAGES.glob("*.md") if path.name != INDEX)


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of a page in their order."""
    for info, body in _BLOCK.findall(page.read_text(encoding="utf-8")):
        language, _, kind = info.partition(" ")
        if language == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                yield Command(page.name, kind, line)


def languages(page: Path) -> set[str]:
    """Return what the fenced blocks of a page say that they are."""
    return {info for info, _ in _BLOCK.findall(page.read_text(encoding="utf-8"))}


def queries(line: str) -> list[str]:
    """Return the expressions that a command asks Prometheus for."""
    return re.findall(r"query '([^']*)'", line)
