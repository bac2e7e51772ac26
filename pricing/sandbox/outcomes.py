"""How a task ends that has no result, besides the refusals of the model itself."""

from __future__ import annotations

import signal
from typing import Literal

from instrumentation.errors import TouchstoneError

What = Literal["time", "memory", "output"]


class OverLimit(TouchstoneError):
    """A model used up its allowance."""

    def __init__(self, what: What) -> None:
        """Tell ``what`` part of the allowance was used up."""
        super().__init__(f"The model used up its allowance of {what}.")
        self.what = what


class Crashed(TouchstoneError):
    """The process that computed ended, or failed, for no limit that we set: killed from outside, or a fault of ours."""

    def __init__(self, number: int | None, detail: str) -> None:
        """Take the ``number`` of the signal, None where it failed by itself, and ``detail``, what it said last."""
        how = "failed" if number is None else f"was ended by {_name(number)}"
        super().__init__(f"The process that computed {how}. {detail}".rstrip())
        self.signal, self.detail = number, detail


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
