"""One model part of a 3MF package, streamed: objects (a mesh or components), build items, the unit.

Source: 3MF Core Specification 1.3, chapters 3 to 5, and the Production Extension 1.1 (objects in other parts).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.loading.found import hold, too_large, unreadable, unsupported
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pricing.limits import Limits

CORE: Final = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
PRODUCTION: Final = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
MATERIAL: Final = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
UNITS: Final = {
    "micron": Unit.MICROMETRE,
    "millimeter": Unit.MILLIMETRE,
    "centimeter": Unit.CENTIMETRE,
    "meter": Unit.METRE,
    "inch": Unit.INCH,
    "foot": Unit.FOOT,
}
# A printer's scaffolding is no part of the piece.
SUPPORTS: Final = {"support", "solidsupport"}


@dataclass(frozen=True)
class Use:
    """An object used in another or in the build: ``path`` of the part that holds it (empty: this one), id, matrix."""

    path: str
    object_id: str
    transform: NDArray[np.float64]


@dataclass
class Shape:
    """An object: numbers of its vertices and triangles, or its components."""

    kind: str = "model"
    numbers: array[float] = field(default_factory=lambda: array("d"))
    indices: array[int] = field(default_factory=lambda: array("q"))
    components: list[Use] = field(default_factory=list)

    def corners(self) -> NDArray[np.float64]:
        """Return the triangles, shape (n, 3, 3). Raises a refusal where one names no vertex."""
        vertices = np.array(self.numbers, np.float64).reshape(-1, 3)
        triangles = np.array(self.indices, np.int64).reshape(-1, 3)
        if len(triangles) and not (triangles.min() >= 0 and triangles.max() < len(vertices)):
            raise unreadable(f"A triangle of the 3MF model names a vertex that is not among its {len(vertices):,}")
        return vertices[triangles]


@dataclass
class Tally:
    """What all parts of a package hold together."""

    vertices: int = 0
    triangles: int = 0


@dataclass
class Part:
    """A model part, filled by the XML parser."""

    limits: Limits
    tally: Tally
    unit: Unit = Unit.MILLIMETRE
    shapes: dict[str, Shape] = field(default_factory=dict)
    build: list[Use] = field(default_factory=list)
    spaces: dict[str, str] = field(default_factory=dict)
    _open: Shape | None = None

    def space(self, prefix: str, uri: str) -> None:
        """Take a namespace's prefix."""
        self.spaces[prefix] = uri

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element; those of other namespaces say nothing of shape."""
        handler = _ELEMENTS.get(name)
        if handler is None:
            return
        try:
            handler(self, attributes)
        except (KeyError, ValueError, OverflowError):
            words = " ".join(f'{key}="{value}"' for key, value in attributes.items())
            what = f"The 3MF model has an element that cannot be read: `{name.rpartition('|')[2]} {words[:60]}`"
            raise unreadable(what) from None

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if name == f"{CORE}|object":
            self._open = None

    def _model(self, attributes: dict[str, str]) -> None:
        self.unit = UNITS[attributes.get("unit", "millimeter")]
        for prefix in attributes.get("requiredextensions", "").split():
            uri = self.spaces.get(prefix, prefix)
            if uri not in {CORE, PRODUCTION, MATERIAL}:
                raise unsupported(
                    f"The 3MF model needs an extension that we cannot read (`{uri[-60:]}`): export a mesh"
                )

    def _object(self, attributes: dict[str, str]) -> None:
        self._open = self.shapes[attributes["id"]] = Shape(attributes.get("type", "model"))
        if len(self.shapes) > self.limits.instances:
            raise too_large(f"The model is made of more than {self.limits.instances:,} parts")

    def _vertex(self, attributes: dict[str, str]) -> None:
        self.tally.vertices += 1
        if self.tally.vertices > self.limits.vertices:
            raise too_large(f"The model has more than {self.limits.vertices:,} vertices")
        x, y, z = float(attributes["x"]), float(attributes["y"]), float(attributes["z"])
        self._inside().numbers.extend((x, y, z))

    def _triangle(self, attributes: dict[str, str]) -> None:
        self.tally.triangles += 1
        hold(self.tally.triangles, self.limits.held_triangles)
        a, b, c = int(attributes["v1"]), int(attributes["v2"]), int(attributes["v3"])
        self._inside().indices.extend((a, b, c))

    def _component(self, attributes: dict[str, str]) -> None:
        components = self._inside().components
        components.append(_use(attributes))
        self._few(components)

    def _item(self, attributes: dict[str, str]) -> None:
        self.build.append(_use(attributes))
        self._few(self.build)

    def _few(self, uses: list[Use]) -> None:
        if len(uses) > self.limits.instances:
            raise too_large(f"The model is made of more than {self.limits.instances:,} parts")

    def _inside(self) -> Shape:
        if self._open is None:
            raise unreadable("The 3MF model has geometry outside of any object")
        return self._open


def _use(attributes: dict[str, str]) -> Use:
    path = attributes.get(f"{PRODUCTION}|path", "")
    return Use(path, attributes["objectid"], _matrix(attributes.get("transform")))


def _matrix(text: str | None) -> NDArray[np.float64]:
    """Return the matrix of columns, shape (4, 4), of twelve numbers that 3MF writes row by row for row vectors."""
    matrix = np.eye(4)
    if text is not None:
        matrix[:3, :] = np.array([float(word) for word in text.split()]).reshape(4, 3).T
    return matrix


_ELEMENTS: Final[dict[str, Callable[[Part, dict[str, str]], None]]] = {
    f"{CORE}|model": Part._model,  # noqa: SLF001 - the table of this class's own handlers
    f"{CORE}|object": Part._object,  # noqa: SLF001
    f"{CORE}|vertex": Part._vertex,  # noqa: SLF001
    f"{CORE}|triangle": Part._triangle,  # noqa: SLF001
    f"{CORE}|component": Part._component,  # noqa: SLF001
    f"{CORE}|item": Part._item,  # noqa: SLF001
}
