"""The whole way of one model: from its file to the measures that it is priced by, and the steps of that way."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from pricing.checking import implausible
from pricing.limits import DEFAULT
from pricing.loading import load
from pricing.measuring import Begun, Measures, begin, finish, slab, weld
from pricing.measuring.measures import read
from pricing.refusals import Refusal, RefusalCode
from pricing.repairing import MendingLimits, repair, unsure
from pricing.surface import Format, Surface
from pricing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pricing.limits import Limits
    from pricing.materials import Plausible
    from pricing.measuring import Options, Slab

    Announce = Callable[[str, dict[str, object]], AbstractContextManager[object]]
    Seen = Callable[[Surface, Unit], None]
    Progress = Callable[[float], None]

# The version of the method, a part of every key under which measures are kept. Another one whenever the same file may
# measure otherwise: readers, mending, kernels, bounds of the work, or the default of an option.
MEASURING: Final = "3"
SURFACE: Final = "surface.f8"
PREPARED: Final = "prepared.json"


@dataclass(frozen=True)
class Measured:
    """A model that may be quoted.

    ``unit``: what it was read in, None for mm because neither its file nor the customer named one. ``file_triangles``:
    as they came; ``measures``: of the mended surface, rounded to 8 digits; ``notes``: what was odd or mended, one
    sentence each; ``uncertainty``: mm3 by which the volume may be off for what was mended.
    """

    name: str
    format: Format
    unit: Unit | None
    file_triangles: int
    measures: Measures
    notes: tuple[str, ...]
    uncertainty: float

    def to_document(self) -> dict[str, Any]:
        """Return it as what JSON holds; every number keeps its digits."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read what ``to_document`` returned, or JSON made of it. Raises ValueError for anything else."""
        return read(cls, document)


@dataclass(frozen=True)
class Prepared:
    """A model that was loaded and mended, and of which all is known but layers and walls.

    ``surface``: as mended, in its own unit; ``notes`` and ``file_triangles`` as of ``Measured``; ``stake``: by how much
    the volume may be off for what was mended, in the cube of its unit.
    """

    name: str
    format: Format
    unit: Unit | None
    file_triangles: int
    notes: tuple[str, ...]
    stake: float
    begun: Begun
    surface: Surface

    def save(self, folder: Path) -> None:
        """Write it to ``folder``: the triangles as raw numbers to be mapped, 72 bytes each, and a JSON document."""
        with (folder / SURFACE).open("wb") as file:
            for chunk in self.surface.chunks():
                file.write(chunk.astype("<f8", copy=False).tobytes())
        document = {name: getattr(self, name) for name in _KEPT} | {"begun": self.begun.to_document()}
        (folder / PREPARED).write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; the triangles are mapped and stay on disk. Raises ValueError for anything else."""
        document = json.loads((folder / PREPARED).read_text(encoding="utf-8"))
        begun = Begun.from_document(document.pop("begun"))
        mapped = np.memmap(folder / SURFACE, "<f8", mode="r")
        if len(mapped) != 9 * begun.total.triangles:
            raise ValueError(f"{SURFACE} has not the {begun.total.triangles} triangles that {PREPARED} tells of")
        document |= {"format": Format(document["format"]), "notes": tuple(document["notes"])}
        document["unit"] = document["unit"] and Unit(document["unit"])
        return cls(**document, begun=begun, surface=Surface(mapped.reshape(-1, 3, 3)))


_KEPT: Final = ("name", "format", "unit", "file_triangles", "notes", "stake")


def silent(step: str, facts: dict[str, object]) -> AbstractContextManager[object]:
    """Announce a step to nobody."""
    del step, facts
    return nullcontext()


def unseen(surface: Surface, unit: Unit) -> None:
    """Show a surface to nobody."""
    del surface, unit


def unheard(share: float) -> None:
    """Tell the progress to nobody."""
    del share


def measured(  # noqa: PLR0913 - what is taken from the materials and who watches, each by its name
    path: Path,
    limits: Limits = DEFAULT,
    unit: Unit | None = None,
    *,
    options: Options | None = None,
    plausible: Plausible | None = None,
    announce: Announce = silent,
    seen: Seen = unseen,
    progress: Progress = unheard,
) -> Measured:
    """Measure the model in a file. Raises Refusal, its places in the model's unit, where it can have no price.

    ``unit``: what the customer says; it outweighs what the file says. ``options``, ``plausible``: from the materials;
    a size that is not plausible is refused before the work is done, and without ``plausible`` not at all. Each step is
    announced, as `with announce(step, facts)`: "load", "mend" and "measure", and the facts are filled while it lasts.
    ``seen`` is shown the surface as loaded, and as mended where that is another; ``progress`` the share that is done
    of the last step, which takes the longest.
    """
    model = prepared(path, limits, unit, options=options, plausible=plausible, announce=announce, seen=seen)
    facts: dict[str, object] = {}
    with announce("measure", facts):
        slabs = []
        for chunk in range(model.begun.chunks):
            slabs.append(slab(model.surface, model.begun, chunk, chunk + 1))
            progress((chunk + 1) / model.begun.chunks)
        return _finished(model, slabs, facts)


def prepared(
    path: Path,
    limits: Limits = DEFAULT,
    unit: Unit | None = None,
    *,
    options: Options | None = None,
    plausible: Plausible | None = None,
    announce: Announce = silent,
    seen: Seen = unseen,
) -> Prepared:
    """Load and mend the model in a file, for its slabs to be measured by whoever has time; else as ``measured``."""
    facts: dict[str, object] = {"file": path.name}
    with announce("load", facts):
        model = load(path, limits, unit)
        facts |= {"format": model.format.value, "file_bytes": path.stat().st_size, "triangles": model.surface.count}
        facts |= {"unit": model.unit and model.unit.value, "notes": len(model.notes), "sentences": model.notes}
    read_in = model.unit or Unit.MILLIMETRE
    seen(model.surface, read_in)
    facts = {}
    with announce("mend", facts):
        mesh = weld(model.surface)
        begun = begin(model.surface, read_in, options, mesh)
        facts |= _facts(begun)
        _permit(begun, model.unit, plausible)
        mended = repair(model.surface, read_in, welded=mesh, total=begun.total)
        del mesh
        if mended.changed:
            begun = begin(mended.surface, read_in, options)
            seen(mended.surface, read_in)
        notes = (*model.notes, *mended.notes)
        facts |= _facts(begun) | {"mended": mended.changed, "notes": len(mended.notes), "sentences": notes}
        _permit(begun, model.unit, plausible, mended=True)
        if not begun.sound:  # what mending lets pass is closed; this is for the day on which it does not
            raise Refusal(RefusalCode.OPEN, "The surface stays open whatever is mended: close it in your program.")
    return Prepared(
        name=model.name,
        format=model.format,
        unit=model.unit,
        file_triangles=model.surface.count,
        notes=notes,
        stake=mended.volume_uncertainty,
        begun=begun,
        surface=mended.surface,
    )


def reduced(model: Prepared, slabs: Sequence[Slab], *, announce: Announce = silent) -> Measured:
    """Put the slabs of a prepared model together, in the order of their chunks: what ``measured`` returns of its file.

    Raises Refusal where the rays have met too much of the volume more than once.
    """
    facts: dict[str, object] = {}
    with announce("measure", facts):
        return _finished(model, slabs, facts)


def _finished(model: Prepared, slabs: Sequence[Slab], facts: dict[str, object]) -> Measured:
    measures = finish(model.begun, slabs).rounded()
    unit = model.begun.unit
    cube = unit.mm**3
    volume, miscounted = measures.volume_mm3 / cube, measures.miscounted_mm3 / cube
    off, more = unsure(model.stake, miscounted, volume, unit, MendingLimits())
    facts |= {"layers": len(measures.layers_mm2), "wall_samples": measures.wall_samples, "notes": len(more)}
    facts |= {"min_wall_mm": measures.min_wall_mm, "print_s": measures.print_s}
    return Measured(
        name=model.name,
        format=model.format,
        unit=model.unit,
        file_triangles=model.file_triangles,
        measures=measures,
        notes=(*model.notes, *more),
        uncertainty=off * cube,
    )


def _facts(begun: Begun) -> dict[str, object]:
    """Return what is told of a surface; one that is not closed and wound one way has no volume to tell."""
    return {
        "triangles": begun.total.triangles,
        "bodies": begun.bodies,
        "watertight": begun.seams.watertight,
        "volume_mm3": begun.volume_mm3 if begun.sound else None,
        "area_mm2": begun.area_mm2,
        "bbox_mm": begun.bbox_mm,
    }


def _permit(begun: Begun, unit: Unit | None, plausible: Plausible | None, *, mended: bool = False) -> None:
    """Refuse a size that no piece of jewellery has; before it is mended a surface may tell no volume."""
    if plausible is not None:
        implausible(begun.low_mm, begun.high_mm, begun.volume_mm3 if mended else None, unit, plausible)
