"""The materials file: alloys, rates, terms and limits, each constant with its source, and a version of it all."""

from __future__ import annotations

import difflib
import hashlib
import json
from datetime import date  # noqa: TC003 - pydantic reads the annotation when it runs
from decimal import Decimal  # noqa: TC003 - pydantic reads the annotation when it runs
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pricing.measuring import Options

DEFAULT_MATERIALS: Final = Path(__file__).with_name("materials.yaml")
DEFAULT_ALLOY: Final = "sterling-silver"
LARGEST_BYTES: Final = 1 << 20
VERSION_DIGITS: Final = 12

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Where = tuple[str | int, ...]
T = TypeVar("T")


class _Strict(BaseModel):
    """Frozen, and without keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Constant(_Strict):
    """A value, where it comes from, and, where sources differ, how far they do and why it is this one."""

    value: Decimal = Field(ge=0)
    source: Word
    range: tuple[Decimal, Decimal] | None = None
    why: Word | None = None

    @model_validator(mode="after")
    def _chosen_from_the_range(self) -> Constant:
        if self.range is None:
            return self
        low, high = self.range
        if not low <= self.value <= high:
            raise ValueError(f"the value {self.value} lies outside of the range of its sources, {low} to {high}")
        if self.why is None:
            raise ValueError("sources differ, so say in `why` why it is this value")
        return self


class Positive(Constant):
    """A constant that cannot be nothing, such as a density."""

    value: Decimal = Field(gt=0)


class Share(Constant):
    """A share, from 0 up to but not including 1."""

    value: Decimal = Field(ge=0, lt=1)


class Alloy(_Strict):
    """What the house casts in. ``shrinkage`` is of lengths: the pattern is larger than the piece by that share."""

    label: Word
    density_g_cm3: Positive
    price_per_g: Positive
    shrinkage: Share
    min_wall_mm: Positive
    min_wire_mm: Positive
    plating: Word | None = None


class Plating(_Strict):
    """What is laid on the metal."""

    price_per_cm2: Constant


class Casting(_Strict):
    """Shares and sizes of lost-wax casting."""

    sprue_and_button_share: Share
    polishing_allowance_mm: Constant
    min_gap_mm: Constant
    min_hollow_mm3: Constant
    flask_diameter_mm: Positive
    flask_height_mm: Positive


class Resin(_Strict):
    """What patterns are printed in."""

    price_per_ml: Constant
    density_g_cm3: Positive


class Rates(_Strict):
    """What machines and hands cost."""

    printing_per_h: Constant
    labour_per_h: Constant
    labour_min_per_piece: Constant
    labour_min_per_g: Constant
    polishing_per_cm2: Constant
    start_up: Constant
    minimum_per_piece: Constant


class QuantityTerm(_Strict):
    """The share taken off work and resin from so many pieces on."""

    pieces: int = Field(gt=1)
    off: Share


class PartnerTerm(_Strict):
    """The share taken off work and resin for a partner."""

    off: Share


class Terms(_Strict):
    """What quantity and partnership are worth."""

    quantity: tuple[QuantityTerm, ...] = ()
    partners: dict[Word, PartnerTerm] = {}

    @model_validator(mode="after")
    def _more_pieces_never_cost_more_each(self) -> Terms:
        for lower, higher in pairwise(self.quantity):
            if higher.pieces <= lower.pieces or higher.off.value < lower.off.value:
                raise ValueError("quantity terms go up, in pieces and in what is taken off; sort them")
        return self


class Plausible(_Strict):
    """Sizes between which a model is taken for a piece of jewellery."""

    side_min_mm: Constant
    side_max_mm: Positive
    volume_min_mm3: Constant
    volume_max_mm3: Positive


class Overhang(Constant):
    """An angle from straight down, in degrees."""

    value: Decimal = Field(ge=0, le=90)


class Count(Constant):
    """A number of things."""

    value: Decimal = Field(ge=0, multiple_of=1)


class PrintingConstants(_Strict):
    """How patterns are printed: what `pricing.measuring.Printing` says, each with its source."""

    layer_mm: Positive
    exposure_s: Constant
    lift_s: Constant
    bottom_layers: Count
    bottom_exposure_s: Constant
    support_fill: Share
    overhang_deg: Overhang


class Production(_Strict):
    """Time in the workshop, waiting in other queues apart."""

    base_h: Constant
    h_per_g: Constant


class Materials(_Strict):
    """All that a price depends on, save for the model. Prices are net, in ``currency``."""

    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]
    vat: Literal["left out"]
    prices_as_of: date
    alloys: dict[Word, Alloy] = Field(min_length=1)
    platings: dict[Word, Plating] = {}
    casting: Casting
    resin: Resin
    rates: Rates
    terms: Terms
    printing: PrintingConstants
    plausible: Plausible
    validity_days: Constant
    production: Production

    @model_validator(mode="after")
    def _platings_are_known(self) -> Materials:
        for name, alloy in self.alloys.items():
            if alloy.plating is not None and alloy.plating not in self.platings:
                raise ValueError(f"alloy `{name}` is plated with `{alloy.plating}`, which stands not under `platings`")
        return self

    @cached_property
    def version(self) -> str:
        """Return a hash of the content: another value or source, another version; comments and order make none."""
        return _version(self.model_dump(mode="json"))

    @cached_property
    def measuring_version(self) -> str:
        """Return a hash of the values that measuring takes from here; where it is the same, so are all measures.

        A new gold price leaves it as it is, so measures are kept and only priced anew.
        """
        parts = (self.printing, self.plausible)
        return _version([{name: format(constant.value.normalize(), "f") for name, constant in part} for part in parts])

    @cached_property
    def options(self) -> Options:
        """Return how to measure: as the house prints."""
        # Here, so that a form that lists alloys does not need numpy.
        from pricing.measuring import Options, Printing

        printing = self.printing
        return Options(
            printing=Printing(
                layer_mm=float(printing.layer_mm.value),
                exposure_s=float(printing.exposure_s.value),
                lift_s=float(printing.lift_s.value),
                bottom_layers=int(printing.bottom_layers.value),
                bottom_exposure_s=float(printing.bottom_exposure_s.value),
                support_fill=float(printing.support_fill.value),
            ),
            overhang_deg=float(printing.overhang_deg.value),
        )

    def alloy(self, name: str) -> Alloy:
        """Return an alloy by its name. Raises BadInput that lists the known ones."""
        return _known("alloy", name, self.alloys)

    def partner(self, name: str) -> PartnerTerm:
        """Return a partner's terms by their name. Raises BadInput that lists the known ones."""
        return _known("partner terms", name, self.terms.partners)


def describe_alloys(materials: Materials) -> list[tuple[str, str]]:
    """Return each alloy's name and its label, in the order of the file: what a form offers."""
    return [(name, alloy.label) for name, alloy in materials.alloys.items()]


def _version(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:VERSION_DIGITS]


def _known(what: str, name: str, known: dict[str, T]) -> T:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name.casefold(), known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise BadInput(f"unknown {what} `{name}`; {hint}known are {', '.join(f'`{one}`' for one in known) or 'none'}")


def load_materials(path: Path = DEFAULT_MATERIALS) -> Materials:
    """Read and check a materials file. Raises BadInput that lists every mistake with its line."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadInput(f"{path}: is larger than {LARGEST_BYTES:,} bytes; is this a materials file?")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not UTF-8 text; save the materials file as UTF-8") from error
    return parse_materials(text, str(path))


def parse_materials(text: str, name: str = "materials.yaml") -> Materials:
    """Turn YAML text into materials. Raises BadInput that lists every mistake with its line."""
    data, lines, repeated = _read(text, name)
    if repeated:
        raise BadInput(
            "\n".join(f"{name}:{line}: the key `{key}` stands here twice; keep one" for line, key in repeated)
        )
    try:
        return Materials.model_validate(data)
    except ValidationError as error:
        mistakes = sorted((_line(one["loc"], lines), _sentence(one)) for one in error.errors())
        raise BadInput("\n".join(f"{name}:{line}: {sentence}" for line, sentence in mistakes)) from error


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "materials"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}"


class _Words(yaml.SafeLoader):
    """YAML whose scalars stay text, so that 10.40 reaches `Decimal` without passing through a binary float."""


_Words.yaml_implicit_resolvers = {}


def _read(text: str, name: str) -> tuple[Any, dict[Where, int], list[tuple[int, str]]]:
    """Return the data, the line of every value by its path, and keys that stand twice. Raises BadInput if no YAML."""
    lines: dict[Where, int] = {}
    repeated: list[tuple[int, str]] = []
    try:
        loader = _Words(text)
        node = loader.get_single_node()
        if node is None:
            raise BadInput(f"{name}: is empty; start from the materials file that comes with the code")
        _walk(node, (), lines, repeated)
        return loader.construct_document(node), lines, repeated
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise BadInput(f"{where}: is no YAML ({error.problem}); mend that line") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInput(f"{name}: is no YAML ({str(error).splitlines()[0]}); mend it") from error


def _walk(node: yaml.Node, path: Where, lines: dict[Where, int], repeated: list[tuple[int, str]]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                repeated.append((key.start_mark.line + 1, str(key.value)))
            lines[inner] = key.start_mark.line + 1
            _walk(value, inner, lines, repeated)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), lines, repeated)


def _line(path: Where, lines: dict[Where, int]) -> int:
    """Return the line of a value, or of its nearest known ancestor."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
