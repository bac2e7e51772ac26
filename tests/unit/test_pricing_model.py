"""The rules of the workers that need no database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pricing.messages import HEAVY_BYTES, PriceClass
from pricing.surface import CHUNK
from pricing.units import Unit
from pricing.workers import model
from pricing.workers.model import Stage


@given(triangles=st.integers(min_value=1, max_value=20_000_000))
def test_slabs_cover_every_chunk_once_and_in_order(triangles: int) -> None:
    slabs = model.slabs_of(triangles)
    chunks = [chunk for slab in slabs for chunk in range(slab.first, slab.last)]
    assert chunks == list(range(-(-triangles // CHUNK)))
    assert [slab.number for slab in slabs] == list(range(len(slabs)))
    assert all(slab.last - slab.first <= model.SLAB_CHUNKS for slab in slabs)


def test_work_is_given_up_after_three_failures_of_its_own_or_twenty_losses() -> None:
    assert not model.poisoned(0, 0)
    assert not model.poisoned(2, 19)
    assert model.poisoned(3, 0)
    assert model.poisoned(0, 20)


def test_pauses_grow_and_end() -> None:
    pauses = [model.pause_us(times) / model.SECOND for times in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert model.pause_us(1_000) == model.LONGEST_PAUSE_US


def test_a_model_is_as_urgent_as_the_most_urgent_of_its_requests_unless_it_is_heavy() -> None:
    assert model.more_urgent(PriceClass.PARTNER, PriceClass.SHOP) is PriceClass.SHOP
    assert model.more_urgent(PriceClass.SHOP, PriceClass.PARTNER) is PriceClass.SHOP
    assert model.more_urgent(PriceClass.HEAVY, PriceClass.SHOP) is PriceClass.HEAVY


def test_a_model_is_heavy_by_its_bytes_until_its_triangles_are_known() -> None:
    assert model.heavy(model_bytes=HEAVY_BYTES + 1)
    assert not model.heavy(model_bytes=HEAVY_BYTES)
    assert model.heavy(triangles=model.HEAVY_TRIANGLES + 1)
    assert not model.heavy(triangles=model.HEAVY_TRIANGLES)


def test_measures_are_kept_apart_by_model_unit_and_method() -> None:
    keys = {
        model.measuring_key(name, unit, version)
        for name in ("a", "b")
        for unit in (None, Unit.MILLIMETRE, Unit.INCH)
        for version in ("1", "2")
    }
    assert len(keys) == 12


def test_every_stage_is_open_or_closed() -> None:
    assert set(model.OPEN) == set(Stage) - {Stage.DONE, Stage.FAILED}
