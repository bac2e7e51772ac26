"""Measure a binary STL with trimesh: ``sums`` (volume, area, box) or ``layers`` (areas of as many cross-sections)."""

import json
import sys
from typing import Any

import numpy as np
import trimesh  # type: ignore[import-not-found,import-untyped,unused-ignore]

from tests.bench.peers.clocked import clocked

what, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
found: dict[str, object] = {}
with clocked() as kernel:
    # Sections need merged vertices; sums do not, and are much faster without.
    mesh: Any = trimesh.load(path, process=what == "layers", force="mesh")
    found |= {"events": len(mesh.faces), "volume": float(mesh.volume), "area": float(mesh.area)}
    low, high = mesh.bounds
    found["box"] = [float(side) for side in high - low]
    if what == "layers":
        step = float(high[2] - low[2]) / count
        heights = step * (np.arange(count) + 0.5)
        cuts = mesh.section_multiplane([0.0, 0.0, float(low[2])], [0.0, 0.0, 1.0], heights)
        found["layers"] = [0.0 if cut is None else float(cut.area) for cut in cuts]
found["kernel"] = kernel
sys.stdout.write(json.dumps(found) + "\n")
