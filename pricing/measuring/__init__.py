"""What a surface measures: sums over triangles, topology, layers, walls. Pure functions over chunks of fixed size."""

from pricing.measuring.begun import Begun, begin
from pricing.measuring.measure import finish, measure
from pricing.measuring.measures import Body, BodyKind, Measures, Options, Printing
from pricing.measuring.slabs import Slab, slab
from pricing.measuring.welding import weld

__all__ = [
    "Begun",
    "Body",
    "BodyKind",
    "Measures",
    "Options",
    "Printing",
    "Slab",
    "begin",
    "finish",
    "measure",
    "slab",
    "weld",
]
