"""What is known of a surface before it is cut into layers: sums, edges and bodies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from pricing.measuring import pieces, sums
from pricing.measuring.measures import Body, BodyKind, Options, read
from pricing.measuring.seams import Seams, seams_of
from pricing.measuring.sums import Point, Sums  # noqa: TC001 - pydantic reads the annotations
from pricing.measuring.welding import weld
from pricing.surface import CHUNK
from pricing.units import Unit  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from pricing.measuring.mesh import Mesh
    from pricing.surface import Surface

# Bodies worth a row each; what has more is a heap of loose parts.
LISTED: Final = 4096


@dataclass(frozen=True)
class Begun:
    """A surface's measures but for layers and walls. ``total`` and ``seams`` are in its own unit, bodies in mm."""

    unit: Unit
    options: Options
    total: Sums
    seams: Seams
    bodies: int
    body_list: tuple[Body, ...]

    @property
    def sound(self) -> bool:
        """Whether the surface is closed and wound one way: only then layers and walls have a meaning."""
        return self.seams.closed and self.seams.wound

    @property
    def chunks(self) -> int:
        """How many chunks the surface is cut into: slabs are ranges of them."""
        return -(-self.total.triangles // CHUNK)

    @property
    def low_mm(self) -> Point:
        """The box's lowest corner, in mm."""
        return scaled(self.total.low, self.unit.mm)

    @property
    def high_mm(self) -> Point:
        """The box's highest corner, in mm."""
        return scaled(self.total.high, self.unit.mm)

    @property
    def bbox_mm(self) -> Point:
        """Sides of the box along the model's axes, in mm."""
        (a, b, c), (x, y, z) = self.low_mm, self.high_mm
        return x - a, y - b, z - c

    @property
    def volume_mm3(self) -> float:
        """Signed volume in mm3; it means nothing where the surface is not ``sound``."""
        return self.total.volume * self.unit.mm**3

    @property
    def area_mm2(self) -> float:
        """Area in mm2."""
        return self.total.area * self.unit.mm**2

    @property
    def outward(self) -> int:
        """-1 for a surface that encloses a negative volume: it is turned inside out; else 1."""
        return -1 if self.total.volume < 0 else 1

    def to_document(self) -> dict[str, Any]:
        """Return it as what JSON holds; every number keeps its digits."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read what ``to_document`` returned, or JSON made of it."""
        return read(cls, document)


def begin(surface: Surface, unit: Unit, options: Options | None = None, welded: Mesh | None = None) -> Begun:
    """Measure all but layers and walls. ``welded``: the surface by its points, where the caller has it.

    Raises Refusal where it is empty, not finite, or too large for floats. Bodies are only listed of a surface that is
    closed and wound one way.
    """
    total = sums.summed(surface)
    mesh = welded or weld(surface)
    seams = seams_of(mesh)
    count = int(mesh.proper.pieces.max(initial=-1)) + 1
    listed = seams.closed and seams.wound and count <= LISTED
    return Begun(
        unit=unit,
        options=options or Options(),
        total=total,
        seams=seams,
        bodies=count,
        body_list=_bodies(surface, mesh, total, unit.mm) if listed else (),
    )


def scaled(point: Point, factor: float) -> Point:
    """Return a point in another unit."""
    return point[0] * factor, point[1] * factor, point[2] * factor


def _bodies(surface: Surface, mesh: Mesh, total: Sums, mm: float) -> tuple[Body, ...]:
    return tuple(
        Body(
            kind=_kind(piece.volume, piece.depth),
            triangles=piece.triangles,
            volume_mm3=piece.volume * mm**3,
            area_mm2=piece.area * mm**2,
            low_mm=scaled(piece.low, mm),
            high_mm=scaled(piece.high, mm),
        )
        for piece in pieces.pieces_of(surface, mesh, total)
    )


def _kind(volume: float, depth: int | None) -> BodyKind:
    """Tell what a body is: crossing into a sound one, the count of enclosing bodies goes from 0 to 1 or back."""
    if depth is None:
        return BodyKind.UNKNOWN
    if volume < 0:
        return BodyKind.CAVITY if depth == 1 else BodyKind.INSIDE_OUT
    return BodyKind.SOLID if depth == 0 else BodyKind.COUNTED_TWICE
