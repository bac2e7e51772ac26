"""The one way in: a file becomes a model or a refusal, never anything else."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from pricing.limits import DEFAULT
from pricing.loading.detecting import HEAD, Kind, detect
from pricing.loading.found import Found, unreadable
from pricing.loading.gltf import read_glb, read_gltf
from pricing.loading.inspecting import inspect
from pricing.loading.obj import read_obj
from pricing.loading.ply import read_ply
from pricing.loading.stl_records import read_binary
from pricing.loading.stl_text import read_text
from pricing.loading.threemf import read_3mf
from pricing.refusals import Refusal, RefusalCode
from pricing.surface import Format, Model, Surface

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pricing.limits import Limits
    from pricing.units import Unit

READERS: Final[dict[Kind, tuple[Format, Callable[[Path, Limits], Found]]]] = {
    Kind.STL_BINARY: (Format.STL, read_binary),
    Kind.STL_TEXT: (Format.STL, read_text),
    Kind.OBJ: (Format.OBJ, read_obj),
    Kind.THREE_MF: (Format.THREE_MF, read_3mf),
    Kind.PLY: (Format.PLY, read_ply),
    Kind.GLB: (Format.GLB, read_glb),
    Kind.GLTF: (Format.GLTF, read_gltf),
}


def load(path: Path, limits: Limits = DEFAULT, unit: Unit | None = None) -> Model:
    """Load a model, its format told by its content. ``unit``: what the customer says; it outweighs what the file says.

    Raises ``Refusal``, and nothing else, for every file that there can be; ``MemoryError`` where whoever runs this
    allows less memory than ``limits`` do. The surface may be mapped from the file:
    the file must stay as it is while the model is used.
    """
    try:
        found, form = _read(path, limits)
    except OSError as error:
        raise unreadable(f"The file `{path.name}` cannot be read ({error.strerror})") from None
    surface = Surface(found.corners)
    notes = found.notes + inspect(surface)
    if unit is not None and found.unit not in {None, unit}:
        notes.append(f"The file says its unit is {found.unit}; it was taken as {unit}, as asked.")
    return Model(path.name, form, surface, unit or found.unit, tuple(notes))


def _read(path: Path, limits: Limits) -> tuple[Found, Format]:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise unreadable(f"`{path.name}` is no file")
    if state.st_size > limits.file_bytes:
        detail = f"The file has {state.st_size:,} bytes, and we take up to {limits.file_bytes:,}; simplify the model."
        raise Refusal(RefusalCode.TOO_LARGE, detail)
    if not state.st_size:
        raise Refusal(RefusalCode.EMPTY, "The file is empty; export the model again.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    form, reader = READERS[detect(head, state.st_size)]
    return reader(path, limits), form
