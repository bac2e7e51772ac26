"""Why a model gets no price, in a sentence that its owner understands."""

from __future__ import annotations

from enum import StrEnum

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
    UNCASTABLE = "uncastable"


class Refusal(BadInput):
    """A model that cannot be priced as it is."""

    def __init__(self, code: RefusalCode, detail: str, where: tuple[Point, ...] = ()) -> None:
        """``detail``: one sentence, what is wrong and what to do; ``where``: points of the model, in its unit."""
        super().__init__(detail)
        self.code, self.detail, self.where = code, detail, where

    def __reduce__(self) -> tuple[type[Refusal], tuple[RefusalCode, str, tuple[Point, ...]]]:
        """Cross from the process that computes to the one that answers; BaseException would send ``detail`` only."""
        return type(self), (self.code, self.detail, self.where)
