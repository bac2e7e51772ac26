"""The child's voice: steps and progress as they happen, and the wait for a wider allowance once a model was read."""

from __future__ import annotations

import math
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pricing.sandbox.messages import FACT, POINTS, ROW, TOLD, ModelRead, Progressed, Refused, StepBegun, StepEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

    from pricing.refusals import Refusal

LOAD: Final = "load"


class Speaker:
    """Writes lines for the parent."""

    def __init__(self, handle: int, hear: Callable[[], bytes]) -> None:
        """``handle``: of the pipe to the parent; ``hear``: waits for the parent's next line."""
        self._handle, self._hear = handle, hear

    def say(self, message: BaseModel) -> None:
        """Write a message."""
        self.write(message.model_dump_json().encode() + b"\n")

    def write(self, line: bytes) -> None:
        """Write a line whole."""
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._handle, rest) :]

    def progress(self, share: float) -> None:
        """Tell how much of the task is done, from 0 to 1."""
        self.say(Progressed(progress=share))

    def read(self, facts: dict[str, object]) -> None:
        """Tell that the model was read, by the facts of that step; wait until the parent has widened the allowance."""
        self.say(ModelRead.model_validate({name: facts[name] for name in ("triangles", "file_bytes")}))
        self._hear()

    @contextmanager
    def step(self, name: str, facts: dict[str, object]) -> Iterator[None]:
        """Tell of a step's begin and end; ``facts`` is filled while it lasts."""
        begin = time.time_ns()
        self.say(StepBegun(step=name, begin_ns=begin))
        failed = True
        try:
            yield
            failed = False
        finally:
            ended = StepEnded(
                step=name, begin_ns=begin, end_ns=max(begin, time.time_ns()), failed=failed, facts=_told(facts)
            )
            self.say(ended)


def refused(refusal: Refusal) -> Refused:
    """Return a refusal as it is told: what is no place at all is left out."""
    places = [point for point in refusal.where if all(math.isfinite(at) for at in point)]
    return Refused(code=refusal.code, detail=sayable(refusal.detail[:TOLD]), where=tuple(places[:POINTS]))


def sayable(value: Any) -> Any:
    """Return a document whose texts are all UTF-8: names in a model may hold half of a character (RFC 8259, 8.2)."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {name: sayable(item) for name, item in value.items()}
    return [sayable(item) for item in value] if isinstance(value, list | tuple) else value


def _told(facts: dict[str, object]) -> dict[str, Any]:
    """Return what a span can hold: single values, and some numbers in a row."""
    told: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, str):
            told[name] = sayable(value[:FACT])
        elif value is None or isinstance(value, int | float) or _row(value):
            told[name] = value
    return told


def _row(value: object) -> bool:
    return isinstance(value, tuple) and len(value) <= ROW and all(isinstance(each, float) for each in value)
