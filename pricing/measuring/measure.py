"""From a surface and its unit to its measures: begin, slabs, finish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pricing.measuring import layers, walls
from pricing.measuring.begun import begin, scaled
from pricing.measuring.measures import Measures
from pricing.measuring.slabs import lattice, slab, slicing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pricing.measuring.begun import Begun
    from pricing.measuring.measures import Options
    from pricing.measuring.mesh import Mesh
    from pricing.measuring.slabs import Slab
    from pricing.surface import Surface
    from pricing.units import Unit


def measure(surface: Surface, unit: Unit, options: Options | None = None, welded: Mesh | None = None) -> Measures:
    """Measure a surface whose numbers are in ``unit``.

    Raises Refusal where it is empty, not finite, or too large for floats. Layers, walls and bodies only have a meaning
    on a surface that is closed and wound one way, and are left empty on others.
    """
    begun = begin(surface, unit, options, welded)
    return finish(begun, [slab(surface, begun, 0, begun.chunks)] if begun.sound else [])


def finish(begun: Begun, slabs: Sequence[Slab]) -> Measures:
    """Put slabs together, in the order of their chunks: the same digits however the chunks were shared out.

    Raises ValueError where the slabs are not all of a surface that is ``begun.sound``, in order; others have none.
    """
    borders = [0, *(border for one in slabs for border in (one.first, one.last)), begun.chunks if begun.sound else 0]
    if borders[0::2] != borders[1::2]:
        raise ValueError(f"slabs of a surface of {begun.chunks} chunks do not join: borders {borders}")
    total, seams, mm = begun.total, begun.seams, begun.unit.mm
    return Measures(
        triangles=total.triangles,
        volume_mm3=begun.volume_mm3,
        area_mm2=begun.area_mm2,
        low_mm=begun.low_mm,
        high_mm=begun.high_mm,
        centre_mm=scaled(total.centre, mm) if total.centre else None,
        watertight=seams.watertight,
        closed=seams.closed,
        wound=seams.wound,
        bodies=begun.bodies,
        euler=seams.euler,
        open_edges=seams.open,
        crowded_edges=seams.crowded,
        unpaired_edges=seams.unpaired,
        collapsed_triangles=seams.collapsed,
        trouble_at_mm=tuple(scaled(point, mm) for point in seams.trouble_at),
        body_list=begun.body_list,
        **(_layers(begun, slabs) if begun.sound else _NO_LAYERS),
        **(_walls(begun, slabs) if begun.sound else _NO_WALLS),
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
    "miscounted_mm3": 0.0,
}


def _layers(begun: Begun, slabs: Sequence[Slab]) -> dict[str, Any]:
    """Add up the layers, and tell time and resin of a print from them."""
    printing, total, mm = begun.options.printing, begun.total, begun.unit.mm
    found = layers.combine(part for one in slabs for part in one.layers)
    areas = tuple(area * mm**2 for area in found.areas)
    step, support = slicing(begun).planes.step * mm, found.support * mm**3
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


def _walls(begun: Begun, slabs: Sequence[Slab]) -> dict[str, Any]:
    rays, mm = lattice(begun), begun.unit.mm
    found = walls.combine([one.hits for one in slabs], rays)
    wall, gap = found.wall, found.gap
    finest = [distance.length * mm for distance in (wall, gap) if distance]
    return {
        "min_wall_mm": wall.length * mm if wall else None,
        "min_wall_error_mm": wall.error * mm if wall else None,
        "min_wall_at_mm": scaled(wall.at, mm) if wall else None,
        "min_gap_mm": gap.length * mm if gap else None,
        "min_gap_at_mm": scaled(gap.at, mm) if gap else None,
        "smallest_feature_mm": min(finest, default=None),
        "ray_step_mm": rays.step * mm,
        "wall_samples": found.samples,
        "miscounted_mm3": found.miscounted * mm**3,
    }
