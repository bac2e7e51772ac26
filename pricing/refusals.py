"""Why a model gets no price, in a sentence that its owner understands."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from instrumentation.errors import BadInput

Point = tuple[float, float, float]


class RefusalCode(StrEnum):
    """What is wrong with a model, for programs; its values are part of the interface."""

    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    NOT_FINITE = "not_finite"
    OPEN = "open_surface"
    WINDING = "inconsistent_winding"
    OVERLAPPING = "overlapping_bodies"
    SIZE = "implausible_size"
    TOO_COMPLEX = "too_complex"


class Refusal(BadInput):
    """A model that cannot be priced as it is."""

    def __init__(self, code: RefusalCode, detail: str, where: tuple[Point, ...] = ()) -> None:
        """``detail``: one sentence, what is wrong and what to do; ``where``: points of the model, in its unit."""
        super().__init__(detail)
        self.code, self.detail, self.where = code, detail, where

    def __reduce__(self) -> tuple[type[Refusal], tuple[RefusalCode, str, tuple[Point, ...]]]:
        """Cross from the process that computes to the one that answers; BaseException would send ``detail`` only."""
        return type(self), (self.code, self.detail, self.where)


Exhausted = Literal["time", "memory", "output"]
_EXHAUSTED: Final[dict[Exhausted, str]] = {
    "time": "The model takes longer to compute than we allow",
    "memory": "The model needs more memory to compute than we allow",
    "output": "What is computed from the model grows larger than we allow",
}


def too_complex(what: Exhausted) -> Refusal:
    """Return why a model is given up that used more than its share of the machine."""
    advice = "export it as one clean solid with fewer triangles, or send it to us and we price it by hand."
    return Refusal(RefusalCode.TOO_COMPLEX, f"{_EXHAUSTED[what]}; {advice}")
