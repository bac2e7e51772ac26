"""Measures are the same to the last digit however a surface is cut into slabs, and whoever measures them."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.measuring import Begun, Measures, Slab, begin, finish, measure, slab
from pricing.surface import CHUNK, Surface
from pricing.units import Unit
from tests.unit.test_measuring_solids import box, of, sphere, torus

if TYPE_CHECKING:
    from pathlib import Path

CHUNKS = 7


@cache
def ring() -> Surface:
    """Return a ring and two balls inside it, shuffled, so that each chunk has triangles everywhere."""
    corners = np.concatenate([torus(9, 2, 768, 272), sphere(1), sphere(2)])
    return Surface(corners[np.random.default_rng(8).permutation(len(corners))].astype(np.float32))


@cache
def whole() -> tuple[Begun, Measures]:
    begun = begin(ring(), Unit.MILLIMETRE)
    assert begun.chunks == CHUNKS
    return begun, finish(begun, [slab(ring(), begun, 0, CHUNKS)])


@cache
def each() -> tuple[Slab, ...]:
    return tuple(slab(ring(), whole()[0], chunk, chunk + 1) for chunk in range(CHUNKS))


@pytest.mark.parametrize("borders", [(0, 7), (0, 3, 7), (0, 1, 2, 3, 4, 5, 6, 7)], ids=["1", "2", "7"])
def test_slabs_that_were_written_and_read_finish_to_the_same_digits(tmp_path: Path, borders: tuple[int, ...]) -> None:
    """Each measured from another copy of what came before, as another worker has it."""
    begun, measures = whole()
    slabs = []
    for first, last in pairwise(borders):
        copy = Begun.from_document(json.loads(json.dumps(begun.to_document())))
        assert copy == begun
        slab(ring(), copy, first, last).save(tmp_path / f"{first}.npz")
        slabs.append(Slab.read(tmp_path / f"{first}.npz"))
    found = finish(begun, slabs)
    assert found == measures
    assert json.dumps(found.to_document()) == json.dumps(measures.to_document())
    assert found.bodies == 3
    assert measures == measure(ring(), Unit.MILLIMETRE)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.booleans(), min_size=CHUNKS - 1, max_size=CHUNKS - 1))
def test_any_cut_gives_the_same_digits(cuts: list[bool]) -> None:
    begun, measures = whole()
    borders = [0, *(chunk for chunk, cut in enumerate(cuts, start=1) if cut), CHUNKS]
    slabs = [slab(ring(), begun, first, last) for first, last in pairwise(borders)]
    assert finish(begun, slabs) == measures


@pytest.mark.parametrize("left", [(), (0, 1, 2, 3, 4, 5), (0, 1, 2, 4, 5, 6), (0, 2, 1, 3, 4, 5, 6), (*range(7), 6)])
def test_slabs_that_do_not_join_are_refused(left: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not join"):
        finish(whole()[0], [each()[chunk] for chunk in left])


def test_a_surface_that_is_not_sound_is_finished_without_slabs() -> None:
    begun = begin(Surface(box(1, 1, 1)[1:]), Unit.MILLIMETRE)
    assert finish(begun, []).layers_mm2 == ()
    with pytest.raises(ValueError, match="do not join"):
        finish(begun, each())


def test_a_slab_of_two_million_triangles_and_less_stays_small(tmp_path: Path) -> None:
    """About 40 bytes a hit, and a number for each chunk and layer."""
    each()[0].save(tmp_path / "slab.npz")
    hits = sum(len(hits.ray) for hits in each()[0].hits)
    layers = len(each()[0].layers[0].areas)
    assert hits > 5_000
    assert (tmp_path / "slab.npz").stat().st_size < 40 * hits + 8 * layers + 10_000


def test_a_slab_with_python_objects_in_it_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "evil.npz").open("wb") as file:
        np.savez(file, chunks=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        Slab.read(tmp_path / "evil.npz")


def test_measures_survive_json() -> None:
    measures = of(np.concatenate([torus(3, 1), sphere(0.5)]))
    assert Measures.from_document(json.loads(json.dumps(measures.to_document()))) == measures
    with pytest.raises(ValueError, match="volume_mm3"):
        Measures.from_document(measures.to_document() | {"volume_mm3": "much"})


def test_chunks_are_those_of_the_surface() -> None:
    assert begin(Surface(box(1, 1, 1)), Unit.MILLIMETRE).chunks == 1
    assert whole()[0].chunks == -(-ring().count // CHUNK)


def test_rays_see_what_is_counted_twice_and_what_is_counted_off() -> None:
    """Two boxes share 0.5 mm3; of a box turned inwards beside a solid nothing counts."""
    overlapping = of(np.concatenate([box(2, 2, 2), box(2, 2, 2, at=(1.5, 1, 1))]))
    assert overlapping.miscounted_mm3 == pytest.approx(0.5, rel=0.05)
    negative = of(np.concatenate([box(4, 4, 4), box(2, 2, 2, at=(9, 0, 0))[:, ::-1]]))
    assert negative.miscounted_mm3 == pytest.approx(8, rel=0.05)
    assert of(np.concatenate([sphere(3), sphere(2)[:, ::-1], sphere(1)])).miscounted_mm3 == 0
