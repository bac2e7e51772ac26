"""The measures of a model, in mm, each with its method, source and tolerance."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, Self, TypeVar

from pydantic import TypeAdapter

from pricing.measuring.sums import Point  # noqa: TC001 - pydantic reads the annotations

T = TypeVar("T")


def read(kind: type[T], document: dict[str, Any]) -> T:
    """Read a dataclass of ours from its document. Raises ValueError for anything else."""
    if kind not in _readers:
        _readers[kind] = TypeAdapter(kind)
    found: T = _readers[kind].validate_python(document)
    return found


# Making one takes longer than reading with it.
_readers: dict[type[Any], TypeAdapter[Any]] = {}


@dataclass(frozen=True)
class Printing:
    """How patterns are printed, in mm and seconds: a house sets its own; these are an example of a resin printer.

    A layer takes its exposure and the lift; the first ``bottom_layers`` are exposed longer. Supports fill
    ``support_fill`` of the volume under overhanging faces.
    """

    layer_mm: float = 0.05
    exposure_s: float = 2.5
    lift_s: float = 6.0
    bottom_layers: int = 6
    bottom_exposure_s: float = 30.0
    support_fill: float = 0.05


@dataclass(frozen=True)
class Options:
    """How finely to measure: at most so many cross-sections, and rays across the longest side.

    Fewer of both where the triangles make more than ten million cuts or two million hits of them.
    """

    printing: Printing = field(default_factory=Printing)
    overhang_deg: float = 45.0
    most_layers: int = 4096
    rays_across: int = 192


class BodyKind(StrEnum):
    """What a body is, by the sign of its volume and how often the other bodies enclose it."""

    SOLID = "solid"
    CAVITY = "cavity"
    INSIDE_OUT = "inside_out"
    COUNTED_TWICE = "counted_twice"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Body:
    """One piece of the surface. ``volume_mm3`` is signed; ``cavity``: turned inwards, inside exactly one solid."""

    kind: BodyKind
    triangles: int
    volume_mm3: float
    area_mm2: float
    low_mm: Point
    high_mm: Point


@dataclass(frozen=True)
class Measures:
    """What a model measures. What means nothing on a surface that is not ``sound`` is then empty, None or 0."""

    triangles: int
    """Count; exact."""

    volume_mm3: float
    """mm3, signed: negative where inside out. Divergence theorem (Zhang and Chen 2001), from near the model; relative
    error under 1e-12 of what the surface says. Overlapping bodies count twice, cavities are taken off. Of an open or
    mixed surface it means nothing."""

    area_mm2: float
    """mm2. Half the length of each triangle's cross product, summed; relative error under 1e-12."""

    low_mm: Point
    """mm, the box's lowest corner in the model's axes; exact but for the unit's factor."""

    high_mm: Point
    """mm, the box's highest corner; as ``low_mm``."""

    centre_mm: Point | None
    """mm, centre of mass at even density. Divergence theorem; 1e-12 of the box. None where volume is 0."""

    watertight: bool
    """Every edge has exactly two triangles, corners merged where coordinates are equal as numbers; exact. A collapsed
    triangle counts against it, as it does in trimesh's ``is_watertight``."""

    closed: bool
    """No edge is open, and one of more than two triangles is run through as often one way as the other, as where solids
    touch along an edge; collapsed triangles left out, which enclose nothing and tear nothing; exact."""

    wound: bool
    """Every edge is run through as often one way as the other; exact. Needed, with ``closed``, for a volume."""

    bodies: int
    """Count of pieces that hang together by vertices; exact."""

    euler: int
    """Vertices - edges + triangles: 2 for each sphere-like body, less 2 for each handle; exact."""

    open_edges: int
    """Count of edges with one triangle; exact."""

    crowded_edges: int
    """Count of edges with more than two triangles, as where solids touch along an edge; exact."""

    unpaired_edges: int
    """Count of edges not run through alike both ways, open ones among them; exact."""

    collapsed_triangles: int
    """Count of triangles with two corners in one place, left out of the topology; exact."""

    trouble_at_mm: tuple[Point, ...]
    """mm, midpoints of some open, crowded and unpaired edges (at most 16 of each), to be marked on a picture."""

    body_list: tuple[Body, ...]
    """Each body in the order of the file. Depth by winding number (van Oosterom and Strackee 1983) at one corner.
    Empty where the surface is not ``sound``, or has more than 4,096 bodies; a kind is ``unknown`` where
    more than 64 bodies lie in others' boxes."""

    layer_step_mm: float
    """mm between the planes of ``layers_mm2``: the layer of the printer, or a little less so that whole layers fill the
    height; more where that were more than ``most_layers`` or ten million cuts. 0 without layers."""

    layers_mm2: tuple[float, ...]
    """mm2, cross-section in the middle of each layer upwards. Green's theorem; relative error under 1e-9 of the
    section, exact for the surface as it is. Empty where the surface is not ``sound``."""

    overhang_mm2: float
    """mm2 of faces whose normal is nearer to straight down than ``overhang_deg``, as the file has it placed;
    those on the plate are not counted. Sum of areas, 1e-12. 0 as ``layers_mm2`` is empty."""

    support_mm3: float
    """mm3 between overhanging faces and the plate: area times height. An upper bound: what of the model itself stands
    between is not taken off."""

    print_s: float
    """Seconds to print one: layers times exposure and lift. Nothing is added for setting up. 0 as ``layers_mm2`` is
    empty."""

    resin_ml: float
    """ml of resin: layers times their step, and ``support_fill`` of ``support_mm3``; the midpoint rule's error is of
    second order in the step. 0 as ``layers_mm2`` is empty."""

    min_wall_mm: float | None
    """mm, thinnest place between sides opposite within 20 degrees, along rays ``ray_step_mm`` apart on the three axes.
    A spot smaller than that in all three views may be missed. None where none was found or the surface is not sound."""

    min_wall_error_mm: float | None
    """mm by which ``min_wall_mm`` may be off: its spread where the sides are not parallel, and how much thinner it may
    get up to half a diagonal of the rays away as its sides run there."""

    min_wall_at_mm: Point | None
    """mm, the middle of that wall."""

    min_gap_mm: float | None
    """mm, narrowest place between sides that face each other across air: engravings, slits; as ``min_wall_mm``."""

    min_gap_at_mm: Point | None
    """mm, the middle of that gap."""

    smallest_feature_mm: float | None
    """mm, the smaller of wall and gap: nothing finer was met by a ray. With the same error."""

    ray_step_mm: float
    """mm between the rays of ``min_wall_mm``; 0 where none were sent."""

    wall_samples: int
    """Count of walls that rays went through."""

    miscounted_mm3: float
    """mm3 that the surface, where it cuts through itself, encloses more than once or less than not at all: the winding
    number along the rays of ``min_wall_mm``, in the mean of the three axes. Off by some per cent of itself where it
    spans ten rays, by all of it where it is thinner than one. 0 on a surface that is not ``sound``."""

    @property
    def sound(self) -> bool:
        """Whether the surface is closed and wound one way: without that no price."""
        return self.closed and self.wound

    @property
    def bbox_mm(self) -> Point:
        """Sides of the box along the model's axes, in mm."""
        (a, b, c), (x, y, z) = self.low_mm, self.high_mm
        return x - a, y - b, z - c

    @property
    def cavities(self) -> int:
        """How many hollows are sealed inside of bodies."""
        return self.of_kind(BodyKind.CAVITY)

    def of_kind(self, kind: BodyKind) -> int:
        """Return how many bodies are of a kind."""
        return sum(body.kind is kind for body in self.body_list)

    def to_document(self) -> dict[str, Any]:
        """Return them as what JSON holds; every number keeps its digits."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read what ``to_document`` returned, or JSON made of it. Raises ValueError for anything else."""
        return read(cls, document)

    def rounded(self, digits: int = 8) -> Self:
        """Return the measures rounded to significant digits: what prices are made from, the same on any machine."""
        return replace(self, **{each.name: _rounded(getattr(self, each.name), digits) for each in fields(self)})


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{digits - 1}e}")
    if isinstance(value, tuple):
        return tuple(_rounded(item, digits) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _rounded(getattr(value, each.name), digits) for each in fields(value)})
    return value
