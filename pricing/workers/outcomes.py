"""What a request is answered, as far as it hangs on the model and the materials alone: it is kept and used again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from pricing.calculation import MEASURING, Measured
from pricing.messages import PARTNER, PriceCalculated, PriceRefused
from pricing.quoting import MOST_PIECES, Order, quote
from pricing.refusals import Refusal
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pricing.materials import Materials
    from pricing.quoting import Quote
    from pricing.refusals import Point
    from pricing.workers.model import Request

NO_MARKS: Final = ""
# The version of checks and quotes: another one whenever the same measures and materials may be answered otherwise.
QUOTING: Final = "1"
DIGEST: Final = 16


@dataclass(frozen=True)
class Outcome:
    """A price, or a refusal where ``code`` is set.

    ``marks``: places to show on the picture, in mm; of a price, one for each of its first problems.
    ``pictured``: whether there is a picture to it; of a model that was not understood there is none.
    """

    problems: tuple[str, ...] = ()
    marks: tuple[Point, ...] = ()
    pictured: bool = False
    code: str | None = None
    detail: str = ""
    amount: str = ""
    currency: str = ""
    valid_s: float = 0.0
    production_s: float = 0.0
    castable: bool = False
    materials: str = ""

    @classmethod
    def of(cls, made: Quote) -> Outcome:
        """Return the outcome of a model that has a price.

        Problems with a place come first, so that a mark's number on the picture is that of its sentence in a list.
        """
        problems = sorted(made.problems, key=lambda problem: not problem.where)
        return cls(
            problems=tuple(problem.sentence for problem in problems),
            marks=tuple(problem.where[0] for problem in problems if problem.where),
            pictured=True,
            amount=str(made.price),
            currency=made.currency,
            valid_s=made.validity.total_seconds(),
            production_s=made.production.total_seconds(),
            castable=made.castable,
            materials=made.materials_version,
        )

    def to_document(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Outcome:
        """Return what ``to_document`` gave."""
        marks = tuple((x, y, z) for x, y, z in document["marks"])
        return cls(**(document | {"marks": marks, "problems": tuple(document["problems"])}))

    @property
    def name(self) -> str:
        """What became of the request, in a word: `priced`, or why not."""
        return self.code or "priced"

    @property
    def picture(self) -> str | None:
        """By what its picture is found among those of the model; None where there is to be none."""
        return digest(self.marks) if self.pictured else None

    def answer(
        self, request: Request, begun_at: datetime, done_at: datetime, picture: str | None
    ) -> PriceCalculated | PriceRefused:
        """Return the message that tells it."""
        if self.code is not None:
            return PriceRefused(
                request=request.id,
                begun_at=begun_at,
                done_at=done_at,
                code=self.code,
                detail=self.detail,
                problems=self.problems,
                picture=picture,
            )
        return PriceCalculated.model_validate(
            {
                "request": request.id,
                "begun_at": begun_at,
                "done_at": done_at,
                "amount": self.amount,
                "currency": self.currency,
                "valid_until": done_at + timedelta(seconds=self.valid_s),
                "production_s": self.production_s,
                "castable": self.castable,
                "problems": self.problems,
                "picture": picture,
                "materials": self.materials,
            }
        )


def digest(marks: Sequence[Point]) -> str:
    """Return by what a picture with these marks is found."""
    return hashlib.sha256(orjson.dumps(marks)).hexdigest()[:DIGEST] if marks else NO_MARKS


def refused(code: str, detail: str) -> Outcome:
    """Return the outcome of a model that cannot be priced."""
    return Outcome(code=code, detail=detail)


class Pricer:
    """Prices measured models. ``terms``: those of the materials file that the partners' channel has."""

    def __init__(self, materials: Materials, terms: str | None = None) -> None:
        """Take the materials. Raises BadInput where they know no such terms."""
        if terms is not None:
            materials.partner(terms)
        self.materials, self._terms = materials, terms
        self.version = f"{materials.version}:{QUOTING}"
        # What measures hang on besides the model: how we measure, and with which of the materials' constants.
        self.measuring = f"{MEASURING}:{materials.measuring_version}"

    def terms(self, channel: str) -> str | None:
        """Return the terms of a channel."""
        return self._terms if channel == PARTNER else None

    def unanswerable(self, alloy: str, quantity: int) -> str | None:
        """Say why nothing can be priced like that, None where it can."""
        if alloy not in self.materials.alloys:
            return f"We do not cast in `{alloy}`; choose one of {', '.join(self.materials.alloys)}."
        if quantity > MOST_PIECES:
            return f"We price at most {MOST_PIECES:,} pieces at once; write to us about {quantity:,}."
        return None

    def outcome(self, result: dict[str, Any], alloy: str, quantity: int, terms: str | None) -> Outcome:
        """Return what a request for a model is answered. ``result``: see ``measured`` and ``not_measured``."""
        if "refused" in result:
            return Outcome.from_document(result["refused"])
        return self.priced(Measured.from_document(result["measured"]), alloy, quantity, terms)

    def priced(self, measured: Measured, alloy: str, quantity: int, terms: str | None) -> Outcome:
        """Return what a request for a model that is measured is answered."""
        try:
            made = quote(measured.measures, self.materials, Order(alloy, quantity, terms), measured.unit)
        except Refusal as refusal:
            mm = (measured.unit or Unit.MILLIMETRE).mm
            marks = tuple((x * mm, y * mm, z * mm) for x, y, z in refusal.where)
            return Outcome(code=refusal.code.value, detail=refusal.detail, marks=marks, pictured=True)
        return Outcome.of(made)


def measured(document: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a measuring that ended well."""
    return {"measured": document}


def not_measured(outcome: Outcome) -> dict[str, Any]:
    """Return the result of a measuring that did not."""
    return {"refused": outcome.to_document()}


def of_refusal(refusal: Refusal, *, pictured: bool) -> Outcome:
    """Return the outcome of a refusal by loading, mending or measuring; who refused has drawn its places, if any."""
    return Outcome(code=refusal.code.value, detail=refusal.detail, pictured=pictured)
