"""Metal counted once: bodies turned outwards, cavities kept, and what overlaps united."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import manifold3d
import numpy as np

from pricing.refusals import Refusal, RefusalCode
from pricing.repairing.bodies import Bodies, Limits
from pricing.repairing.faces import without_collapsed, without_copies
from pricing.repairing.mesh import Mesh, components, weld
from pricing.repairing.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray


TANGLED: Final = (
    "Bodies overlap, and their surfaces are too tangled to be united: unite them in your program, so that no metal "
    "counts twice."
)
PASSES: Final = 4
# Two bodies one of which fills the other to this share are one body, there twice: between them no wall can be cast.
SAME: Final = 1 - 1e-4


def arranged(mesh: Mesh, limits: Limits) -> tuple[Mesh, list[str]]:
    """Return a closed mesh in which every point of space is metal once or not at all, and what was done, in words.

    A body is turned outwards, with all that lies in it, unless it is a cavity; one that adds nothing, as it lies
    wholly in metal, is dropped; bodies that cut through each other become their union. Nothing else is touched; a body
    that cuts through itself is not seen here. Raises Refusal(EMPTY) where nothing is enclosed, Refusal(OVERLAPPING)
    where an overlap cannot be resolved, Refusal(TOO_LARGE) beyond ``limits``.
    """
    first: list[str] = []
    for _ in range(PASSES):  # a union may leave slivers that the next pass tidies away
        mesh, notes = _once(mesh, limits)
        first = first or notes
        if not notes:
            return mesh, first
    raise Refusal(RefusalCode.OVERLAPPING, TANGLED)


def _once(mesh: Mesh, limits: Limits) -> tuple[Mesh, list[str]]:
    bodies = Bodies(mesh, limits)
    if not bodies.volume.any():
        raise Refusal(RefusalCode.EMPTY, "The surface encloses no volume: give the model a thickness.")
    inside, crossing = bodies.relate()
    size = np.abs(bodies.volume)
    copies = np.asarray(np.any(inside & (size[:, None] >= SAME * size[None, :]), axis=1))
    if copies.any():
        left_out = _left_out(int(copies.sum()), "lay on another of the same shape")
        return mesh.only(~copies[mesh.shells]), [f"{left_out}."]
    sign, turned = _signs(bodies.volume, inside)
    cluster = _clusters(bodies.count, crossing)
    around = _around(inside, sign, cluster)
    swallowed = ((around > 0) == (around + sign > 0)) & (sign != 0)
    if not (turned.any() or swallowed.any() or crossing):
        return mesh, []
    notes = _notes(turned, swallowed, crossing)
    mixed = {int(cluster[body]) for pair in crossing for body in pair}
    if any(sign[body] < 0 and int(cluster[body]) in mixed for body in range(bodies.count)):
        detail = "A hollow cuts through the surface of another body, so it cannot be told what is metal"
        raise Refusal(RefusalCode.OVERLAPPING, f"{detail}: unite the bodies in your program.")
    labels = mesh.shells
    alone = np.array([int(cluster[body]) not in mixed for body in range(bodies.count)])
    kept = mesh.turned(turned[labels]).only((alone & ~swallowed)[labels])
    unions = [_united(bodies, np.flatnonzero(cluster == one)) for one in sorted(mixed) if around[one] <= 0]
    if unions:
        kept = without_copies(without_collapsed(weld(np.concatenate((kept.corners, *unions)))))
    if not len(kept.faces) or not kept.edges.balanced:
        raise Refusal(RefusalCode.OVERLAPPING, TANGLED)
    return kept, notes


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


def _clusters(count: int, crossing: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the least body of each body's cluster: those that hang together by cutting through each other."""
    pairs = np.array(crossing, dtype=np.int64).reshape(-1, 2)
    return components(count, pairs[:, 0], pairs[:, 1])


def _around(inside: NDArray[np.bool_], sign: NDArray[np.int64], cluster: NDArray[np.int64]) -> NDArray[np.int64]:
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


def _left_out(count: int, why: str) -> str:
    return f"{counted(count, 'body', 'bodies')} that {why} {'was' if count == 1 else 'were'} left out"


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
