"""Measure a binary STL with numpy-stl: ``sums`` (volume, area, box)."""

import json
import sys

from stl import mesh as stl_mesh  # type: ignore[import-not-found,import-untyped,unused-ignore]

from tests.bench.peers.clocked import clocked

with clocked() as kernel:
    mesh = stl_mesh.Mesh.from_file(sys.argv[2], calculate_normals=False)
    volume, _, _ = mesh.get_mass_properties()
    mesh.update_areas()
    area = float(mesh.areas.sum())
    box = [float(side) for side in mesh.max_ - mesh.min_]
found = {"events": len(mesh.vectors), "volume": float(volume), "area": area, "box": box, "kernel": kernel}
sys.stdout.write(json.dumps(found) + "\n")
