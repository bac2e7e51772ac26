"""Quotes: lines that add up to the price, to the cent, the same on any machine."""

from __future__ import annotations

import decimal
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrumentation.errors import BadInput
from pricing.materials import load_materials, parse_materials
from pricing.measuring import Body, BodyKind
from pricing.quoting import MOST_PIECES, Order, Quote, exact, quote
from pricing.refusals import Refusal, RefusalCode

if TYPE_CHECKING:
    from pricing.refusals import Point

# Round numbers, so that quotes can be computed by hand; the house's own are tested in test_materials.py.
ROUND: Final = """
currency: EUR
vat: left out
prices_as_of: 2026-01-01
alloys:
  gold:
    label: gold
    density_g_cm3: {value: 15, source: test}
    price_per_g: {value: 60, source: test}
    shrinkage: {value: 0.1, source: test}
    min_wall_mm: {value: 0.6, source: test}
    min_wire_mm: {value: 0.8, source: test}
    plating: rhodium
  tin:
    label: tin
    density_g_cm3: {value: 10, source: test}
    price_per_g: {value: 0.01, source: test}
    shrinkage: {value: 0, source: test}
    min_wall_mm: {value: 0.6, source: test}
    min_wire_mm: {value: 0.8, source: test}
platings:
  rhodium: {price_per_cm2: {value: 0.5, source: test}}
casting:
  sprue_and_button_share: {value: 0.1, source: test}
  polishing_allowance_mm: {value: 0.1, source: test}
  min_gap_mm: {value: 0.3, source: test}
  min_hollow_mm3: {value: 0.01, source: test}
  flask_diameter_mm: {value: 90, source: test}
  flask_height_mm: {value: 130, source: test}
resin:
  price_per_ml: {value: 0.3, source: test}
  density_g_cm3: {value: 1.1, source: test}
rates:
  printing_per_h: {value: 3, source: test}
  labour_per_h: {value: 30, source: test}
  labour_min_per_piece: {value: 20, source: test}
  labour_min_per_g: {value: 0.5, source: test}
  polishing_per_cm2: {value: 0.8, source: test}
  start_up: {value: 10, source: test}
  minimum_per_piece: {value: 35, source: test}
terms:
  quantity:
    - {pieces: 5, off: {value: 0.05, source: test}}
    - {pieces: 20, off: {value: 0.10, source: test}}
  partners:
    friend: {off: {value: 0.1, source: test}}
printing:
  layer_mm: {value: 0.1, source: test}
  exposure_s: {value: 2, source: test}
  lift_s: {value: 5, source: test}
  bottom_layers: {value: 4, source: test}
  bottom_exposure_s: {value: 20, source: test}
  support_fill: {value: 0.1, source: test}
  overhang_deg: {value: 40, source: test}
plausible:
  side_min_mm: {value: 2, source: test}
  side_max_mm: {value: 150, source: test}
  volume_min_mm3: {value: 1, source: test}
  volume_max_mm3: {value: 60000, source: test}
validity_days: {value: 14, source: test}
production:
  base_h: {value: 72, source: test}
  h_per_g: {value: 0.02, source: test}
"""
MATERIALS: Final = parse_materials(ROUND)
HOUSE: Final = load_materials()


def body(kind: BodyKind, at: float = 5.0, volume: float = 1000.0) -> Body:
    """Return a body of a kind whose box has its middle at (at, at, at)."""
    return Body(kind, 12, volume, 600.0, (at - 1, at - 1, at - 1), (at + 1, at + 1, at + 1))


@dataclass(frozen=True)
class Measures:
    """The measures of a sound cube of 10 mm, unless told otherwise."""

    triangles: int = 12
    volume_mm3: float = 1000.0
    area_mm2: float = 600.0
    low_mm: Point = (0.0, 0.0, 0.0)
    high_mm: Point = (10.0, 10.0, 10.0)
    closed: bool = True
    wound: bool = True
    open_edges: int = 0
    trouble_at_mm: tuple[Point, ...] = ()
    body_list: tuple[Body, ...] = (body(BodyKind.SOLID),)
    unlisted: int = 0
    min_wall_mm: float | None = 10.0
    min_wall_error_mm: float | None = 0.1
    min_wall_at_mm: Point | None = None
    min_gap_mm: float | None = None
    min_gap_at_mm: Point | None = None
    print_s: float = 3600.0
    resin_ml: float = 2.0

    @property
    def bodies(self) -> int:
        """How many bodies there are."""
        return len(self.body_list) + self.unlisted

    @property
    def bbox_mm(self) -> Point:
        """Sides of the box."""
        (a, b, c), (x, y, z) = self.low_mm, self.high_mm
        return x - a, y - b, z - c

    def rounded(self) -> Self:
        """Return the measures that money is made from at 8 significant digits."""
        return replace(
            self,
            volume_mm3=float(f"{self.volume_mm3:.7e}"),
            area_mm2=float(f"{self.area_mm2:.7e}"),
            print_s=float(f"{self.print_s:.7e}"),
            resin_ml=float(f"{self.resin_ml:.7e}"),
        )


CUBE: Final = Measures()


def amounts(quoted: Quote) -> dict[str, Decimal]:
    return {line.item: line.amount for line in quoted.lines}


def test_a_golden_quote() -> None:
    """Five plated gold cubes for a partner, computed by hand.

    gold       15 g each:                         5 x 15    = 75 g       at 60   4,500.00
    polished   6 cm2 x 0.01 cm x 15 = 0.9 g:      5 x 0.9   = 4.5 g      at 60     270.00
    sprue      (15 + 0.9) x 0.1 = 1.59 g:         5 x 1.59  = 7.95 g     at 60     477.00
    resin      2 ml x 1.1^3 = 2.662 ml:           5 x 2.662 = 13.31 ml   at 0.3      3.99 (3.993)
    printing   1 h x 1.1:                         5 x 1.1   = 5.5 h      at 3       16.50
    labour     (20 + 0.5 x 15) / 60 = 0.458333 h: 5 x that  = 2.2917 h   at 30      68.75 (68.751)
    polishing  6 cm2:                             5 x 6     = 30 cm2     at 0.8     24.00
    rhodium    6 cm2:                             5 x 6     = 30 cm2     at 0.5     15.00
    start-up                                                                        10.00
    quantity   5 % of 3.99 + 16.50 + 68.75 + 24 + 15 = 128.24, 6.412                -6.41
    partner    10 % of 128.24 - 6.41 = 121.83, 12.183                              -12.18
                                                                                 5,366.65
    In the workshop: 72 h + 5 x (1.1 h + 15 x 0.02 h) = 79 h.
    """
    quoted = quote(CUBE, MATERIALS, Order("gold", 5, "friend"))
    assert [(line.item, str(line.quantity), line.unit, str(line.amount)) for line in quoted.lines] == [
        ("gold", "75.0000", "g", "4500.00"),
        ("metal polished off", "4.5000", "g", "270.00"),
        ("sprue and button", "7.9500", "g", "477.00"),
        ("casting resin", "13.3100", "ml", "3.99"),
        ("printing the pattern", "5.5000", "h", "16.50"),
        ("casting and finishing", "2.2917", "h", "68.75"),
        ("polishing", "30.0000", "cm2", "24.00"),
        ("rhodium plating", "30.0000", "cm2", "15.00"),
        ("start-up", "1.0000", "order", "10.00"),
        ("off work and resin from 5 pieces", "5.00", "%", "-6.41"),
        ("off work and resin for a partner (friend)", "10.0", "%", "-12.18"),
    ]
    assert str(quoted.price) == "5366.65"
    assert quoted.mass_g == 15
    assert quoted.production == timedelta(hours=79)
    assert quoted.validity == timedelta(days=14)
    assert (quoted.currency, quoted.materials_version) == ("EUR", MATERIALS.version)


def test_half_a_cent_is_rounded_up() -> None:
    """0.15 ml at 0.3 are 4.5 cents: half even would make 4 of it."""
    assert amounts(quote(replace(CUBE, resin_ml=0.15), MATERIALS, Order("tin")))["casting resin"] == Decimal("0.05")


def test_a_small_order_is_filled_up_to_the_minimum_price() -> None:
    """A tin cube costs less than 35 EUR a piece: the missing part is a line of its own."""
    quoted = quote(replace(CUBE, volume_mm3=10, area_mm2=30), MATERIALS, Order("tin", 2))
    assert quoted.price == 70
    assert amounts(quoted)["up to the minimum price"] == 70 - sum(line.amount for line in quoted.lines[:-1])
    assert quoted.lines[-1].amount > 0


def test_quantity_terms_begin_with_their_piece_and_leave_metal_alone() -> None:
    def off(pieces: int) -> list[str]:
        return [line.item for line in quote(CUBE, MATERIALS, Order("gold", pieces)).lines if line.unit == "%"]

    assert off(4) == []
    assert off(5) == off(19) == ["off work and resin from 5 pieces"]
    assert off(20) == ["off work and resin from 20 pieces"]
    one, many = quote(CUBE, MATERIALS, Order("gold")), quote(CUBE, MATERIALS, Order("gold", 20))
    assert amounts(many)["gold"] == 20 * amounts(one)["gold"]
    assert many.price < 20 * one.price


def test_an_unknown_alloy_or_partner_is_told_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="unknown alloy `golt`; did you mean `gold`\\? known are `gold`, `tin`"):
        quote(CUBE, MATERIALS, Order("golt"))
    with pytest.raises(BadInput, match="unknown partner terms `foe`; known are `friend`"):
        quote(CUBE, MATERIALS, Order("gold", partner="foe"))


@pytest.mark.parametrize("pieces", [-1, 0, MOST_PIECES + 1])
def test_a_quantity_out_of_bounds_is_refused(pieces: int) -> None:
    with pytest.raises(BadInput, match=f"the quantity is {pieces}; ask for 1 to 10,000"):
        quote(CUBE, MATERIALS, Order("gold", pieces))


@pytest.mark.parametrize(
    ("measures", "code"),
    [
        (replace(CUBE, closed=False, open_edges=1), RefusalCode.OPEN),
        (replace(CUBE, wound=False), RefusalCode.WINDING),
        (replace(CUBE, volume_mm3=-1000.0), RefusalCode.WINDING),
        (replace(CUBE, volume_mm3=0.0), RefusalCode.EMPTY),
        (replace(CUBE, triangles=0), RefusalCode.EMPTY),
        (replace(CUBE, volume_mm3=float("nan")), RefusalCode.NOT_FINITE),
        (replace(CUBE, high_mm=(1000.0, 10.0, 10.0)), RefusalCode.SIZE),
    ],
)
def test_no_price_from_what_is_no_solid_of_a_plausible_size(measures: Measures, code: RefusalCode) -> None:
    with pytest.raises(Refusal) as refused:
        quote(measures, MATERIALS, Order("gold"))
    assert refused.value.code is code


def test_what_cannot_be_cast_has_a_price_and_says_so() -> None:
    quoted = quote(replace(CUBE, min_wall_mm=0.2), MATERIALS, Order("gold"))
    assert not quoted.castable
    assert quoted.price == quote(CUBE, MATERIALS, Order("gold")).price


def test_the_last_digits_of_a_sum_decide_nothing() -> None:
    """60,000 mm3 are allowed, so what is more by the rounding of a sum is allowed too."""
    large = replace(CUBE, high_mm=(60.0, 60.0, 60.0), volume_mm3=60_000.0)
    noisy = replace(large, volume_mm3=60_000.0 * (1 + 1e-12))
    assert quote(noisy, MATERIALS, Order("tin")) == quote(large, MATERIALS, Order("tin"))


def test_a_measure_keeps_eight_significant_digits() -> None:
    assert exact(20269.979889338258) == Decimal("20269.980")
    assert exact(1 / 3) == Decimal("0.33333333")
    assert exact(0.1 + 0.2) == exact(0.3)
    for value in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(Refusal):
            exact(value)


def test_the_callers_decimal_settings_change_no_price() -> None:
    order = Order("gold", 7, "friend")
    expected = quote(CUBE, MATERIALS, order)
    with decimal.localcontext(decimal.Context(prec=4, rounding=decimal.ROUND_DOWN)):
        assert quote(CUBE, MATERIALS, order) == expected


volumes = st.floats(1, 60_000)
measured = st.builds(
    Measures,
    volume_mm3=volumes,
    area_mm2=st.floats(6, 60_000),
    print_s=st.floats(0, 1e6),
    resin_ml=st.floats(0, 1000),
)
orders = st.builds(
    Order,
    st.sampled_from(sorted(HOUSE.alloys)),
    st.integers(1, MOST_PIECES),
    st.sampled_from([None, "standard", "volume"]),
)


@given(measured, orders)
@settings(max_examples=60, deadline=None)
def test_lines_add_up_to_the_price_in_whole_cents(measures: Measures, order: Order) -> None:
    """For any model and order: exact sums, whole cents, and each line is its quantity times its rate."""
    quoted = quote(measures, HOUSE, order)
    assert sum(line.amount for line in quoted.lines) == quoted.price
    assert all(line.amount.as_tuple().exponent == -2 for line in quoted.lines)
    assert quoted.price.as_tuple().exponent == -2
    assert quoted.price >= order.pieces * HOUSE.rates.minimum_per_piece.value
    for line in quoted.lines:
        if line.rate is not None:
            assert abs(line.quantity * line.rate - line.amount) <= Decimal("0.005")


@given(measured, volumes, orders)
@settings(max_examples=60, deadline=None)
def test_more_volume_never_costs_less(measures: Measures, volume: float, order: Order) -> None:
    small, large = sorted((measures.volume_mm3, volume))
    cheap = quote(replace(measures, volume_mm3=small), HOUSE, order)
    dear = quote(replace(measures, volume_mm3=large), HOUSE, order)
    assert cheap.price <= dear.price
    assert cheap.mass_g <= dear.mass_g
    assert cheap.production <= dear.production


@given(measured, orders, st.floats(-1e-12, 1e-12))
@settings(max_examples=60, deadline=None)
def test_noise_of_another_way_of_summing_moves_the_price_by_a_rounding_at_most(
    measures: Measures, order: Order, noise: float
) -> None:
    """A volume that differs in its 12th digit is, after rounding, the same or its neighbour in the 8th."""
    near = replace(measures, volume_mm3=measures.volume_mm3 * (1 + noise))
    one, other = (exact(each.volume_mm3) for each in (measures, near))
    assert abs(one - other) <= one * Decimal("1e-7")
    if one == other:
        assert quote(measures, HOUSE, order).lines == quote(near, HOUSE, order).lines
