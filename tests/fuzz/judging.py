"""Judges bytes: a model or a refusal, the same twice, within bounds, and a price from a sound surface only."""

from __future__ import annotations

import hashlib
import math
import resource
import time
import traceback
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pricing.calculation import measured
from pricing.limits import Limits
from pricing.loading import load
from pricing.materials import DEFAULT_ALLOY, load_materials
from pricing.measuring import Options
from pricing.quoting import Order, quote
from pricing.refusals import Refusal
from pricing.units import Unit
from tests.fuzz.solids import Broken, check_closed, check_volume

if TYPE_CHECKING:
    from pricing.surface import Model, Surface

# Lies of any size are told within small limits, so that a run stays short.
LIMITS: Final = Limits(
    inflated_bytes=1 << 20, held_triangles=2_000, triangles=2_000, vertices=2_000, instances=100, depth=8
)
# Few rays and layers: what is searched for is what breaks, not how thin a wall is.
OPTIONS: Final = Options(rays_across=32, most_layers=16)
MOST_PRICED: Final = 300
# One input in so many is read twice, and open files are counted.
SAMPLED: Final = 64
OPEN_FILES: Final = Path("/proc/self/fd")
MOST_S: Final = 2.0
GROWTH_KIB: Final = 96 << 10
LONGEST_SENTENCE: Final = 500


@dataclass
class Tally:
    """What came of the inputs judged so far."""

    runs: int = 0
    loaded: int = 0
    priced: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Judge:
    """Takes inputs one after another. ``scratch``: a file that it may write, best one in memory."""

    def __init__(self, scratch: Path, price_every: int) -> None:
        """``price_every``: of the models of few triangles, one in so many goes all the way to a price."""
        self.scratch, self.price_every = scratch, price_every
        self.tally = Tally()
        self._materials = load_materials()
        self._open_files = 0

    def __call__(self, data: bytes, *, thorough: bool = False) -> None:
        """Judge an input; raise Broken where it breaks a rule. ``thorough``: leave nothing to the sample."""
        mark = zlib.crc32(data)
        # A new file each time: a mapped one that is written over would change under whoever still holds it.
        self.scratch.unlink(missing_ok=True)
        self.scratch.write_bytes(data)
        self.tally.runs += 1
        began, peak = time.perf_counter(), _peak_kib()
        found = self._found(mark, thorough=thorough)
        took = time.perf_counter() - began
        if thorough or mark % SAMPLED == 0:
            again = self._found(mark, thorough=thorough)
            if again != found:
                raise Broken("not deterministic", f"{found[:60]} and {again[:60]}")
            self._count_files()
        if took > MOST_S:
            self._check_pace(mark, thorough=thorough)
        if (grown := _peak_kib() - peak) > GROWTH_KIB and self.tally.runs > 1:
            raise Broken("memory", f"{grown >> 10} MiB")

    def _found(self, mark: int, *, thorough: bool) -> str:
        """Return what came of the file, in words that are the same whenever it is."""
        said = "loaded"
        try:
            model = load(self.scratch, LIMITS)
            said = _digest(model)
            self.tally.loaded += 1
            if model.surface.count <= MOST_PRICED and (thorough or mark % self.price_every == 0):
                said += self._price()
        except Refusal as refusal:
            self.tally.refused[refusal.code.value] += 1
            _check_sentence(refusal)
            return f"{said}, {refusal.code}: {refusal.detail}"
        except Broken:
            raise
        except Exception as error:
            raise Broken(type(error).__name__, _place_of(error)) from error
        return said

    def _price(self) -> str:
        surfaces: list[Surface] = []
        found = measured(
            self.scratch,
            LIMITS,
            options=OPTIONS,
            plausible=self._materials.plausible,
            seen=lambda surface, _: surfaces.append(surface),
        )
        quoted = quote(found.measures, self._materials, Order(DEFAULT_ALLOY), found.unit)
        self.tally.priced += 1
        if not found.measures.sound or not quoted.price > 0:
            raise Broken("price from an unsound surface", "measures")
        corners = np.asarray(surfaces[-1].corners, np.float64) + 0.0
        check_closed(corners)
        check_volume(corners, found.measures.volume_mm3 / (found.unit or Unit.MILLIMETRE).mm ** 3)
        return f", {quoted.price} for {found.measures.volume_mm3!r} mm3"

    def _check_pace(self, mark: int, *, thorough: bool) -> None:
        """Look again by the processor's clock, which is slow to ask: the machine may have been at something else."""
        began = time.thread_time()
        self._found(mark, thorough=thorough)
        if (took := time.thread_time() - began) > MOST_S:
            raise Broken("slow", f"{took:.1f} s of the processor")

    def _count_files(self) -> None:
        there = len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0
        if self._open_files and there > self._open_files + 4:
            raise Broken("files left open", f"{there} after {self._open_files}")
        self._open_files = self._open_files or there


def _check_sentence(refusal: Refusal) -> None:
    if not refusal.detail.endswith(".") or len(refusal.detail) > LONGEST_SENTENCE:
        raise Broken("no sentence", f"{refusal.code}: {refusal.detail[:80]}")
    if not all(math.isfinite(axis) for point in refusal.where for axis in point):
        raise Broken("a place that is none", refusal.detail[:80])


def _digest(model: Model) -> str:
    corners = np.ascontiguousarray(model.surface.corners)
    if not 0 < len(corners) <= LIMITS.triangles or not np.isfinite(corners).all():
        raise Broken("a model beyond its limits", f"{len(corners)} triangles")
    shape = hashlib.blake2b(corners.tobytes(), digest_size=8).hexdigest()
    return f"{model.format} of {len(corners)} in {model.unit}: {shape} {len(model.notes)}"


def _place_of(error: BaseException) -> str:
    """Return the last line of our own code that an error went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/pricing/" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {str(error)[:100]}"


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
