"""Models to be priced: rings as customers design them, and heavy ones, each different from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.storage import create_store
from services.demo.rings import Ring, design

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.load.workers import Ground

PART: Final = 1 << 20
# 1,400 x 360 quads: a million triangles, 48 MiB.
HEAVY: Final = {"around": 1_400, "across": 360}


async def light(ground: Ground, number: int, seed: int) -> list[str]:
    """Keep so many rings as customers design them; return their names."""
    rng = np.random.default_rng(seed)
    return [await _kept(ground, design(rng)) for _ in range(number)]


async def heavy(ground: Ground, number: int, seed: int) -> list[str]:
    """Keep so many rings of a million triangles each; return their names."""
    rng = np.random.default_rng(seed)
    return [
        await _kept(ground, Ring(inner_diameter_mm=float(rng.uniform(15, 20)), thickness_mm=2.0, **HEAVY))
        for _ in range(number)
    ]


async def _kept(ground: Ground, ring: Ring) -> str:
    return (await create_store(str(ground.models)).put(_parts(ring.stl()))).name


async def _parts(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), PART):
        yield content[begin : begin + PART]
