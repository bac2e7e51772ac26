"""Can it be cast? Every reason against it, in a sentence that a customer understands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from typing import TYPE_CHECKING, Final

from pricing.measuring import BodyKind
from pricing.refusals import Refusal, RefusalCode
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pricing.materials import Alloy, Casting, Materials, Plausible
    from pricing.quoting import Measured
    from pricing.refusals import Point

# What people draw in; the rest occur in files that name their unit.
DRAWN_IN: Final = (Unit.MILLIMETRE, Unit.CENTIMETRE, Unit.METRE, Unit.INCH)


class Severity(StrEnum):
    """How bad a problem is."""

    REFUSED = "refused"  # no price can be given
    UNCASTABLE = "uncastable"  # the price stands, the piece cannot be cast as it is
    WARNING = "warning"  # it may go wrong, or could not be told


class ProblemCode(StrEnum):
    """What is in the way of casting, for programs; what forbids a price has a `RefusalCode`."""

    THIN_WALL = "thin_wall"
    UNKNOWN_WALL = "unknown_wall"
    THIN_WIRE = "thin_wire"
    NARROW_GAP = "narrow_gap"
    CAVITY = "sealed_cavity"
    FLASK = "too_large_for_flask"


@dataclass(frozen=True)
class Problem:
    """One problem of a model; ``where``: points on it in mm, in the model's own axes; none where it is everywhere."""

    code: ProblemCode | RefusalCode
    severity: Severity
    sentence: str
    where: tuple[Point, ...] = ()


def check(measures: Measured, alloy: Alloy, materials: Materials, unit: Unit = Unit.MILLIMETRE) -> list[Problem]:
    """Return what speaks against casting a model in an alloy; where no price can be given, nothing but why.

    ``unit``: what the model was read in, for the question about a size that no piece of jewellery has.
    """
    refused = [*_unsound(measures)] or [*_implausible(measures, materials.plausible, unit)]
    if refused:
        return refused
    return [
        *_walls(measures, alloy),
        *_gaps(measures, materials.casting),
        *_cavities(measures),
        *_flask(measures, alloy, materials.casting),
    ]


def castable(problems: Sequence[Problem]) -> bool:
    """Whether nothing but warnings was found."""
    return all(problem.severity is Severity.WARNING for problem in problems)


def refuse(problems: Sequence[Problem], unit: Unit = Unit.MILLIMETRE) -> None:
    """Raise the first problem that forbids a price as a Refusal, its places in the model's unit."""
    for problem in problems:
        if isinstance(problem.code, RefusalCode):
            where = tuple((x / unit.mm, y / unit.mm, z / unit.mm) for x, y, z in problem.where)
            raise Refusal(problem.code, problem.sentence, where)


def _unsound(measures: Measured) -> Iterator[Problem]:
    """Yield the one reason, the plainest first, why a surface bounds no volume."""
    sizes = (measures.volume_mm3, measures.area_mm2, *measures.bbox_mm, measures.print_s, measures.resin_ml)
    if measures.triangles == 0:
        yield _refused(
            RefusalCode.EMPTY, "The model is empty: there is no surface in it; export the solid and try again."
        )
    elif not all(map(math.isfinite, sizes)):
        yield _refused(RefusalCode.NOT_FINITE, "The model has points that lie nowhere; repair it and try again.")
    elif measures.open_edges:
        sentence = "The surface has holes, so it has no inside and no weight; close them and try again."
        yield _refused(RefusalCode.OPEN, sentence, measures.trouble_at_mm)
    elif not measures.wound:
        sentence = (
            "Parts of the surface face the wrong way, so inside and outside cannot be told apart; unify the normals."
        )
        yield _refused(RefusalCode.WINDING, sentence, measures.trouble_at_mm)
    elif not measures.watertight:
        sentence = (
            "Along some edges more than two faces meet, so the surface is no single skin; unite the bodies there."
        )
        yield _refused(RefusalCode.OPEN, sentence, measures.trouble_at_mm)
    elif measures.volume_mm3 < 0 or measures.of_kind(BodyKind.INSIDE_OUT):
        sentence = "The surface, or a part of it, is inside out; flip its normals and try again."
        yield _refused(RefusalCode.WINDING, sentence)
    elif measures.of_kind(BodyKind.COUNTED_TWICE):
        sentence = "A body lies inside of another one, so its metal would be counted twice; unite them and try again."
        yield _refused(RefusalCode.OVERLAPPING, sentence)
    elif measures.volume_mm3 == 0 or measures.area_mm2 <= 0:
        yield _refused(RefusalCode.EMPTY, "The surface encloses nothing; give it a thickness and try again.")


def _implausible(measures: Measured, plausible: Plausible, unit: Unit) -> Iterator[Problem]:
    side, volume = max(measures.bbox_mm), measures.volume_mm3
    wrong = _size_in_words(side, volume, plausible)
    if wrong is None:
        return
    # The model's own numbers, read in another unit.
    scales = {other: other.mm / unit.mm for other in DRAWN_IN if other is not unit}
    fits = [
        f"`{other}` ({side * scale:.3g} mm)"
        for other, scale in scales.items()
        if _size_in_words(side * scale, volume * scale**3, plausible) is None
    ]
    ask = f"is its unit {' or '.join(fits)}?" if fits else "no usual unit makes it one, so check its scale."
    sentence = f"Read in {unit}, {wrong}: {ask} It is not priced before its size is certain."
    yield _refused(RefusalCode.SIZE, sentence)


def _size_in_words(side: float, volume: float, plausible: Plausible) -> str | None:
    """Return what is odd about a size in mm and mm3, or None."""
    least, most = float(plausible.side_min_mm.value), float(plausible.side_max_mm.value)
    if not least <= side <= most:
        return f"the longest side is {side:.4g} mm, and jewellery has {least:g} to {most:g} mm"
    least, most = float(plausible.volume_min_mm3.value), float(plausible.volume_max_mm3.value)
    if not least <= volume <= most:
        return f"the volume is {volume:.4g} mm³, and jewellery has {least:g} to {most:g} mm³"
    return None


def _walls(measures: Measured, alloy: Alloy) -> Iterator[Problem]:
    """Judge the thinnest wall with its error; a wire is thin both ways and needs more, but may be a wall's edge."""
    wall, error = measures.min_wall_mm, measures.min_wall_error_mm or 0.0
    least, wire = float(alloy.min_wall_mm.value), float(alloy.min_wire_mm.value)
    where = _spot(measures.min_wall_at_mm)
    if wall is None:
        sentence = "The thinnest wall could not be measured; our workshop looks at it before casting."
        yield Problem(ProblemCode.UNKNOWN_WALL, Severity.WARNING, sentence)
        return
    thinnest = f"The thinnest wall has {wall:.2f} mm (± {error:.2f})"
    if wall + error < least:
        sentence = f"{thinnest}, and {alloy.label} needs {least:g} mm; thicken it."
        yield Problem(ProblemCode.THIN_WALL, Severity.UNCASTABLE, sentence, where)
    elif wall - error < least:
        sentence = f"{thinnest}, near the {least:g} mm that {alloy.label} needs."
        yield Problem(ProblemCode.THIN_WALL, Severity.WARNING, sentence, where)
    elif wall - error < wire:
        sentence = f"{thinnest}; if that is a free wire or prong, {alloy.label} needs {wire:g} mm."
        yield Problem(ProblemCode.THIN_WIRE, Severity.WARNING, sentence, where)


def _gaps(measures: Measured, casting: Casting) -> Iterator[Problem]:
    gap, least = measures.min_gap_mm, float(casting.min_gap_mm.value)
    if gap is not None and gap < least:
        sentence = f"The narrowest gap has {gap:.2f} mm; below {least:g} mm it may close up in casting and polishing."
        yield Problem(ProblemCode.NARROW_GAP, Severity.WARNING, sentence, _spot(measures.min_gap_at_mm))


def _spot(point: Point | None) -> tuple[Point, ...]:
    return () if point is None else (point,)


def _cavities(measures: Measured) -> Iterator[Problem]:
    if measures.cavities:
        hollows = "There is a hollow" if measures.cavities == 1 else f"There are {measures.cavities} hollows"
        sentence = f"{hollows} inside without a way out: resin stays in, and plaster cannot get in; open a way."
        yield Problem(ProblemCode.CAVITY, Severity.UNCASTABLE, sentence)


def _flask(measures: Measured, alloy: Alloy, casting: Casting) -> Iterator[Problem]:
    """Compare the pattern's box with the flask, a cylinder: sure to fit by its diagonal, sure not to by its sides."""
    grown = [side * (1 + float(alloy.shrinkage.value)) for side in measures.bbox_mm]
    across, high = float(casting.flask_diameter_mm.value), float(casting.flask_height_mm.value)
    ways = [(a, b) for a, b, upright in permutations(grown) if upright <= high]
    sides = " x ".join(f"{side:.1f}" for side in grown)
    size = f"{sides} mm as a pattern; our flask is {across:g} mm wide, {high:g} mm high"
    if not any(max(way) <= across for way in ways):
        yield Problem(ProblemCode.FLASK, Severity.UNCASTABLE, f"The piece is too large to be cast whole: {size}.")
    elif not any(math.hypot(*way) <= across for way in ways):
        yield Problem(
            ProblemCode.FLASK, Severity.WARNING, f"The piece only fits our flask if its corners are free: {size}."
        )


def _refused(code: RefusalCode, sentence: str, where: tuple[Point, ...] = ()) -> Problem:
    return Problem(code, Severity.REFUSED, sentence, where)
