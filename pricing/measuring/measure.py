"""From a surface and its unit to its measures: sums, topology, bodies, layers, walls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pricing.measuring import layers, pieces, sums, topology, walls
from pricing.measuring.measures import Body, BodyKind, Measures, Options
from pricing.measuring.welding import weld

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pricing.measuring.sums import Point, Sums
    from pricing.surface import Surface
    from pricing.units import Unit

# Bodies worth a row each; what has more is a heap of loose parts.
LISTED: Final = 4096


def measure(surface: Surface, unit: Unit, options: Options | None = None) -> Measures:
    """Measure a surface whose numbers are in ``unit``.

    Raises Refusal where it is empty, not finite, or too large for floats. Layers, walls and bodies only have a meaning
    on a surface that is closed and wound one way, and are left empty on others.
    """
    options = options or Options()
    origin = sums.anchor(surface)
    total = sums.combine([sums.partial(chunk, origin) for chunk in sums.pieces(surface)], origin)
    welded = weld(surface)
    edges = topology.edges(welded)
    count, names = topology.bodies(welded)
    euler = topology.euler(welded, edges.edges)
    del welded
    sound = edges.closed and edges.consistently_wound
    mm = unit.mm
    found = (*edges.open_at, *edges.crowded_at, *edges.unpaired_at)
    return Measures(
        triangles=total.triangles,
        volume_mm3=total.volume * mm**3,
        area_mm2=total.area * mm**2,
        low_mm=_scaled(total.low, mm),
        high_mm=_scaled(total.high, mm),
        centre_mm=_scaled(total.centre, mm) if total.centre else None,
        watertight=edges.watertight,
        closed=edges.closed,
        wound=edges.consistently_wound,
        bodies=count,
        euler=euler,
        open_edges=edges.open,
        crowded_edges=edges.crowded,
        unpaired_edges=edges.unpaired,
        collapsed_triangles=edges.collapsed,
        trouble_at_mm=tuple(_scaled(point, mm) for point in dict.fromkeys(found)),
        body_list=_bodies(surface, count, names, mm) if sound and count <= LISTED else (),
        **(_layers(surface, total, mm, options) if sound else _NO_LAYERS),
        **(_walls(surface, total, mm, options) if sound else _NO_WALLS),
    )


_NO_LAYERS: Final[dict[str, Any]] = {
    "layer_step_mm": 0.0,
    "layers_mm2": (),
    "overhang_mm2": 0.0,
    "support_mm3": 0.0,
    "print_s": 0.0,
    "resin_ml": 0.0,
}
_NO_WALLS: Final[dict[str, Any]] = {
    "min_wall_mm": None,
    "min_wall_error_mm": None,
    "min_wall_at_mm": None,
    "min_gap_mm": None,
    "min_gap_at_mm": None,
    "smallest_feature_mm": None,
    "ray_step_mm": 0.0,
    "wall_samples": 0,
}


def _bodies(surface: Surface, count: int, names: NDArray[np.int32], mm: float) -> tuple[Body, ...]:
    return tuple(
        Body(
            kind=_kind(piece.volume, piece.depth),
            triangles=piece.triangles,
            volume_mm3=piece.volume * mm**3,
            area_mm2=piece.area * mm**2,
            low_mm=_scaled(piece.low, mm),
            high_mm=_scaled(piece.high, mm),
        )
        for piece in pieces.pieces_of(surface, count, names)
    )


def _kind(volume: float, depth: int | None) -> BodyKind:
    """Tell what a body is: crossing into a sound one, the count of enclosing bodies goes from 0 to 1 or back."""
    if depth is None:
        return BodyKind.UNKNOWN
    if volume < 0:
        return BodyKind.CAVITY if depth == 1 else BodyKind.INSIDE_OUT
    return BodyKind.SOLID if depth == 0 else BodyKind.COUNTED_TWICE


def _layers(surface: Surface, total: Sums, mm: float, options: Options) -> dict[str, Any]:
    """Slice the surface, and tell time and resin of a print from its layers."""
    printing = options.printing
    how = layers.slicing(total, printing.layer_mm / mm, options.most_layers, options.overhang_deg)
    outward = _outward(total)
    found = layers.combine(layers.partial(chunk, how, outward) for chunk in surface.chunks())
    areas = tuple(area * mm**2 for area in found.areas)
    step, support = how.planes.step * mm, found.support * mm**3
    printed = layers.whole((total.high[2] - total.low[2]) * mm, printing.layer_mm)
    longer = min(printed, printing.bottom_layers) * (printing.bottom_exposure_s - printing.exposure_s)
    return {
        "layer_step_mm": step,
        "layers_mm2": areas,
        "overhang_mm2": found.overhang * mm**2,
        "support_mm3": support,
        "print_s": printed * (printing.exposure_s + printing.lift_s) + longer,
        "resin_ml": (sum(areas) * step + support * printing.support_fill) / 1000,
    }


def _walls(surface: Surface, total: Sums, mm: float, options: Options) -> dict[str, Any]:
    rays = walls.lattice(total, options.rays_across)
    outward = _outward(total)
    found = walls.combine((walls.partial(chunk, rays, outward) for chunk in surface.chunks()), rays)
    wall, gap = found.wall, found.gap
    finest = [distance.length * mm for distance in (wall, gap) if distance]
    return {
        "min_wall_mm": wall.length * mm if wall else None,
        "min_wall_error_mm": wall.error * mm if wall else None,
        "min_wall_at_mm": _scaled(wall.at, mm) if wall else None,
        "min_gap_mm": gap.length * mm if gap else None,
        "min_gap_at_mm": _scaled(gap.at, mm) if gap else None,
        "smallest_feature_mm": min(finest, default=None),
        "ray_step_mm": rays.step * mm,
        "wall_samples": found.samples,
    }


def _outward(total: Sums) -> int:
    """Return -1 for a surface that encloses a negative volume: it is turned inside out."""
    return -1 if total.volume < 0 else 1


def _scaled(point: Point, factor: float) -> Point:
    return point[0] * factor, point[1] * factor, point[2] * factor
