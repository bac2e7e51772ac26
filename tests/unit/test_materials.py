"""The materials file: every constant has a source, every change a version, every mistake a line."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from instrumentation.errors import BadInput
from pricing.materials import (
    DEFAULT_ALLOY,
    DEFAULT_MATERIALS,
    Constant,
    describe_alloys,
    load_materials,
    parse_materials,
)
from pricing.measuring import Options, Printing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import BaseModel

TEXT: Final = DEFAULT_MATERIALS.read_text(encoding="utf-8")
HOUSE: Final = parse_materials(TEXT)
CONSTANTS: Final = ("density_g_cm3", "price_per_g", "shrinkage", "min_wall_mm", "min_wire_mm")


def constants(model: BaseModel) -> Iterator[Constant]:
    """Yield every constant of the materials, however deep."""
    for _, value in model:
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]:
            if isinstance(one, Constant):
                yield one
            elif hasattr(one, "model_fields_set"):
                yield from constants(one)


@pytest.mark.parametrize("name", sorted(HOUSE.alloys))
def test_every_alloy_has_every_constant_with_its_source(name: str) -> None:
    alloy = HOUSE.alloy(name)
    for key in CONSTANTS:
        constant = getattr(alloy, key)
        assert constant.value > 0
        assert len(constant.source) >= len("house")


def test_the_house_casts_what_a_jeweller_casts() -> None:
    assert {"sterling-silver", "14k-yellow-gold", "18k-yellow-gold", "18k-white-gold", "platinum-950", "bronze"} <= set(
        HOUSE.alloys
    )
    assert DEFAULT_ALLOY in HOUSE.alloys


def test_every_constant_names_a_source_and_differing_sources_say_why() -> None:
    found = list(constants(HOUSE))
    assert len(found) > 60
    assert all(constant.source for constant in found)
    assert all(constant.why for constant in found if constant.range is not None)
    assert HOUSE.alloy("sterling-silver").density_g_cm3.range == (Decimal("10.2"), Decimal("10.8"))


@pytest.mark.parametrize(
    ("metals", "alloy"),
    [
        ({"0.95": "21.45", "0.05": "12.45"}, "platinum-950"),  # platinum and ruthenium
        ({"0.90": "8.96", "0.10": "7.29"}, "bronze"),  # copper and tin
    ],
)
def test_a_computed_density_is_the_mixture_that_its_source_says(metals: dict[str, str], alloy: str) -> None:
    mixed = 1 / sum(Decimal(share) / Decimal(density) for share, density in metals.items())
    assert round(mixed, 2) == HOUSE.alloy(alloy).density_g_cm3.value


def test_decimals_are_read_digit_by_digit() -> None:
    assert str(HOUSE.alloy("sterling-silver").density_g_cm3.value) == "10.40"


def test_a_changed_gold_price_changes_the_version() -> None:
    changed = parse_materials(TEXT.replace("value: 67.90", "value: 67.91", 1))
    assert changed.version != HOUSE.version


def test_the_version_is_that_of_the_content() -> None:
    """A comment or another order of the keys changes nothing; the same file has the same version at any time."""
    assert parse_materials("# a word more\n" + TEXT).version == HOUSE.version
    line = "vat: left out # prices are net\n"
    assert line in TEXT
    assert parse_materials(TEXT.replace(line, "") + "vat: left out\n").version == HOUSE.version
    assert load_materials().version == HOUSE.version


def test_a_gold_price_leaves_the_measures_as_they_are_and_another_layer_does_not() -> None:
    """What measuring takes from the file has a version of its own, so that a new price needs no mesh."""
    dearer = parse_materials(TEXT.replace("value: 67.90", "value: 67.91", 1))
    assert dearer.measuring_version == HOUSE.measuring_version
    for old, new in (("{value: 0.05, source: house, range", "{value: 0.04, source: house, range"), ("150,", "140,")):
        assert TEXT.count(old) == 1
        changed = parse_materials(TEXT.replace(old, new))
        assert changed.measuring_version != HOUSE.measuring_version
        assert changed.version != HOUSE.version


def test_how_a_value_is_written_or_explained_changes_no_measure() -> None:
    for old, new in (("{value: 2.5, source", "{value: 2.50, source"), ("mslicer's default is 3", "mslicer says 3")):
        assert TEXT.count(old) == 1
        assert parse_materials(TEXT.replace(old, new)).measuring_version == HOUSE.measuring_version


def test_the_house_measures_as_its_file_says() -> None:
    """Every value of `printing` reaches the measuring."""
    changed = {
        "layer_mm": "0.03",
        "exposure_s": "1.5",
        "lift_s": "7.5",
        "bottom_layers": "4",
        "bottom_exposure_s": "25",
        "support_fill": "0.1",
        "overhang_deg": "40",
    }
    text = TEXT
    for name, value in changed.items():
        text, count = re.subn(rf"(\b{name}:\s+{{value: )[\d.]+", rf"\g<1>{value}", text)
        assert count == 1
    assert parse_materials(text).options == Options(Printing(0.03, 1.5, 7.5, 4, 25.0, 0.1), 40.0)


def test_a_form_offers_every_alloy_by_its_label_in_the_files_order() -> None:
    offered = describe_alloys(HOUSE)
    assert [name for name, _ in offered] == [*HOUSE.alloys]
    assert offered[0] == ("sterling-silver", "sterling silver 925")
    assert len({label for _, label in offered}) == len(offered)


def test_listing_alloys_needs_no_numpy() -> None:
    """The shop's form is made in a process that has no use for it."""
    listing = "from pricing.materials import *; describe_alloys(load_materials())"
    code = f"import sys; {listing}; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("value: 13.07, source: stuller", "value: -1, source: stuller", "alloys.14k-yellow-gold.density_g_cm3"),
        (
            "value: 13.07, source: stuller",
            "value: 13.07",
            "alloys.14k-yellow-gold.density_g_cm3.source: Field required",
        ),
        ("value: 13.07, source: stuller", "value: 13.07, source: ''", "alloys.14k-yellow-gold.density_g_cm3.source"),
        ("value: 13.07, source: stuller", "value: 9, source: stuller", "outside of the range of its sources, 13.07 to"),
        ("value: 13.07, source: stuller", "value: nan, source: stuller", "finite number"),
        ("value: 13.07, source: stuller", "value: much, source: stuller", "valid decimal"),
        ("value: 13.07, source: stuller", "value: 13.07, source: stuller, soruce: x", "soruce: Extra inputs"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, sentence: str) -> None:
    assert TEXT.count(old) == 1
    line = TEXT[: TEXT.index(old)].count("\n") + 1
    with pytest.raises(BadInput) as told:
        parse_materials(TEXT.replace(old, new), "mine.yaml")
    where, _, rest = str(told.value).partition(": ")
    # The brace of the constant stands on that line, its key on the one before.
    assert where in {f"mine.yaml:{line}", f"mine.yaml:{line - 1}"}
    assert sentence in rest


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(BadInput) as told:
        parse_materials(TEXT.replace("currency: EUR", "currency: euro").replace("vat: left out", "vat: somewhere"))
    assert len(str(told.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("plating: rhodium", "plating: chrome"), "is plated with `chrome`, which stands not under `platings`"),
        (("pieces: 20,", "pieces: 5,"), "quantity terms go up"),
        (("off: {value: 0.10", "off: {value: 0.01"), "quantity terms go up"),
        (("off: {value: 0.10", "off: {value: 1"), "less than 1"),
        (("currency: EUR", "currency: EUR\ncurrency: USD"), "the key `currency` stands here twice"),
        (("overhang_deg: {value: 45", "overhang_deg: {value: 91"), "less than or equal to 90"),
        (("{value: 6, source: toolsfast", "{value: 5.5, source: toolsfast"), "multiple of 1"),
        (("currency: EUR", "currency: {"), "is no YAML"),
    ],
)
def test_what_contradicts_itself_is_refused(change: tuple[str, str], sentence: str) -> None:
    assert change[0] in TEXT
    with pytest.raises(BadInput, match=sentence):
        parse_materials(TEXT.replace(*change))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"- a\n- list\n", b"a: \x00"])
def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "materials.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"materials\.yaml"):
        load_materials(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read \\(No such file or directory\\); check the path"):
        load_materials(tmp_path / "none.yaml")


def test_an_unknown_alloy_is_told_with_all_the_known_ones() -> None:
    with pytest.raises(BadInput) as told:
        HOUSE.alloy("18k-yelow-gold")
    assert "did you mean `18k-yellow-gold`?" in str(told.value)
    assert all(f"`{name}`" in str(told.value) for name in HOUSE.alloys)
