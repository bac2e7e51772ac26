"""Quote a model from its file, with 500 layers and more."""

import json
import sys
from pathlib import Path

from pricing.calculation import measured
from pricing.materials import DEFAULT_ALLOY, load_materials
from pricing.quoting import Order, quote
from tests.bench.peers.clocked import clocked

materials = load_materials()
with clocked() as kernel:
    model = measured(Path(sys.argv[1]), options=materials.options, plausible=materials.plausible)
    priced = quote(model.measures, materials, Order(DEFAULT_ALLOY), model.unit)
found = {
    "events": model.file_triangles,
    "layers": len(model.measures.layers_mm2),
    "price": str(priced.price),
    "kernel": kernel,
}
sys.stdout.write(json.dumps(found) + "\n")
