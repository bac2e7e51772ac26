"""A picture shows what the model is: its outline, what lies in front, where it is lit, and the same for one model."""

from __future__ import annotations

import math
import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.picture import render
from pricing.picture.png import encode
from pricing.picture.raster import FACING, FACINGS, Canvas
from pricing.picture.shading import metal
from pricing.picture.smoothing import corner_normals
from pricing.picture.view import look, turned
from pricing.surface import CHUNK, Surface
from pricing.units import Unit
from services.demo.rings import Ring
from tests.unit.test_measuring_solids import box, sphere

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.picture.view import View

    Numbers = NDArray[np.float64]

FRAME = (640, 480)


def decoded(png: bytes) -> NDArray[np.int64]:
    """Read a PNG of eight bits true colour, as the standard says, and nothing else; checks every part's sum."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    parts: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + content)
        parts[name] = content
        at += 12 + length
    assert list(parts) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *kind = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert kind == [8, 2, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert (lines[:, 0] == 1).all()
    pixels: NDArray[np.int64] = np.cumsum(lines[:, 1:].reshape(height, width, 3), axis=1, dtype=np.uint8).astype(int)
    return pixels


def drawn(corners: Numbers, normals: Numbers | None = None) -> tuple[Canvas, View]:
    """Draw a model alone, without shade or marks, and tell how it was looked at."""
    view = look(Surface(corners), FRAME, (20, 20))
    canvas = Canvas(*FRAME, view.depths)
    canvas.draw(view, corners, normals)
    return canvas, view


def covered(canvas: Canvas) -> int:
    return int((canvas.samples > 0).sum())


def grey(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    tones: NDArray[np.int64] = pixels.sum(axis=-1) // 3
    return tones


@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_a_png_holds_the_pixels_that_were_written(width: int, height: int, chance: object) -> None:
    rng = np.random.default_rng(chance.getrandbits(32))  # type: ignore[attr-defined]
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert (decoded(encode(pixels)) == pixels).all()


def test_a_sphere_covers_as_many_samples_as_its_circle() -> None:
    canvas, view = drawn(sphere(7, 64))
    assert covered(canvas) == pytest.approx(math.pi * view.scale**2, rel=0.02)


def test_a_box_covers_what_its_three_faces_project_to() -> None:
    """Each pair of faces shows its area times the cosine of its normal to the viewer."""
    sides = (2.0, 3.0, 5.0)
    canvas, view = drawn(box(*sides))
    towards = view.turn[2]
    area = sum(abs(towards[axis]) * math.prod(sides) / sides[axis] for axis in range(3))
    assert covered(canvas) == pytest.approx(area * (view.scale / 2.5) ** 2, rel=0.02)


def test_neighbours_leave_no_gap_and_nothing_is_drawn_outside() -> None:
    """A square cut into many slivers covers, sample by sample, what it covers in two triangles."""
    whole, _ = drawn(fan(1))
    sliced, _ = drawn(fan(997))
    assert ((whole.samples > 0) == (sliced.samples > 0)).all()


def fan(slices: int) -> Numbers:
    """Return a square as a fan around its first corner: its other two sides cut ``slices`` times each."""
    share = np.arange(slices + 1) / slices
    rim = np.concatenate((np.stack((0 * share + 1, share), 1), np.stack((1 - share, 0 * share + 1), 1)[1:]))
    rim = np.concatenate((rim, np.zeros((len(rim), 1))), axis=1) * 10
    return np.stack((np.zeros_like(rim[1:]), rim[:-1], rim[1:]), axis=1)


def test_the_nearer_surface_hides_the_farther_whichever_comes_first() -> None:
    ball, plate = sphere(2, 32), box(12, 12, 0.5, at=(-6, -6, -4))
    view = look(Surface(np.concatenate([ball, plate])), FRAME, (20, 20))
    both, alone = Canvas(*FRAME, view.depths), Canvas(*FRAME, view.depths)
    both.draw(view, np.concatenate([plate, ball]))
    alone.draw(view, ball)
    shown = alone.samples > 0
    assert shown.sum() > 1000
    assert (both.samples[shown] == alone.samples[shown]).all()


def test_a_surface_lit_from_the_upper_left_is_brighter_there() -> None:
    """And it does not matter which way round its triangles are wound."""
    first = render(Surface(sphere(3, 64)), Unit.MILLIMETRE)
    ball = grey(decoded(first))
    assert ball[180, 260] > ball[300, 380] + 40
    inside_out = decoded(render(Surface(sphere(3, 64)[:, ::-1]), Unit.MILLIMETRE))
    assert np.abs(decoded(first) - inside_out).max() <= 2


def test_a_round_surface_of_few_triangles_is_shaded_round_and_an_edge_stays_an_edge() -> None:
    """A ball of 24 rows shows many tones; each face of a box shows its own, and few."""
    tones = [
        np.unique(grey(decoded(render(Surface(corners), Unit.MILLIMETRE)))[200:280:2, 280:360:2]).size
        for corners in (sphere(3, 24), box(3, 0.2, 3))
    ]
    assert tones[0] > 60
    assert tones[1] < 5


def test_a_box_keeps_its_edges_so_its_faces_are_shaded_as_flat_facets_are() -> None:
    """And the facing written into a sample is that of the box's face: right and up of one of the view's axes."""
    corners = box(2, 3, 5)
    flat, view = drawn(corners)
    normals = corner_normals(view.small(corners)).transpose(1, 2, 0)
    smooth, _ = drawn(corners, turned(view.turn, normals).transpose(2, 0, 1))
    assert (flat.samples == smooth.samples).mean() > 0.999
    shown = np.unique(flat.samples[flat.samples > 0] & np.uint64(FACING), return_counts=True)
    found = {(int(code) % FACINGS, int(code) // FACINGS) for code, count in zip(*shown, strict=True) if count > 500}
    right, up, towards = view.turn
    expected = {
        tuple(round(math.copysign(1, towards[axis]) * facing[axis] * 255 + 256) for facing in (right, up))
        for axis in range(3)
    }
    assert found == expected


def test_what_cannot_be_seen_is_not_drawn_metal() -> None:
    """The paper is white at the corners, the ring's hole shows paper, the ring itself does not."""
    pixels = grey(decoded(render(Surface(Ring().triangles()), Unit.MILLIMETRE)))
    assert (pixels[[0, 0, 470], [0, 639, 639]] == 255).all()
    assert pixels[240, 320] > 240
    assert pixels[240, 100:140].min() < 150


def test_every_facing_has_a_colour_and_none_is_paper() -> None:
    assert metal().shape == (3, 512 * 512)
    assert (metal().min(axis=0) < 250).all()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_triangles_changes_no_byte(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(RING))
    assert render(Surface(RING[order]), Unit.MILLIMETRE, [(0, -9, 0)]) == PICTURE


def test_the_order_of_the_triangles_changes_no_byte_of_many_chunks() -> None:
    fine = Ring(around=1024, across=80).triangles()
    assert len(fine) > 2 * CHUNK
    order = np.random.default_rng(1).permutation(len(fine))
    assert render(Surface(fine[order]), Unit.MILLIMETRE) == render(Surface(fine), Unit.MILLIMETRE)


RING = Ring(around=60, across=16, waves=7, wave_height_mm=0.3).triangles()
PICTURE = render(Surface(RING), Unit.MILLIMETRE, [(0, -9, 0)])


def test_single_precision_mapped_from_a_file_gives_the_same_bytes_as_its_double() -> None:
    narrow = RING.astype(np.float32)
    assert render(Surface(narrow), Unit.MILLIMETRE) == render(Surface(narrow.astype(np.float64)), Unit.MILLIMETRE)


def test_a_flat_ring_is_looked_at_from_above_and_a_standing_one_from_the_front() -> None:
    """Either way the broad face is turned to the viewer, and the hole can be seen through."""
    lying = look(Surface(RING), FRAME, (20, 20)).turn[2]
    standing = look(Surface(RING[..., [0, 2, 1]]), FRAME, (20, 20)).turn[2]
    aside = look(Surface(RING[..., [2, 0, 1]]), FRAME, (20, 20)).turn[2]
    assert lying[2] > 0.7
    assert standing[1] < -0.7
    assert aside[0] > 0.7


def test_memory_is_bounded_by_the_chunk_and_the_picture() -> None:
    """A model of sixteen chunks takes little more than one of two."""
    peaks = []
    for around in (1024, 8192):
        surface = Surface(Ring(around=around, across=64).triangles().astype(np.float32))
        tracemalloc.start()
        render(surface, Unit.MILLIMETRE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.25
    assert peaks[1] < 120e6


def test_huge_triangles_one_before_the_other_are_drawn_coarser_and_not_for_hours() -> None:
    """Drawn in full this would be 600,000 triangles times 100,000 samples."""
    chance = np.random.default_rng(3)
    pile = np.tile(np.array([[0.0, 0, 0], [20, 0, 0], [0, 20, 0]]), (600_000, 1, 1)).astype(np.float32)
    pile[:, :, 2] += chance.random((600_000, 1)) * 20
    pixels = grey(decoded(render(Surface(pile), Unit.MILLIMETRE)))
    assert (pixels < 245).sum() > 10_000
