"""Measure a binary STL with Touchstone's kernels, ``sums`` or ``layers``; ``touch`` only reads the mapped file."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from pricing.limits import DEFAULT
from pricing.loading import load
from pricing.measuring import layers, sums
from pricing.measuring.measures import Options
from tests.bench.peers.clocked import clocked

what, path, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
found: dict[str, object] = {}
with clocked() as kernel:
    if what == "touch":
        mapped = np.memmap(path, np.uint8, "r")
        words = mapped[: len(mapped) // 8 * 8].view(np.uint64)
        found["total"] = int(np.bitwise_xor.reduce(words))
        found["events"] = (len(mapped) - 84) // 50
    else:
        surface = load(path, replace(DEFAULT, file_bytes=1 << 40)).surface
        total = sums.summed(surface)
        found |= {"events": total.triangles, "volume": total.volume, "area": total.area}
        found["box"] = [top - bottom for bottom, top in zip(total.low, total.high, strict=True)]
        if what == "layers":
            height = total.high[2] - total.low[2]
            how = layers.slicing(total, height / count, count, Options().overhang_deg)
            cut = layers.combine(layers.partial(chunk, how, 1) for chunk in surface.chunks())
            found["layers"] = [float(area) for area in cut.areas]
found["kernel"] = kernel
sys.stdout.write(json.dumps(found) + "\n")
