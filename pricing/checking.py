"""Can it be cast? Every reason against it, in a sentence that a customer understands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final, Self

from pricing.measuring import BodyKind
from pricing.refusals import Refusal, RefusalCode
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pricing.materials import Alloy, Casting, Materials, Plausible
    from pricing.measuring import Body
    from pricing.quoting import Measured
    from pricing.refusals import Point

# What people draw in; the rest occur in files that name their unit.
DRAWN_IN: Final = (Unit.MILLIMETRE, Unit.CENTIMETRE, Unit.METRE, Unit.INCH)
# As many places of one problem as a picture shows.
SHOWN: Final = 16
# A body of no more than this share of the largest one is a speck that tangled faces leave, as mending has it too: of
# the 8 digits that prices are made from, it changes none.
SPECK: Final = 1e-9


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
    PORE = "pore"
    LOOSE = "separate_bodies"
    FLASK = "too_large_for_flask"


@dataclass(frozen=True)
class Problem:
    """One problem of a model; ``where``: points on it in mm, in the model's own axes; none where it is everywhere."""

    code: ProblemCode | RefusalCode
    severity: Severity
    sentence: str
    where: tuple[Point, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Return the problem as an object of JSON."""
        return {
            "code": self.code.value,
            "severity": self.severity.value,
            "sentence": self.sentence,
            "where": [list(point) for point in self.where],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Return the problem of which this is the document."""
        code, where = document["code"], document["where"]
        known = ProblemCode(code) if code in set(ProblemCode) else RefusalCode(code)
        return cls(known, Severity(document["severity"]), document["sentence"], tuple((x, y, z) for x, y, z in where))


def check(measures: Measured, alloy: Alloy, materials: Materials, unit: Unit | None = None) -> list[Problem]:
    """Return what speaks against casting a model in an alloy; where no price can be given, nothing but why.

    ``unit``: what the model was read in, None for mm because nobody named one: for the question about its size.
    """
    refused = [*_unsound(measures)]
    if not refused:
        refused = [*_implausible(measures.low_mm, measures.high_mm, measures.volume_mm3, unit, materials.plausible)]
    if refused:
        return refused
    return [
        *_walls(measures, alloy),
        *_gaps(measures, materials.casting),
        *_cavities(measures, materials.casting),
        *_loose(measures),
        *_flask(measures, alloy, materials.casting),
    ]


def implausible(
    low_mm: Point, high_mm: Point, volume_mm3: float | None, unit: Unit | None, plausible: Plausible
) -> None:
    """Raise Refusal(SIZE), which asks for the unit, where no piece of jewellery has such a box or volume.

    ``check`` asks the same; this is for those who know the sums and want to spare the rest. ``low_mm`` and ``high_mm``:
    the box's corners; ``volume_mm3``: None where it is not known yet; ``unit``: what the model was read in, None for mm
    because nobody named one.
    """
    refuse([*_implausible(low_mm, high_mm, volume_mm3, unit, plausible)], unit)


def castable(problems: Sequence[Problem]) -> bool:
    """Whether nothing but warnings was found."""
    return all(problem.severity is Severity.WARNING for problem in problems)


def refuse(problems: Sequence[Problem], unit: Unit | None = None) -> None:
    """Raise the first problem that forbids a price as a Refusal, its places in the model's unit."""
    mm = (unit or Unit.MILLIMETRE).mm
    for problem in problems:
        if isinstance(problem.code, RefusalCode):
            where = tuple((x / mm, y / mm, z / mm) for x, y, z in problem.where)
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
    elif not measures.closed:
        sentence = (
            "Along some edges more than two faces meet, so the surface is no single skin; unite the bodies there."
        )
        yield _refused(RefusalCode.OPEN, sentence, measures.trouble_at_mm)
    elif measures.bodies > len(measures.body_list):
        sentence = f"The model has {measures.bodies:,} separate bodies, too many to compare; upload it in parts."
        yield _refused(RefusalCode.TOO_LARGE, sentence)
    elif measures.volume_mm3 < 0 or _of_kind(measures, BodyKind.INSIDE_OUT):
        sentence = "The surface, or a part of it, is inside out; flip its normals and try again."
        yield _refused(RefusalCode.WINDING, sentence, _middles(_of_kind(measures, BodyKind.INSIDE_OUT)))
    elif twice := _of_kind(measures, BodyKind.COUNTED_TWICE):
        sentence = (
            "A body lies inside of another one, so its metal would be counted twice; unite them, or turn its surface "
            "inwards if it is a hollow, and try again."
        )
        yield _refused(RefusalCode.OVERLAPPING, sentence, _middles(twice))
    elif measures.volume_mm3 == 0 or measures.area_mm2 <= 0:
        yield _refused(RefusalCode.EMPTY, "The surface encloses nothing; give it a thickness and try again.")


def _implausible(
    low: Point, high: Point, volume: float | None, unit: Unit | None, plausible: Plausible
) -> Iterator[Problem]:
    side = max(top - bottom for bottom, top in zip(low, high, strict=True))
    wrong = _size_in_words(side, volume, plausible)
    if wrong is None:
        return
    read = f"Read in {unit}" if unit else "Neither you nor the file names a unit; read in mm"
    # The model's own numbers, read in another unit.
    mm = (unit or Unit.MILLIMETRE).mm
    scales = {other: other.mm / mm for other in DRAWN_IN if other.mm != mm}
    fits = [
        f"`{other}` ({side * scale:.3g} mm)"
        for other, scale in scales.items()
        if _size_in_words(side * scale, None if volume is None else volume * scale**3, plausible) is None
    ]
    ask = f"is its unit {' or '.join(fits)}?" if fits else "no usual unit makes it one, so check its scale."
    sentence = f"{read}, {wrong}: {ask} It is not priced before its size is certain."
    yield _refused(RefusalCode.SIZE, sentence, _ends(low, high))


def _size_in_words(side: float, volume: float | None, plausible: Plausible) -> str | None:
    """Return what is odd about a size in mm and mm3, or None; by 8 digits, so that noise of sums decides nothing."""
    side = float(f"{side:.7e}")
    least, most = float(plausible.side_min_mm.value), float(plausible.side_max_mm.value)
    if not least <= side <= most:
        return f"the longest side is {side:.4g} mm, and jewellery has {least:g} to {most:g} mm"
    if volume is None:
        return None
    volume = abs(float(f"{volume:.7e}"))
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


def _cavities(measures: Measured, casting: Casting) -> Iterator[Problem]:
    """Tell of sealed hollows; where there were too many bodies to compare, one that takes metal away is one.

    Hollows smaller than the casting minds are pores: bodies that are united leave them where they do not quite meet.
    """
    unknown = [body for body in _of_kind(measures, BodyKind.UNKNOWN) if body.volume_mm3 < 0]
    least = float(casting.min_hollow_mm3.value)
    sealed: list[Body] = []
    pores: list[Body] = []
    for body in (*_of_kind(measures, BodyKind.CAVITY), *unknown):
        (pores if abs(body.volume_mm3) < least else sealed).append(body)
    if sealed:
        sentence = f"{_hollows(sealed)} without a way out: resin stays in, and plaster cannot get in; open a way."
        yield Problem(ProblemCode.CAVITY, Severity.UNCASTABLE, sentence, _middles(sealed))
    if pores:
        sentence = (
            f"{_hollows(pores)} of less than {least:g} mm³, as between bodies that do not quite meet: close them."
        )
        yield Problem(ProblemCode.PORE, Severity.WARNING, sentence, _middles(pores))


def _hollows(bodies: Sequence[Body]) -> str:
    return "There is a hollow inside" if len(bodies) == 1 else f"There are {len(bodies):,} hollows inside"


def _loose(measures: Measured) -> Iterator[Problem]:
    """Tell of bodies beside the largest: a chain has them, and so has a ring whose stones were left in the model."""
    solid = [body for body in _bodies(measures) if body.volume_mm3 > 0]
    if len(solid) > 1:
        sentence = (
            f"The model has {len(solid):,} bodies that do not hang together; they are all priced as metal, and each is "
            "cast loose. Take out what is no metal, such as stones, and join what belongs together."
        )
        loose = sorted(solid, key=lambda body: -body.volume_mm3)[1:]
        yield Problem(ProblemCode.LOOSE, Severity.WARNING, sentence, _middles(loose))


def _flask(measures: Measured, alloy: Alloy, casting: Casting) -> Iterator[Problem]:
    """Compare the pattern's box with the flask, a cylinder: sure to fit by its diagonal, sure not to by its sides."""
    grown = [side * (1 + float(alloy.shrinkage.value)) for side in measures.bbox_mm]
    across, high = float(casting.flask_diameter_mm.value), float(casting.flask_height_mm.value)
    ways = [(a, b) for a, b, upright in permutations(grown) if upright <= high]
    sides = " x ".join(f"{side:.1f}" for side in grown)
    size = f"{sides} mm as a pattern; our flask is {across:g} mm wide, {high:g} mm high"
    where = _ends(measures.low_mm, measures.high_mm)
    if not any(max(way) <= across for way in ways):
        sentence = f"The piece is too large to be cast whole: {size}."
        yield Problem(ProblemCode.FLASK, Severity.UNCASTABLE, sentence, where)
    elif not any(math.hypot(*way) <= across for way in ways):
        sentence = f"The piece only fits our flask if its corners are free: {size}."
        yield Problem(ProblemCode.FLASK, Severity.WARNING, sentence, where)


def _of_kind(measures: Measured, kind: BodyKind) -> list[Body]:
    return [body for body in _bodies(measures) if body.kind is kind]


def _bodies(measures: Measured) -> list[Body]:
    """Return all bodies but specks."""
    least = SPECK * max((abs(body.volume_mm3) for body in measures.body_list), default=0.0)
    return [body for body in measures.body_list if abs(body.volume_mm3) > least]


def _middles(bodies: Sequence[Body]) -> tuple[Point, ...]:
    """Return the middle of each body's box."""
    return tuple(_middle(body.low_mm, body.high_mm) for body in bodies[:SHOWN])


def _ends(low: Point, high: Point) -> tuple[Point, ...]:
    """Return the ends of a box's longest side, through the middle of the box."""
    sides = [top - bottom for bottom, top in zip(low, high, strict=True)]
    axis = sides.index(max(sides))
    ends = []
    for corner in (low, high):
        point = [*_middle(low, high)]
        point[axis] = corner[axis]
        ends.append((point[0], point[1], point[2]))
    return tuple(ends)


def _middle(low: Point, high: Point) -> Point:
    (a, b, c), (x, y, z) = low, high
    return (a + x) / 2, (b + y) / 2, (c + z) / 2


def _refused(code: RefusalCode, sentence: str, where: tuple[Point, ...] = ()) -> Problem:
    return Problem(code, Severity.REFUSED, sentence, where)
