"""What can be read of a promise file that may be wrong anywhere: the ground the cross-checks stand on.

A value of the wrong type counts as absent here, so that one mistake hides no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from collectors.promise.durations import parse_duration
from collectors.promise.finding import Finding, Severity
from collectors.promise.model import AUTO, DONE
from collectors.promise.sentences import place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from collectors.promise.document import Document, Path_

Marks = Literal["status", "intervals", "completion"]


@dataclass(frozen=True)
class Word:
    """A text of the file and where it stands."""

    text: str
    path: Path_

    @property
    def status(self) -> str:
        """The status that the text speaks of: ``A`` of ``A:done``."""
        return self.text.removesuffix(DONE)


@dataclass(frozen=True)
class StageOutline:
    """What a stage says, as far as it can be read."""

    path: Path_
    name: Word | None
    statuses: list[Word]
    budget: str | None
    working: bool
    pauses: bool

    @property
    def has_auto(self) -> bool:
        """Whether the budget is `auto`."""
        return self.budget == AUTO

    def length(self, units: Mapping[str, int]) -> timedelta | None:
        """Return the written budget, None where there is none or it cannot be read."""
        if self.budget is None or self.has_auto:
            return None
        try:
            return parse_duration(self.budget, units=units)
        except ValueError:
            return None


class Outline:
    """A promise file as far as it can be read."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def at(self, path: Path_) -> Any:
        """Return the plain value at a path, None where there is none."""
        value = self.document.data
        for part in path:
            inside = isinstance(value, dict) and part in value
            inside |= isinstance(value, list) and isinstance(part, int) and part < len(value)
            if not inside:
                return None
            value = value[part]
        return value

    def word(self, *path: str | int) -> Word | None:
        """Return the text at a path."""
        value = self.at(path)
        return Word(value, path) if isinstance(value, str) and value else None

    def words(self, *path: str | int) -> list[Word]:
        """Return the texts of the list at a path."""
        count = len(self.items(*path))
        return [word for index in range(count) if (word := self.word(*path, index))]

    def items(self, *path: str | int) -> list[Any]:
        """Return the list at a path, empty where there is none."""
        value = self.at(path)
        return value if isinstance(value, list) else []

    def keys(self, *path: str | int) -> list[Word]:
        """Return the keys of the mapping at a path."""
        value = self.at(path)
        found = value if isinstance(value, dict) else {}
        return [Word(key, (*path, key)) for key in found if isinstance(key, str)]

    def duration(self, *path: str | int) -> timedelta | None:
        """Return the duration at a path."""
        word = self.word(*path)
        try:
            return parse_duration(word.text) if word else None
        except ValueError:
            return None

    def finding(self, path: Path_, message: str, severity: Severity = "error") -> Finding:
        """Make a finding about the value at a path."""
        return Finding(self.document.line(path), severity, place(self.document, path), message)

    @cached_property
    def main(self) -> list[Word]:
        """The main line."""
        return self.words("statuses", "main")

    @cached_property
    def cancelled(self) -> list[Word]:
        """The statuses that cancel an order."""
        return self.words("statuses", "cancelled")

    @cached_property
    def statuses(self) -> list[Word]:
        """Every status, the main line first."""
        return [*self.main, *self.words("statuses", "off"), *self.cancelled]

    @cached_property
    def known(self) -> frozenset[str]:
        """The names of all statuses."""
        return frozenset(word.text for word in self.statuses)

    @cached_property
    def stages(self) -> list[StageOutline]:
        """The stages that are mappings at all."""
        return [
            self._stage(("stages", index)) for index, item in enumerate(self.items("stages")) if isinstance(item, dict)
        ]

    def _stage(self, path: tuple[str, int]) -> StageOutline:
        budget = self.word(*path, "budget")
        return StageOutline(
            path,
            self.word(*path, "name"),
            self.words(*path, "in"),
            budget.text if budget else None,
            working=self.at((*path, "working")) is True,
            pauses=self.at((*path, "pauses")) is True,
        )

    @cached_property
    def marks(self) -> Marks:
        """What a record of the log says: a status begins, an activity ran, an activity is complete."""
        if self.at(("log", "start")) is not None or self.at(("log", "end")) is not None:
            return "intervals"
        return "completion" if self.at(("log", "marks")) == "completion" else "status"

    def rank(self, word: Word | None) -> int | None:
        """Return where on the main line a status or its `:done` comes; None off it."""
        line = [status.text for status in self.main]
        if word is None or word.status not in line:
            return None
        done = word.text.endswith(DONE) or self.marks == "completion"
        return 2 * line.index(word.status) + done
