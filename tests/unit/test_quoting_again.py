"""Two quotes, one price: the same rounded measures, materials and order make the same quote, kept or made anew."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pricing.materials import DEFAULT_MATERIALS, parse_materials
from pricing.measuring import measure
from pricing.quoting import Order, Quote, quote
from pricing.surface import Surface
from pricing.units import Unit
from tests.unit.test_quoting import HOUSE, Measures, measured, orders
from tests.unit.test_quoting_command import cube

noises = st.floats(-1e-12, 1e-12)


@given(measured, orders, noises, noises, noises)
@settings(max_examples=60, deadline=None)
def test_two_quotes_of_the_same_rounded_measures_are_one(
    measures: Measures, order: Order, by_volume: float, by_area: float, by_resin: float
) -> None:
    """A quote hangs on rounded measures, the version of the materials, and the order, and on nothing else."""
    again = replace(
        measures,
        volume_mm3=measures.volume_mm3 * (1 + by_volume),
        area_mm2=measures.area_mm2 * (1 + by_area),
        resin_ml=measures.resin_ml * (1 + by_resin),
    )
    assume(again.rounded() == measures.rounded())
    same_file = parse_materials(DEFAULT_MATERIALS.read_text(encoding="utf-8"))
    assert same_file.version == HOUSE.version
    expected = quote(measures, HOUSE, order)
    assert quote(again, same_file, order) == quote(measures.rounded(), HOUSE, order) == expected


@given(measured, orders)
@settings(max_examples=60, deadline=None)
def test_a_quote_that_was_kept_as_json_is_the_same_to_the_last_digit(measures: Measures, order: Order) -> None:
    quoted = quote(replace(measures, min_wall_mm=0.2, min_wall_at_mm=(0.1, -2.0, 3e-9)), HOUSE, order)
    kept = Quote.from_document(json.loads(json.dumps(quoted.to_document(), allow_nan=False)))
    assert kept == quoted
    assert kept.to_document() == quoted.to_document()
    assert [str(line.amount) for line in kept.lines] == [str(line.amount) for line in quoted.lines]
    assert kept.castable is quoted.castable is False


def test_a_real_cube_has_one_price_however_its_surface_is_written() -> None:
    """Turned triangles, another corner first, moved a long way: the price and all lines stay the same."""
    corners = cube(10.0)
    prices = set()
    for surface in (corners, corners[::-1], np.roll(corners, 1, axis=1), corners + 1000.0, corners / 25.4):
        unit = Unit.INCH if surface.max() < 1 else None
        measures = measure(Surface(surface), unit or Unit.MILLIMETRE, HOUSE.options)
        prices.add(quote(measures, HOUSE, Order("18k-white-gold", 3), unit).lines)
    assert len(prices) == 1
