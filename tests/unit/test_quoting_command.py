"""`touchstone quote`: one document a model, in the documented shape; a bad model is refused and stops no other."""

from __future__ import annotations

import io
import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from rich.console import Console

from instrumentation.errors import BadInput
from pricing.command import as_json, calculate, print_quotes, refused, run_quote
from pricing.units import Unit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pricing.calculation import Announce, Measured
    from pricing.materials import Materials

# The corners of the 12 triangles of a cube, outwards; corner i has the bits of i as x, y and z.
FACES: Final = "021 123 456 576 014 154 263 367 042 246 135 375"
CORNERS: Final = np.array([(i & 1, i >> 1 & 1, i >> 2 & 1) for i in range(8)], dtype=float)
SHAPE: Final = {"model", "format", "triangles", "bodies", "watertight", "volume_mm3", "area_mm2", "bbox_mm"} | {
    *("min_wall_mm", "castable", "problems", "alloy", "mass_g", "price", "currency", "lines", "seconds")
}


def cube(side: float, corner: float = 0.0) -> NDArray[np.float64]:
    """Return a cube's triangles, shape (12, 3, 3)."""
    return corner + side * CORNERS[[[int(i) for i in face] for face in FACES.split()]]


def write_stl(path: Path, *bodies: NDArray[np.float64]) -> Path:
    triangles = np.concatenate(bodies)
    records = np.zeros(len(triangles), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
    records["corners"] = triangles
    path.write_bytes(bytes(80) + np.uint32(len(triangles)).tobytes() + records.tobytes())
    return path


def one(path: Path, **more: Any) -> dict[str, Any]:
    [document] = run_quote([path], **more)
    return document


def shown(documents: list[dict[str, Any]]) -> str:
    screen = io.StringIO()
    print_quotes(documents, Console(file=screen, width=100))
    return screen.getvalue()


def test_a_sound_model_has_a_document_of_the_documented_shape(tmp_path: Path) -> None:
    document = one(write_stl(tmp_path / "cube.stl", cube(10)))
    assert document.keys() >= SHAPE
    assert "error" not in document
    assert (document["format"], document["triangles"], document["bodies"]) == ("stl", 12, 1)
    assert (document["watertight"], document["castable"]) == (True, True)
    assert document["volume_mm3"] == pytest.approx(1000, rel=1e-9)
    assert document["area_mm2"] == pytest.approx(600, rel=1e-9)
    assert document["bbox_mm"] == [10, 10, 10]
    assert document["mass_g"] == Decimal("10.4")
    assert (document["alloy"], document["currency"]) == ("sterling-silver", "EUR")
    assert all(line.keys() == {"item", "quantity", "unit", "amount"} for line in document["lines"])
    assert sum(line["amount"] for line in document["lines"]) == document["price"]
    assert document["price"] > 35


def test_json_keeps_every_digit_of_money(tmp_path: Path) -> None:
    """Read as decimals, the lines of the JSON still add up exactly."""
    documents = run_quote([write_stl(tmp_path / "cube.stl", cube(10))], "18k-white-gold", quantity=7)
    [read] = json.loads(as_json(documents), parse_float=Decimal)
    assert sum(line["amount"] for line in read["lines"]) == read["price"] == documents[0]["price"]


def test_a_bad_model_stops_no_other(tmp_path: Path) -> None:
    good = write_stl(tmp_path / "good.stl", cube(10))
    torn = write_stl(tmp_path / "torn.stl", cube(10))
    torn.write_bytes(torn.read_bytes()[:-20])
    nonsense = tmp_path / "nonsense.stl"
    nonsense.write_bytes(b"\x00\x01\x02nothing of that kind")
    documents = run_quote([good, torn, nonsense, tmp_path / "missing.stl", good])
    assert ["error" in document for document in documents] == [False, True, True, True, False]
    assert refused(documents)
    assert not refused(documents[:1])
    assert documents[0]["price"] == documents[-1]["price"]
    for document in documents[1:4]:
        assert document["error"].keys() == {"code", "detail"}
        assert document["error"]["code"] == document["problems"][0]["code"]
        assert not document.keys() & {"price", "lines", "mass_g"}
        assert document["castable"] is False


def test_an_open_model_has_no_volume_and_no_price(tmp_path: Path) -> None:
    """A cube without two sides that meet is open round a corner, which nobody can guess."""
    document = one(write_stl(tmp_path / "open.stl", np.delete(cube(10), slice(6, 10), axis=0)))
    assert document["error"]["code"] == "open_surface"
    assert (document["watertight"], document["volume_mm3"]) == (False, None)
    assert document["triangles"] == 8


def test_overlapping_bodies_are_priced_as_their_union(tmp_path: Path) -> None:
    """Two cubes of 1,000 mm3 that share 125 mm3 are one body of 1,875 mm3, from a file of 24 triangles."""
    document = one(write_stl(tmp_path / "two.stl", cube(10), cube(10, 5)))
    assert document["volume_mm3"] == pytest.approx(1875, rel=1e-9)
    assert document["mass_g"] == Decimal("19.5")
    assert (document["bodies"], document["watertight"], document["triangles"]) == (1, True, 24)
    assert any("united" in note for note in document["notes"])


def test_faces_that_look_inwards_are_turned_and_told(tmp_path: Path) -> None:
    document = one(write_stl(tmp_path / "inside_out.stl", cube(10)[:, ::-1]))
    straight = one(write_stl(tmp_path / "straight.stl", cube(10)))
    assert document["price"] == straight["price"]
    assert document["notes"]
    assert not straight["notes"]


def test_the_unit_that_is_said_counts_and_a_wrong_one_is_asked_about(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "small.stl", cube(1))
    asked = one(path)
    assert asked["error"]["code"] == "implausible_size"
    assert "is its unit `cm` (10 mm) or `inch` (25.4 mm)?" in asked["error"]["detail"]
    assert one(path, unit=Unit.CENTIMETRE)["mass_g"] == Decimal("10.4")


def test_the_order_of_the_triangles_changes_no_price(tmp_path: Path) -> None:
    """Sums are taken in another order, so only their last digits may differ, which prices do not see."""
    bodies = [cube(13.3 + i / 7, 20 * i) for i in range(3)]
    triangles = np.concatenate(bodies)
    shuffled = triangles[np.random.default_rng(5).permutation(len(triangles))]
    [first, second] = run_quote(
        [write_stl(tmp_path / "first.stl", triangles), write_stl(tmp_path / "second.stl", shuffled)]
    )
    assert first["price"] > 35
    assert first["lines"] == second["lines"]


def test_a_thin_plate_is_priced_and_said_to_be_uncastable(tmp_path: Path) -> None:
    document = one(write_stl(tmp_path / "plate.stl", cube(10) * np.array([1.0, 1.0, 0.03])))
    assert document["castable"] is False
    assert "error" not in document
    [problem] = [problem for problem in document["problems"] if problem["code"] == "thin_wall"]
    assert problem["severity"] == "uncastable"
    [(x, y, z)] = problem["where"]
    assert 0 <= x <= 10
    assert 0 <= y <= 10
    assert z == pytest.approx(0.15, abs=0.01)


def test_a_failure_of_our_own_is_logged_told_and_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = write_stl(tmp_path / "good.stl", cube(10))

    def cursed_one(path: Path, unit: Unit | None, materials: Materials, announce: Announce) -> Measured:
        if path.name == "cursed.stl":
            raise ZeroDivisionError
        return calculate(path, unit, materials, announce)

    with caplog.at_level(logging.ERROR):
        cursed, sound = run_quote([tmp_path / "cursed.stl", good], calculate=cursed_one)
    assert cursed["error"]["code"] == "failed"
    assert "not your fault" in cursed["error"]["detail"]
    assert "ZeroDivisionError" in caplog.text
    assert "error" not in sound
    assert "not your fault" in shown([cursed])


@pytest.mark.parametrize(("alloy", "quantity"), [("unobtainium", 1), ("bronze", 0), ("bronze", 10_001)])
def test_a_wrong_question_is_refused_before_any_model_is_read(tmp_path: Path, alloy: str, quantity: int) -> None:
    with pytest.raises(BadInput):
        run_quote([tmp_path / "missing.stl"], alloy, None, quantity)


def test_the_screen_shows_each_line_and_the_price(tmp_path: Path) -> None:
    documents = run_quote([write_stl(tmp_path / "cube.stl", cube(10))], quantity=5)
    screen = shown(documents)
    assert all(line["item"] in screen for line in documents[0]["lines"])
    assert f"{documents[0]['price']:,.2f}" in screen
    assert "5 pieces, without VAT, valid 14 days" in screen


def test_the_screen_says_why_a_model_has_no_price(tmp_path: Path) -> None:
    documents = run_quote([write_stl(tmp_path / "small.stl", cube(1))])
    screen = " ".join(shown(documents).split())
    assert "refused: Neither you nor the file names a unit; read in mm, the longest side is 1 mm" in screen


def test_a_name_with_control_characters_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    documents = run_quote([tmp_path / "evil\x1b[2J.stl", tmp_path / "latin\udce9.stl"])
    screen = shown(documents)
    assert "\x1b[2J" not in screen
    assert "evil\\x1b[2J.stl" in screen.replace("\n", "")
    assert documents[1]["model"].endswith("latin\\xe9.stl")
    assert as_json(documents).isascii()


def test_a_terminal_of_ascii_gets_ascii(tmp_path: Path) -> None:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii", write_through=True), width=100)
    print_quotes(run_quote([write_stl(tmp_path / "plate.stl", cube(10) * np.array([1.0, 1.0, 0.03]))]), console)
    assert b"+/-" in raw.getvalue()
    assert b"30.00 mm3" in raw.getvalue()
