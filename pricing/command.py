"""`touchstone quote`: models in, one document each out; a bad model is refused and never stops the others."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from instrumentation.errors import BadInput
from pricing.calculation import measured
from pricing.checking import Problem, Severity
from pricing.limits import DEFAULT
from pricing.materials import DEFAULT_ALLOY, Materials, load_materials
from pricing.quoting import MOST_PIECES, Order, quote
from pricing.refusals import Refusal
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from pricing.calculation import Announce, Measured
    from pricing.quoting import Quote

    Document = dict[str, Any]
    Calculate = Callable[[Path, Unit | None, Materials, Announce], Measured]

FAILED: Final = "failed"  # our own fault, so no RefusalCode
STYLES: Final = {Severity.REFUSED: "bold red", Severity.UNCASTABLE: "bold red", Severity.WARNING: "yellow"}
log: Final = logging.getLogger(__name__)


# What is told of a model before it is measured, as far as that came where it is refused.
TOLD: Final = ("triangles", "bodies", "watertight", "volume_mm3", "area_mm2", "bbox_mm", "format")


def calculate(path: Path, unit: Unit | None, materials: Materials, announce: Announce) -> Measured:
    """Measure a model within the house's limits. Raises Refusal."""
    return measured(path, DEFAULT, unit, options=materials.options, plausible=materials.plausible, announce=announce)


def run_quote(
    models: Sequence[Path],
    alloy: str = DEFAULT_ALLOY,
    unit: Unit | None = None,
    quantity: int = 1,
    *,
    materials: Materials | None = None,
    calculate: Calculate = calculate,
) -> list[Document]:
    """Return a document for each model, in order: `{model, format, ..., price, lines}`, or one with an `error`.

    ``unit``: what the models are drawn in; it outweighs what a file says, and where neither says, it is mm. Money and
    masses are `Decimal`; ``as_json`` writes them. Raises BadInput where the question itself is wrong.
    """
    materials = materials or load_materials()
    materials.alloy(alloy)
    if not 1 <= quantity <= MOST_PIECES:
        raise BadInput(f"the quantity is {quantity}; ask for 1 to {MOST_PIECES:,} pieces")
    return [_document(path, materials, Order(alloy, quantity), unit, calculate) for path in models]


def refused(documents: Sequence[Document]) -> bool:
    """Whether any model got no price: the command then ends with status 2."""
    return any("error" in document for document in documents)


def as_json(documents: Sequence[Document]) -> str:
    """Write documents as JSON, in ASCII. A decimal of up to 15 digits keeps its digits as a JSON number."""
    return json.dumps(documents, default=float, indent=2, allow_nan=False)


def print_quotes(documents: Sequence[Document], console: Console) -> None:
    """Print each quote line by line, or why a model got none."""
    for document in documents:
        console.print(_printable(document["model"], "bold", console), _printable(_facts(document), "dim", console))
        said = [(note, "dim") for note in document["notes"]]
        said += [(f"{each['severity']}: {each['sentence']}", STYLES[each["severity"]]) for each in document["problems"]]
        if "error" in document and not document["problems"]:
            said.append((document["error"]["detail"], STYLES[Severity.REFUSED]))
        for sentence, style in said:
            console.print(_indented(_printable(sentence, style, console)))
        if "error" not in document:
            console.print(_indented(_breakdown(document)))
        console.print()


def _document(path: Path, materials: Materials, order: Order, unit: Unit | None, calculate: Calculate) -> Document:
    began = time.perf_counter()
    # A name that is no UTF-8 is shown with its bytes spelt out.
    name = os.fsencode(path).decode(errors="backslashreplace")
    document: Document = {"model": name, "castable": False, "problems": [], "notes": []}
    told: dict[str, Any] = {}
    try:
        model = calculate(path, unit, materials, _telling(told))
        document |= _measured(model)
        document |= _quoted(quote(model.measures, materials, order, model.unit))
    except Refusal as refusal:
        document = {**{key: told[key] for key in TOLD if key in told}, **document}
        document["notes"] = document["notes"] or list(told.get("sentences", ()))
        document["problems"] = [_problem(_refused(refusal, unit or Unit(told.get("unit") or Unit.MILLIMETRE)))]
        document["error"] = {"code": refusal.code.value, "detail": refusal.detail}
    except Exception:  # one model never stops the others, and whatever it hit is told and logged
        log.exception("quote failed", extra={"model": name})
        detail = "Our software failed on this model, which is not your fault; send it to us and we price it by hand."
        document["error"] = {"code": FAILED, "detail": detail}
    document["seconds"] = round(time.perf_counter() - began, 6)
    return document


def _telling(told: dict[str, Any]) -> Announce:
    """Return what keeps the facts of each step, also of one cut short; triangles stay those of the file."""

    @contextmanager
    def announce(step: str, facts: dict[str, object]) -> Iterator[None]:
        try:
            yield
        finally:
            told.update({key: value for key, value in facts.items() if (step, key) != ("mend", "triangles")})

    return announce


def _refused(refusal: Refusal, unit: Unit) -> Problem:
    """Return a refusal as a problem, its places in mm: loading and mending tell them in the model's unit."""
    where = tuple((x * unit.mm, y * unit.mm, z * unit.mm) for x, y, z in refusal.where)
    return Problem(refusal.code, Severity.REFUSED, refusal.detail, where)


def _measured(model: Measured) -> Document:
    """Return what was measured, of the mended solid, which is what is paid for; ``triangles`` are those of the file."""
    measures = model.measures
    return {
        "format": model.format.value,
        "triangles": model.file_triangles,
        "bodies": measures.bodies,
        "watertight": measures.watertight,
        "volume_mm3": measures.volume_mm3,
        "area_mm2": measures.area_mm2,
        "bbox_mm": list(measures.bbox_mm),
        "min_wall_mm": measures.min_wall_mm,
        "notes": list(model.notes),
    }


def _quoted(quoted: Quote) -> Document:
    lines = [
        {"item": line.item, "quantity": line.quantity, "unit": line.unit, "amount": line.amount}
        for line in quoted.lines
    ]
    return {
        "castable": quoted.castable,
        "problems": [_problem(problem) for problem in quoted.problems],
        "alloy": quoted.alloy,
        "mass_g": quoted.mass_g,
        "price": quoted.price,
        "currency": quoted.currency,
        "lines": lines,
        "pieces": quoted.pieces,
        "valid_days": quoted.validity.days,
        "production_s": quoted.production.total_seconds(),
        "materials": quoted.materials_version,
    }


def _problem(problem: Problem) -> Document:
    return {
        "code": problem.code.value,
        "severity": problem.severity.value,
        "sentence": problem.sentence,
        "where": [list(point) for point in problem.where],
    }


def _printable(text: str, style: str, console: Console) -> Text:
    """Return text that no terminal trips over: a model may bring control characters, a terminal may lack signs."""
    if console.options.ascii_only:
        text = text.replace("±", "+/-").replace("³", "3").encode("ascii", "backslashreplace").decode()
    return Text("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text), style)


def _indented(what: Text | Table) -> Padding:
    return Padding(what, (0, 0, 0, 2), expand=False)


def _facts(document: Document) -> str:
    if "triangles" not in document:
        return ""
    box = " x ".join("?" if side is None else f"{side:.2f}" for side in document["bbox_mm"])
    facts = [document["format"], f"{document['triangles']:,} triangles", f"{box} mm"]
    if document["volume_mm3"] is not None:
        facts.append(f"{document['volume_mm3']:,.2f} mm³")
    if "mass_g" in document:
        facts.append(f"{document['mass_g']:.2f} g")
    return ", ".join(facts)


def _breakdown(document: Document) -> Table:
    pieces = "1 piece" if document["pieces"] == 1 else f"{document['pieces']:,} pieces"
    table = Table(box=None, pad_edge=False, show_footer=True, padding=(0, 2, 0, 0))
    table.add_column(document["alloy"], f"{pieces}, without VAT, valid {document['valid_days']} days")
    table.add_column("quantity", justify="right")
    table.add_column("unit")
    table.add_column(document["currency"], f"{document['price']:,.2f}", justify="right", footer_style="bold")
    for line in document["lines"]:
        table.add_row(line["item"], f"{line['quantity'].normalize():f}", line["unit"], f"{line['amount']:,.2f}")
    return table
