"""Metal counted once: bodies turned outwards, cavities kept, and what overlaps united."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import manifold3d
import numpy as np

from pricing.measuring import weld
from pricing.measuring.topology import components
from pricing.refusals import Refusal, RefusalCode
from pricing.repairing.bodies import SAME, Bodies, Limits
from pricing.repairing.faces import without_copies
from pricing.repairing.words import counted
from pricing.surface import Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pricing.measuring.mesh import Mesh

TANGLED: Final = (
    "Bodies overlap, and their surfaces are too tangled to be united: unite them in your program, so that no metal "
    "counts twice."
)
PASSES: Final = 6


def arranged(mesh: Mesh, limits: Limits) -> tuple[Mesh, list[str]]:
    """Return a closed mesh in which every point of space is metal once or not at all, and what was done, in words.

    A body is turned outwards, with all that lies in it, unless it is a cavity; one that adds nothing, as it lies
    wholly in metal or is a speck, is dropped; bodies that cut through each other become their union. Nothing else is
    touched; a body that cuts through itself is not seen here. Raises Refusal(EMPTY) where nothing is enclosed,
    Refusal(OVERLAPPING) where an overlap cannot be resolved, Refusal(TOO_LARGE) beyond ``limits``.
    """
    said: list[str] = []
    unions = None
    for _ in range(PASSES):  # a union may leave slivers that the next pass tidies away
        mesh, unions, notes = _once(mesh, unions, limits)
        if not notes:
            return mesh, said
        said += [note for note in notes if note not in said]
    raise Refusal(RefusalCode.OVERLAPPING, TANGLED)


def _once(
    mesh: Mesh, unions: NDArray[np.int32] | None, limits: Limits
) -> tuple[Mesh, NDArray[np.int32] | None, list[str]]:
    """Do what is the next to be done; return also of which union each point is, as ``Bodies`` asks for it."""
    bodies = Bodies(mesh, limits, unions)
    if not bodies.volume.any():
        raise Refusal(RefusalCode.EMPTY, "The surface encloses no volume: give the model a thickness.")
    specks = bodies.volume == 0
    if specks.any():
        left_out = _left_out(int(specks.sum()), "encloses next to nothing", "enclose next to nothing")
        return mesh.only(~specks[mesh.shells]), unions, [f"{left_out}."]
    inside, crossing = bodies.relate()
    size = np.abs(bodies.volume)
    copies = np.asarray(np.any(inside & (size[:, None] >= SAME * size[None, :]), axis=1))
    if copies.any():
        left_out = _left_out(int(copies.sum()), "lay on another of the same shape")
        return mesh.only(~copies[mesh.shells]), unions, [f"{left_out}."]
    sign, turned = _signs(bodies.volume, inside)
    cluster = _clusters(bodies.count, crossing)
    around = _around(inside, sign, cluster)
    swallowed = ((around > 0) == (around + sign > 0)) & (sign != 0)
    if not (turned.any() or swallowed.any() or crossing):
        return mesh, unions, []
    notes = _notes(turned, swallowed, crossing)
    mixed = {int(cluster[body]) for pair in crossing for body in pair}
    if any(sign[body] < 0 and int(cluster[body]) in mixed for body in range(bodies.count)):
        detail = "A hollow cuts through the surface of another body, so it cannot be told what is metal"
        raise Refusal(RefusalCode.OVERLAPPING, f"{detail}: unite the bodies in your program.")
    labels = mesh.shells
    alone = np.array([int(cluster[body]) not in mixed for body in range(bodies.count)])
    kept = mesh.turned(turned[labels]).only((alone & ~swallowed)[labels])
    united = [_united(bodies, np.flatnonzero(cluster == one)) for one in sorted(mixed) if around[one] <= 0]
    if united:
        parts = [kept.corners, *united]
        whole = weld(Surface(np.concatenate(parts)))
        unions = _sources(whole, [len(part) for part in parts])
        kept = without_copies(whole.proper)
    if not len(kept.faces) or not kept.edges.balanced:
        raise Refusal(RefusalCode.OVERLAPPING, TANGLED)
    return kept, unions, notes


def _sources(mesh: Mesh, sizes: list[int]) -> NDArray[np.int32]:
    """Return by point of which part of the triangles it is alone, 0 for the first part and for points of several."""
    source = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[:, None]
    found = np.zeros(len(mesh.points), dtype=np.int32)
    found[mesh.faces] = source
    found[mesh.faces[found[mesh.faces] != source]] = 0
    return found


def _signs(volume: NDArray[np.float64], inside: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return which bodies add metal (1) and which take it away (-1), and which of them had to be turned for that."""
    sign = np.sign(volume).astype(np.int64)
    turned = np.zeros(len(sign), dtype=bool)
    for body in np.argsort(-np.abs(volume), kind="stable").tolist():
        if sign[body] >= 0 or int(sign[inside[body]].sum()) > 0:
            continue
        within = inside[:, body] if not inside[body].any() else np.zeros(len(sign), dtype=bool)
        within = within.copy()
        within[body] = True
        sign[within] *= -1
        turned ^= within
    return sign, turned


def _clusters(count: int, crossing: list[tuple[int, int]]) -> NDArray[np.int32]:
    """Return the least body of each body's cluster: those that hang together by cutting through each other."""
    pairs = np.array(crossing, dtype=np.int64).reshape(-1, 2)
    return components(count, pairs[:, 0], pairs[:, 1])


def _around(inside: NDArray[np.bool_], sign: NDArray[np.int64], cluster: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how often the room just outside of each body is metal, its own cluster left out."""
    foreign = inside & (cluster[:, None] != cluster[None, :])
    return np.asarray(foreign @ sign, dtype=np.int64)


def _united(bodies: Bodies, members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the corners of the union of overlapping bodies, shape (n, 3, 3)."""
    solids = [bodies.solid(body) for body in members.tolist()]
    union = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add)
    refused = any(one.is_empty() for one in solids)
    if refused or union.status() != manifold3d.Error.NoError or union.is_empty():
        raise Refusal(RefusalCode.OVERLAPPING, TANGLED)
    mesh = union.to_mesh64()
    numbers = np.asarray(mesh.tri_verts).astype(np.int64)
    return np.asarray(np.asarray(mesh.vert_properties)[:, :3][numbers])


def _left_out(count: int, why: str, whys: str | None = None) -> str:
    said = f"that {why} was" if count == 1 else f"that {whys or why} were"
    return f"{counted(count, 'body', 'bodies')} {said} left out"


def _notes(turned: NDArray[np.bool_], swallowed: NDArray[np.bool_], crossing: list[tuple[int, int]]) -> list[str]:
    notes = []
    if turned.any():
        count = int(turned.sum())
        were = "was" if count == 1 else "were"
        notes.append(f"{counted(count, 'body', 'bodies')} {were} inside out and {were} turned.")
    if swallowed.any():
        left_out = _left_out(int(swallowed.sum()), "lay wholly inside metal")
        notes.append(f"{left_out}; a hollow must have its surface turned inwards.")
    if crossing:
        count = len({body for pair in crossing for body in pair})
        notes.append(f"{count} overlapping bodies were united, so that their common metal counts once.")
    return notes
