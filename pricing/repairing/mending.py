"""From a surface as uploaded to one that is closed, consistently wound and encloses its metal once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.measuring import sums, weld
from pricing.refusals import Refusal, RefusalCode
from pricing.repairing import bodies
from pricing.repairing.faces import without_copies
from pricing.repairing.folds import unsure
from pricing.repairing.holes import HoleLimits, filled
from pricing.repairing.uniting import arranged
from pricing.repairing.welding import sewn
from pricing.repairing.winding import rewound
from pricing.repairing.words import counted, length, place
from pricing.surface import Surface

if TYPE_CHECKING:
    from pricing.measuring.mesh import Mesh
    from pricing.measuring.sums import Sums
    from pricing.repairing.holes import Filling
    from pricing.units import Unit

# Beyond what a 32-bit number holds; the cube of a length still has to fit into a 64-bit one.
FARTHEST: Final = 1e50
# Of the area to the power of 3/2; a sphere encloses 0.094 of it, a foil of 1 micrometre and 1 square metre 4e-7.
NOTHING: Final = 1e-12


@dataclass(frozen=True)
class MendingLimits:
    """How far mending goes.

    ``triangles``: a surface of more is checked, but neither sewn, rewound nor closed, as that takes seconds.
    ``border``: open edges. ``uncertainty``: the greatest share of the volume that a price may be unsure of; ``folds``:
    the least share counted wrongly, where a body cuts through itself, that is worth a word: rays see no less.
    """

    triangles: int = 1_000_000
    border: int = 20_000
    uncertainty: float = 0.02
    folds: float = 1e-3
    holes: HoleLimits = field(default_factory=HoleLimits)
    bodies: bodies.Limits = field(default_factory=bodies.Limits)


@dataclass(frozen=True)
class Repaired:
    """A surface that may be measured.

    ``surface``: the one given, itself, where ``changed`` is False. ``notes``: what was mended or is odd, one sentence
    each. ``volume_uncertainty``: by how much the volume may be off for it, in the cube of the surface's unit.
    """

    surface: Surface
    notes: tuple[str, ...]
    volume_uncertainty: float
    changed: bool


def repair(
    surface: Surface,
    unit: Unit | None = None,
    limits: MendingLimits | None = None,
    *,
    welded: Mesh | None = None,
    total: Sums | None = None,
) -> Repaired:
    """Mend a surface; the same one in, the same digits out. ``welded``, ``total``: of it, where the caller has them.

    Raises Refusal, by code: EMPTY, NOT_FINITE; OPEN where a hole is too large to be guessed; WINDING where the surface
    has one side only or more than two faces meet at an edge; OVERLAPPING where bodies overlap and cannot be united;
    TOO_LARGE where there is more to mend than ``limits`` allows. That a body cuts through itself is seen by the rays
    of measuring only, and judged by ``unsure``.

    Closed means that every edge is passed as often in one direction as in the other, which is what the volume by the
    divergence theorem needs; an edge of four faces, as of two boxes that touch there, is closed in that sense.
    Time and memory grow with triangles x log; a sound million takes some 0.7 s, one to be rewound 10 s.
    """
    limits = limits or MendingLimits()
    if not surface.count:
        raise Refusal(RefusalCode.EMPTY, "The model holds no triangles.")
    welded = welded or weld(surface)
    if not (np.abs(welded.points) < FARTHEST).all():
        raise Refusal(RefusalCode.NOT_FINITE, "A point of the model is infinitely far or not a number: export it anew.")
    mesh, notes = _tidied(welded)
    stake = 0.0
    if not mesh.edges.balanced:
        mesh, more, stake = _closed(mesh, unit, limits)
        notes += more
    if not mesh.edges.balanced:
        raise Refusal(RefusalCode.OPEN, "The surface stays open whatever is mended: close it in your program.")
    total = (total or sums.summed(surface)) if mesh is welded else sums.summed(Surface(mesh.corners))
    if total.volume <= 0 or mesh.shells.max() > 0:
        mesh, more = arranged(mesh, limits.bodies)
        if more:
            notes, total = notes + more, sums.summed(Surface(mesh.corners))
    if total.volume <= NOTHING * total.area**1.5:
        raise Refusal(RefusalCode.EMPTY, "The surface encloses no volume: give the model a thickness.")
    unsure(stake, 0.0, total.volume, unit, limits)
    changed = mesh is not welded
    return Repaired(Surface(mesh.corners) if changed else surface, tuple(notes), stake, changed)


def _tidied(mesh: Mesh) -> tuple[Mesh, list[str]]:
    """Drop triangles without an extent and copies of others."""
    notes = []
    clean = mesh.proper
    if dropped := len(mesh.faces) - len(clean.faces):
        notes.append(f"{counted(dropped, 'face')} without an extent {'was' if dropped == 1 else 'were'} dropped.")
    if not len(clean.faces):
        raise Refusal(RefusalCode.EMPTY, "No face of the model has an extent.")
    if clean.edges.balanced and clean.edges.single:
        return clean, notes
    single = without_copies(clean)
    if dropped := len(clean.faces) - len(single.faces):
        notes.append(f"{counted(dropped, 'face')} that lay on others {'was' if dropped == 1 else 'were'} dropped.")
    if not len(single.faces):
        raise Refusal(RefusalCode.EMPTY, "The model consists of faces that cancel each other, and encloses nothing.")
    return single, notes


def _closed(mesh: Mesh, unit: Unit | None, limits: MendingLimits) -> tuple[Mesh, list[str], float]:
    """Sew, rewind and close an imperfect surface; return it, what was done, and the volume at stake."""
    if len(mesh.faces) > limits.triangles:
        raise Refusal(RefusalCode.OPEN, _large(limits, "it is open or wound inconsistently"))
    open_edges = int((mesh.edges.valence == 1).sum())
    if open_edges > limits.border:
        detail = f"The surface is open at {open_edges:,} edges, more than can be mended"
        raise Refusal(RefusalCode.OPEN, f"{detail}: it seems to be a sheet or a soup of faces, not a closed body.")
    whole, moved, stake = sewn(mesh)
    notes = []
    if whole is not mesh:
        far = f"by up to {length(moved, unit)}" if moved else "by less than can be told"
        notes.append(f"Seams were open {far} and were merged.")
        mesh, more = _tidied(whole)
        notes += more
    mesh, turned = rewound(mesh)
    if turned:
        notes.append(f"{counted(turned, 'face')} faced the wrong way and {'was' if turned == 1 else 'were'} turned.")
    mesh, fillings = filled(mesh, limits.holes, unit)
    if fillings:
        notes.append(_holes(fillings, unit))
        stake += sum(one.volume for one in fillings)
    return mesh, notes, stake


def _holes(fillings: list[Filling], unit: Unit | None) -> str:
    largest = max(fillings, key=lambda one: one.size)
    where = f"{length(largest.size, unit)} across near {place(largest.middle)}"
    if len(fillings) == 1:
        return f"A hole {where} was closed."
    return f"{len(fillings)} holes were closed, the largest {where}."


def _large(limits: MendingLimits, why: str) -> str:
    return (
        f"The model has more than {limits.triangles:,} faces and {why}: mend it in your program or upload it coarser."
    )
