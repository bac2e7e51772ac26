"""Problem spots stand where they are on the model, numbered, told apart without colours; odd models draw too."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pricing.picture import render
from pricing.picture.marking import PALE, RED, mark, scale
from pricing.picture.strokes import SIGNS, Sheet
from pricing.picture.view import look
from pricing.surface import Surface
from pricing.units import Unit
from services.demo.rings import Ring
from tests.unit.test_measuring_solids import box, sphere
from tests.unit.test_picture import decoded

RING = Surface(Ring(around=60, across=16).triangles())
FRONT, BEHIND = (0.0, -9.55, 0.0), (0.0, 10.4, -1.0)


def paper(width: int = 400, height: int = 300) -> Sheet:
    return Sheet(np.full((height, width, 3), 255, np.uint8))


def close(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a picture shows a colour."""
    near: np.ndarray = (np.abs(pixels.astype(int) - np.array(colour)) < 12).all(axis=-1)
    return near


def falls(point: tuple[float, float, float]) -> tuple[float, float]:
    """Return the pixel on which a point of the ring falls, worked out from its view."""
    view = look(RING, (1280, 960), (80, 106))
    x, y, _ = view.spot(point)
    return (x - 0.5) / 2, (y - 0.5) / 2


def test_a_mark_is_a_red_circle_around_the_place() -> None:
    plain, marked = decoded(render(RING, Unit.MILLIMETRE)), decoded(render(RING, Unit.MILLIMETRE, [FRONT]))
    assert not close(plain, RED).any()
    x, y = falls(FRONT)
    rows, columns = np.nonzero(close(marked, RED))
    away = np.hypot(columns - x, rows - y)
    assert (np.abs(away - 11) < 1).sum() > 40
    turns = np.degrees(np.arctan2(rows - y, columns - x)[np.abs(away - 11) < 1])
    assert np.histogram(turns, bins=8, range=(-180, 180))[0].min() >= 4
    assert (away > 5).all()


def test_marks_are_in_millimetres_whatever_the_model_is_in() -> None:
    inches = Surface(RING.corners / 25.4)
    places = []
    for surface, unit in ((RING, Unit.MILLIMETRE), (inches, Unit.INCH)):
        rows, columns = np.nonzero(close(decoded(render(surface, unit, [FRONT])), RED))
        places.append((rows.mean(), columns.mean()))
    assert places[0] == pytest.approx(places[1], abs=0.5)


def test_a_mark_behind_the_model_is_paler_and_dashed() -> None:
    pixels = decoded(render(RING, Unit.MILLIMETRE, [BEHIND]))
    assert not close(pixels, RED).any()
    x, y = falls(BEHIND)
    rows, columns = np.nonzero(close(pixels, PALE))
    around = np.abs(np.hypot(columns - x, rows - y) - 11) < 1
    turns = np.sort(np.degrees(np.arctan2(rows - y, columns - x)[around]))
    assert around.sum() > 20
    assert (np.diff(turns) > 10).sum() >= 6


def test_a_place_in_the_middle_of_a_wall_is_not_hidden_by_that_wall() -> None:
    ring = Ring(around=60, across=16)
    middle = (0.0, -(ring.inner_diameter_mm + ring.thickness_mm) / 2, 1.0)
    assert close(decoded(render(RING, Unit.MILLIMETRE, [middle])), RED).any()


def test_every_mark_has_its_own_number() -> None:
    """Twelve problems at one place: their plates do not cover each other."""
    sheet = paper()
    mark(sheet, [(200.0, 150.0, False)] * 12)
    one = paper()
    mark(one, [(200.0, 150.0, False)])
    assert close(sheet.pixels, RED).sum() > 6 * close(one.pixels, RED).sum()


def test_ten_thousand_marks_are_drawn_up_to_the_99th() -> None:
    around = [(9.5 * math.cos(turn), 9.5 * math.sin(turn), 0.0) for turn in range(10_000)]
    assert render(RING, Unit.MILLIMETRE, around) == render(RING, Unit.MILLIMETRE, around[:99])


def test_numbers_differ_in_shape() -> None:
    shapes = []
    for number in "0123456789":
        sheet = paper(24, 24)
        sheet.text((6, 6), number, 10.0, (0, 0, 0))
        shapes.append(sheet.pixels[..., 0] < 128)
    assert all((one != other).sum() > 6 for one, other in itertools.combinations(shapes, 2))


def test_marks_outside_the_picture_are_held_at_its_border() -> None:
    pixels = decoded(render(RING, Unit.MILLIMETRE, [(1e9, 0, 0), (-1e300, 1e300, 0), (0, 0, 1e9)]))
    ringed = close(pixels, RED) | close(pixels, PALE)
    assert ringed[:, -40:].any()
    assert ringed[:40].any()


def test_the_bar_is_as_long_as_it_says() -> None:
    """Ten pixels to a millimetre and a picture of 400: 5 mm are 50 pixels."""
    sheet = paper()
    scale(sheet, 0.1)
    ink = sheet.pixels.max(axis=-1) < 120
    row = np.flatnonzero(ink[280])
    bar = row[: np.flatnonzero(np.diff(row) > 1)[0] + 1]
    assert bar[-1] - bar[0] == pytest.approx(50, abs=2)
    assert ink[270:290, 80:].any()


@pytest.mark.parametrize("pixel_mm", [1e-300, 1e-9, 1.0, 1e4, 1e30, 1e300, math.inf])
def test_any_scale_can_be_written_or_is_left_out(pixel_mm: float) -> None:
    sheet = paper()
    scale(sheet, pixel_mm)
    assert (sheet.pixels < 120).any() == (1e-12 < pixel_mm < math.inf)


def test_every_sign_of_a_length_can_be_drawn() -> None:
    assert set("0123456789.e+- m") - set(SIGNS) == {" "}


@pytest.mark.parametrize(
    "corners",
    [
        np.zeros((1, 3, 3)),
        np.full((4, 3, 3), 1e12),
        box(1, 1, 1)[:1],
        box(1, 1, 0),
        box(1, 0, 0),
        box(0, 0, 1),
        sphere(1e200, 8),
        sphere(1e-200, 8),
        sphere(1, 8) + 1e9,
        np.array([[[-1.7e308, 0, 0], [1.7e308, 0, 0], [0, 1.7e308, 1.7e308]]]),
        np.array([[[0, 0, 0], [5e-324, 0, 0], [0, 5e-324, 0]]]),
        np.concatenate([sphere(1, 16), np.zeros((3, 3, 3)), [[[0, 0, 0], [1, 0, 0], [1, 0, 0]]]]),
    ],
    ids=[
        "point",
        "far point",
        "triangle",
        "flat",
        "line",
        "upright line",
        "huge",
        "tiny",
        "far",
        "most",
        "least",
        "poor",
    ],
)
def test_whatever_has_numbers_draws(corners: np.ndarray) -> None:
    for unit in (Unit.MICROMETRE, Unit.FOOT):
        assert decoded(render(Surface(corners), unit, [(0, 0, 0), (1e308, -1e308, 0)], (200, 120))).shape == (
            120,
            200,
            3,
        )


def test_a_hair_thin_and_a_huge_model_show() -> None:
    for size in (1e-200, 1e200):
        pixels = decoded(render(Surface(sphere(size, 16)), Unit.MILLIMETRE, (), (200, 120)))
        assert (pixels[40:80, 80:120].mean(axis=-1) < 250).all()


@pytest.mark.parametrize(
    ("corners", "marks", "size", "words"),
    [
        (np.empty((0, 3, 3)), [], (640, 480), "no triangles"),
        (np.where(np.arange(9).reshape(1, 3, 3) == 4, np.inf, 1.0), [], (640, 480), "not finite"),
        (np.where(np.arange(9).reshape(1, 3, 3) == 4, np.nan, 1.0), [], (640, 480), "not finite"),
        (box(1, 1, 1), [(0.0, math.nan, 0.0)], (640, 480), "not a finite number"),
        (box(1, 1, 1), [], (0, 480), "0 x 480"),
        (box(1, 1, 1), [], (640, 100_000), "640 x 100000"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(
    corners: np.ndarray, marks: list[tuple[float, float, float]], size: tuple[int, int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        render(Surface(corners), Unit.MILLIMETRE, marks, size)
