"""What a piece costs, line by line: decimal money, the same digits on any machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from instrumentation.errors import BadInput
from pricing.checking import Problem, castable, check, refuse
from pricing.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pricing.materials import Alloy, Materials
    from pricing.measuring import Body
    from pricing.refusals import Point
    from pricing.units import Unit

CENT: Final = Decimal("0.01")
# Grams, hours, millilitres and cm2 are rounded to this before they are priced: a line can be recomputed by hand.
AMOUNT: Final = Decimal("0.0001")
# Our own, so that no caller's decimal settings change a price.
ARITHMETIC: Final = Context(prec=34, rounding=ROUND_HALF_UP)
MOST_PIECES: Final = 10_000
SIGNIFICANT: Final = 8


class Measured(Protocol):
    """What a quote needs of a model's measures, in mm and of the model as drawn; None where it was not measured."""

    @property
    def triangles(self) -> int:
        """How many triangles the surface has."""

    @property
    def volume_mm3(self) -> float:
        """Volume as signed by the winding: negative where the surface is inside out."""

    @property
    def area_mm2(self) -> float:
        """Area of the whole surface, of hollows inside too."""

    @property
    def low_mm(self) -> Point:
        """The box's lowest corner."""

    @property
    def high_mm(self) -> Point:
        """The box's highest corner."""

    @property
    def bbox_mm(self) -> tuple[float, float, float]:
        """Sides of the box along the model's own axes."""

    @property
    def closed(self) -> bool:
        """Whether every edge has as many faces as close a surface."""

    @property
    def open_edges(self) -> int:
        """How many edges have one face only."""

    @property
    def trouble_at_mm(self) -> tuple[Point, ...]:
        """Some places where the surface is not closed or not wound one way."""

    @property
    def wound(self) -> bool:
        """Whether neighbouring faces agree on which side is out."""

    @property
    def bodies(self) -> int:
        """How many separate bodies there are."""

    @property
    def body_list(self) -> tuple[Body, ...]:
        """What each body is; shorter than ``bodies`` where there were too many to look at."""

    @property
    def min_wall_mm(self) -> float | None:
        """The thinnest wall found."""

    @property
    def min_wall_error_mm(self) -> float | None:
        """How far the thinnest wall may be off, either way."""

    @property
    def min_wall_at_mm(self) -> Point | None:
        """Where that wall is."""

    @property
    def min_gap_mm(self) -> float | None:
        """The narrowest slit or engraving found."""

    @property
    def min_gap_at_mm(self) -> Point | None:
        """Where that gap is."""

    @property
    def print_s(self) -> float:
        """Time to print one pattern, in seconds."""

    @property
    def resin_ml(self) -> float:
        """Resin of one pattern with its supports."""

    def rounded(self) -> Self:
        """Return the measures at 8 significant digits, on which two ways of summing agree."""


@dataclass(frozen=True)
class Line:
    """One line of a quote: so much of something, in a unit, at a rate for each; terms have no rate but a share."""

    item: str
    quantity: Decimal
    unit: str
    amount: Decimal
    rate: Decimal | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the line as an object of JSON, decimals as text."""
        rate = None if self.rate is None else str(self.rate)
        return {
            "item": self.item,
            "quantity": str(self.quantity),
            "unit": self.unit,
            "amount": str(self.amount),
            "rate": rate,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return the line of which this is the document."""
        rate = None if document["rate"] is None else Decimal(document["rate"])
        quantity, amount = Decimal(document["quantity"]), Decimal(document["amount"])
        return cls(document["item"], quantity, document["unit"], amount, rate)


@dataclass(frozen=True)
class Quote:
    """A price without VAT for ``pieces`` alike. ``mass_g``: of one, polished; ``production``: in the workshop."""

    alloy: str
    pieces: int
    mass_g: Decimal
    price: Decimal
    currency: str
    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]
    validity: timedelta
    production: timedelta
    materials_version: str

    @property
    def castable(self) -> bool:
        """Whether the piece can be cast as it is."""
        return castable(self.problems)

    def to_document(self) -> dict[str, Any]:
        """Return the quote as an object of JSON, to be kept: decimals as text, durations in seconds."""
        return {
            "alloy": self.alloy,
            "pieces": self.pieces,
            "mass_g": str(self.mass_g),
            "price": str(self.price),
            "currency": self.currency,
            "lines": [line.to_document() for line in self.lines],
            "problems": [problem.to_document() for problem in self.problems],
            "validity_s": self.validity.total_seconds(),
            "production_s": self.production.total_seconds(),
            "materials_version": self.materials_version,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return the quote of which this is the document, to the last digit."""
        return cls(
            alloy=document["alloy"],
            pieces=document["pieces"],
            mass_g=Decimal(document["mass_g"]),
            price=Decimal(document["price"]),
            currency=document["currency"],
            lines=tuple(Line.from_document(line) for line in document["lines"]),
            problems=tuple(Problem.from_document(problem) for problem in document["problems"]),
            validity=timedelta(seconds=document["validity_s"]),
            production=timedelta(seconds=document["production_s"]),
            materials_version=document["materials_version"],
        )


@dataclass(frozen=True)
class Order:
    """What is asked for beside the model: an alloy, how many pieces, and whose partner terms, if any."""

    alloy: str
    pieces: int = 1
    partner: str | None = None


def quote(measures: Measured, materials: Materials, order: Order, unit: Unit | None = None) -> Quote:
    """Price an order. Raises Refusal where the model has no price, BadInput for unknown alloy, terms or quantity.

    ``measures``: of a surface that mending has let pass, since only it finds all bodies that overlap; ``unit``: what
    the model was read in, None for mm because nobody named one. The same rounded measures, materials, order and unit
    make the same quote, at any time and on any machine.
    """
    alloy = materials.alloy(order.alloy)
    if not 1 <= order.pieces <= MOST_PIECES:
        raise BadInput(f"the quantity is {order.pieces}; ask for 1 to {MOST_PIECES:,} pieces")
    measures = measures.rounded()
    problems = check(measures, alloy, materials, unit)
    refuse(problems, unit)
    with localcontext(ARITHMETIC):
        calculation = _Calculation(measures, materials, alloy, order)
        lines = tuple(calculation.lines())
        return Quote(
            alloy=order.alloy,
            pieces=order.pieces,
            mass_g=calculation.mass_g.quantize(AMOUNT),
            price=sum((line.amount for line in lines), Decimal("0.00")),
            currency=materials.currency,
            lines=lines,
            problems=tuple(problems),
            validity=timedelta(days=float(materials.validity_days.value)),
            production=calculation.production(),
            materials_version=materials.version,
        )


def exact(value: float) -> Decimal:
    """Return a measure as a decimal of 8 significant digits: what two ways of summing agree on. Refuses nan and inf."""
    if not math.isfinite(value):
        raise Refusal(RefusalCode.NOT_FINITE, "A measure of the model is not a number; repair the model and try again")
    return Decimal(f"{value:.{SIGNIFICANT - 1}e}")


class _Calculation:
    """One order's lines, in the order in which they are shown."""

    def __init__(self, measures: Measured, materials: Materials, alloy: Alloy, order: Order) -> None:
        self.materials, self.alloy, self.order = materials, alloy, order
        self.casting, self.rates = materials.casting, materials.rates
        self.pieces = Decimal(order.pieces)
        grown = 1 + alloy.shrinkage.value
        self.area_cm2 = exact(measures.area_mm2) / 100
        self.mass_g = exact(measures.volume_mm3) / 1000 * alloy.density_g_cm3.value
        # The pattern is larger than the piece by the shrinkage: its resin in volume, its layers in height.
        self.resin_ml = exact(measures.resin_ml) * grown**3
        self.print_h = exact(measures.print_s) * grown / 3600

    def lines(self) -> Iterator[Line]:
        """Yield every line; their amounts add up to the price."""
        metal, work = [*self._metal()], [*self._work()]
        start_up = _line("start-up", Decimal(1), "order", self.rates.start_up.value)
        terms = [*self._terms(_total(work))]
        shown = [*metal, *work, start_up, *terms]
        yield from shown
        least = (self.rates.minimum_per_piece.value * self.pieces).quantize(CENT)
        if (missing := least - _total(shown)) > 0:
            yield Line("up to the minimum price", self.pieces, "piece", missing)

    def production(self) -> timedelta:
        """Return the expected time in the workshop, up to the whole second."""
        rates = self.materials.production
        hours = rates.base_h.value + self.pieces * (self.print_h + self.mass_g * rates.h_per_g.value)
        return timedelta(seconds=int((hours * 3600).to_integral_value(ROUND_CEILING)))

    def _metal(self) -> Iterator[Line]:
        polished_off = self.area_cm2 * self.casting.polishing_allowance_mm.value / 10 * self.alloy.density_g_cm3.value
        sprue = (self.mass_g + polished_off) * self.casting.sprue_and_button_share.value
        price = self.alloy.price_per_g.value
        yield self._of_all(self.alloy.label, self.mass_g, "g", price)
        yield self._of_all("metal polished off", polished_off, "g", price)
        yield self._of_all("sprue and button", sprue, "g", price)

    def _work(self) -> Iterator[Line]:
        rates = self.rates
        labour_h = (rates.labour_min_per_piece.value + rates.labour_min_per_g.value * self.mass_g) / 60
        yield self._of_all("casting resin", self.resin_ml, "ml", self.materials.resin.price_per_ml.value)
        yield self._of_all("printing the pattern", self.print_h, "h", rates.printing_per_h.value)
        yield self._of_all("casting and finishing", labour_h, "h", rates.labour_per_h.value)
        yield self._of_all("polishing", self.area_cm2, "cm2", rates.polishing_per_cm2.value)
        if self.alloy.plating is not None:
            price = self.materials.platings[self.alloy.plating].price_per_cm2.value
            yield self._of_all(f"{self.alloy.plating} plating", self.area_cm2, "cm2", price)

    def _terms(self, work: Decimal) -> Iterator[Line]:
        """Yield what is taken off work and resin: first for the quantity, then of the rest for a partner."""
        reached = [term for term in self.materials.terms.quantity if term.pieces <= self.order.pieces]
        if reached:
            line = _off(f"off work and resin from {reached[-1].pieces} pieces", reached[-1].off.value, work)
            work += line.amount
            yield line
        if self.order.partner is not None:
            share = self.materials.partner(self.order.partner).off.value
            yield _off(f"off work and resin for a partner ({self.order.partner})", share, work)

    def _of_all(self, item: str, each: Decimal, unit: str, rate: Decimal) -> Line:
        return _line(item, each * self.pieces, unit, rate)


def _line(item: str, quantity: Decimal, unit: str, rate: Decimal) -> Line:
    shown = quantity.quantize(AMOUNT)
    return Line(item, shown, unit, (shown * rate).quantize(CENT), rate)


def _off(item: str, share: Decimal, base: Decimal) -> Line:
    return Line(item, share * 100, "%", -(share * base).quantize(CENT))


def _total(lines: Sequence[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal("0.00"))
