"""What a surface measures: sums over triangles, topology, layers, walls. Pure functions over chunks of fixed size."""

from pricing.measuring.measure import measure
from pricing.measuring.measures import Body, BodyKind, Measures, Options, Printing

__all__ = ["Body", "BodyKind", "Measures", "Options", "Printing", "measure"]
