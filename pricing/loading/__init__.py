"""From a file to triangles: STL, OBJ, 3MF, PLY, GLB, glTF by bounded readers that trust nothing a file says."""

from pricing.loading.model import load

__all__ = ["load"]
