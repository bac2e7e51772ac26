"""3MF: a zip package of model parts, whose build says which objects are made and where."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.loading import markup
from pricing.loading.archive import Archive
from pricing.loading.found import Found, unreadable, unsupported
from pricing.loading.placing import Scene
from pricing.loading.threemf_part import SUPPORTS, Part, Shape, Tally

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pricing.limits import Limits
    from pricing.loading.threemf_part import Use

RELATIONS: Final = "_rels/.rels"
MODEL_TYPE: Final = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
USUAL: Final = "3d/3dmodel.model"


def read_3mf(path: Path, limits: Limits) -> Found:
    """Read what the build places, in the root part's unit. Raises a refusal for cycles, depth, sizes and damage."""
    with Archive(path, limits) as archive:
        package = _Package(archive, limits)
        root = _root(archive, limits)
        part = package.part(root)
        for use in part.build:
            package.place(use, root, np.eye(4), ())
    notes = []
    if package.supports:
        notes.append(f"Support structures for printing left out: {package.supports:,}.")
    return Found(package.scene.corners(), part.unit, notes)


class _Package:
    """The parts read so far and the scene that they are placed in."""

    def __init__(self, archive: Archive, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._parts: dict[str, Part] = {}
        self.scene = Scene(limits)
        self.supports = 0
        self._meshes: dict[tuple[str, str], NDArray[np.float64]] = {}
        self._tally = Tally()

    def part(self, name: str) -> Part:
        """Return a part, read at its first use."""
        key = name.lstrip("/").lower()
        if key not in self._parts:
            part = Part(self._limits, self._tally)
            with closing(self._archive.pieces(name)) as pieces:
                markup.parse(pieces, part.start, part.end, self._limits.depth, part.space)
            self._parts[key] = part
        return self._parts[key]

    def place(self, use: Use, here: str, outer: NDArray[np.float64], above: tuple[tuple[str, str], ...]) -> None:
        """Place an object and its components. ``above``: the objects that it is placed within."""
        self.scene.visit(len(above))
        name = (use.path or here).lstrip("/").lower()
        key = (name, use.object_id)
        if key in above:
            raise unreadable(f"Object {use.object_id[:20]} of the 3MF model is made of itself")
        part = self.part(name)
        shape = part.shapes.get(use.object_id)
        if shape is None:
            raise unreadable(f"The 3MF model uses an object that it does not hold: {use.object_id[:20]}")
        if shape.kind in SUPPORTS:
            self.supports += 1
            return
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = outer @ self._to_unit_of(here, part, use)
        self.scene.place(self._mesh(key, shape), matrix)
        for component in shape.components:
            self.place(component, name, matrix, (*above, key))

    def _mesh(self, key: tuple[str, str], shape: Shape) -> NDArray[np.float64]:
        if key not in self._meshes:
            self._meshes[key] = shape.corners()
            # Held as arrays from now on.
            del shape.numbers[:], shape.indices[:]
        return self._meshes[key]

    def _to_unit_of(self, here: str, part: Part, use: Use) -> NDArray[np.float64]:
        """Return the use's matrix; a part may be in another unit than the part that uses it."""
        factor = part.unit.mm / self.part(here).unit.mm
        return use.transform @ np.diag([factor, factor, factor, 1.0])


def _root(archive: Archive, limits: Limits) -> str:
    """Return the name of the part that the package's relations call its model."""
    found: list[str] = []

    def start(_: str, attributes: dict[str, str]) -> None:
        if attributes.get("Type") == MODEL_TYPE and "Target" in attributes:
            found.append(attributes["Target"])

    if RELATIONS in archive.names:
        with closing(archive.pieces(RELATIONS)) as pieces:
            markup.parse(pieces, start, lambda _: None, limits.depth, lambda *_: None)
    if found:
        return found[0]
    if USUAL in archive.names:
        return USUAL
    raise unsupported("This is a zip archive without a 3MF model: unpack it and send the model that is in it")
