"""Measure a binary STL with VTK: ``sums`` (volume, area, box)."""

import json
import sys

from vtkmodules.vtkFiltersCore import vtkMassProperties  # type: ignore[import-not-found,import-untyped,unused-ignore]
from vtkmodules.vtkIOGeometry import vtkSTLReader  # type: ignore[import-not-found,import-untyped,unused-ignore]

from tests.bench.peers.clocked import clocked

with clocked() as kernel:
    reader = vtkSTLReader()
    reader.SetFileName(sys.argv[2])
    reader.MergingOff()
    reader.Update()
    surface = reader.GetOutput()
    measured = vtkMassProperties()
    measured.SetInputData(surface)
    measured.Update()
    west, east, south, north, bottom, top = surface.GetBounds()
found = {
    "events": surface.GetNumberOfCells(),
    "volume": measured.GetVolume(),
    "area": measured.GetSurfaceArea(),
    "box": [east - west, north - south, top - bottom],
    "kernel": kernel,
}
sys.stdout.write(json.dumps(found) + "\n")
