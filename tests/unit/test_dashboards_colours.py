"""Colours that mean different things look different, to people with each kind of colour blindness too."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import pytest

from collectors.promise import load_promise
from dashboards import colours
from dashboards.building import documents
from dashboards.checking import texts

# Full severity; G. Machado, M. Oliveira, L. Fernandes, IEEE TVCG 15(6), 1291 (2009), on linear RGB.
SEEN_BY: Final = {
    "everybody else": np.eye(3),
    "protanopes": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopes": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopes": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
WHITE: Final = np.array([0.95047, 1.0, 1.08883])  # D65
TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
# CIE76; 2.3 is just noticeable side by side (Mahy et al., 1994), and a line on a chart is thin and far from the other.
LEAST: Final = 10.0


def lab(colour: str, seen: np.ndarray) -> np.ndarray:
    """Return a colour in CIELAB, as somebody sees it."""
    srgb = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    ratio = TO_XYZ @ np.clip(seen @ linear, 0, 1) / WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, seen: np.ndarray) -> float:
    """Return how far apart somebody sees two colours (CIE76)."""
    return float(np.linalg.norm(lab(one, seen) - lab(other, seen)))


@pytest.mark.parametrize("who", SEEN_BY)
def test_colours_are_told_apart(who: str) -> None:
    """Every two colours of the palette, and good, warning and bad, are well apart for each kind of sight."""
    near = {
        pair: round(found, 1)
        for pair in combinations((*colours.PALETTE, colours.GREY), 2)
        if (found := distance(*pair, SEEN_BY[who])) < LEAST
    }
    assert near == {}
    meanings = (colours.GOOD, colours.WARN, colours.BAD)
    assert min(distance(*pair, SEEN_BY[who]) for pair in combinations(meanings, 2)) > 1.5 * LEAST


def test_red_and_green_would_not_have_passed() -> None:
    """The measure refuses what it is there to refuse: red and green of one lightness are one colour to deuteranopes."""
    assert distance("#B22222", "#5B6B00", SEEN_BY["deuteranopes"]) < LEAST < distance("#B22222", "#5B6B00", np.eye(3))


def test_more_names_than_colours_differ_by_their_stroke() -> None:
    names = [f"stage {number}" for number in range(28)]
    assert len(set(colours.strokes(names).values())) == 28


def test_no_dashboard_uses_a_colour_from_elsewhere() -> None:
    allowed = {*colours.PALETTE, colours.GREY}
    used = {text for text in texts(documents(load_promise())) if text.startswith("#") and len(text) == 7}
    assert used <= allowed
    assert len(used) > 4
