"""What the workers know of requests and measurings; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pricing.messages import HEAVY_BYTES, PriceClass
from pricing.surface import CHUNK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pricing.units import Unit

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SECOND: Final = 1_000_000
# Shares of the time where all classes wait. A shop's customer looks at the screen; nobody looks at a heavy model.
WEIGHTS: Final[Mapping[PriceClass, int]] = {PriceClass.SHOP: 8, PriceClass.PARTNER: 3, PriceClass.HEAVY: 1}
LEASE_US: Final = 10 * SECOND  # with a look every second or so, a killed worker's work is taken up within 15 s
RENEW_S: Final = 3.0
FAILURES: Final = 3  # of the model's own: then it is poison
LOSSES: Final = 20  # by no fault of the model: killed workers, a store that is down
FIRST_PAUSE_US: Final = SECOND
LONGEST_PAUSE_US: Final = 30 * SECOND
# A refusal for time or memory is kept so long: each try costs the whole allowance, and a busy machine may be wrong.
STANDS_US: Final = 24 * 3_600 * SECOND
# Nothing is ever put off for longer: what seems so was written by a clock that was wrong.
FARTHEST_US: Final = LEASE_US + LONGEST_PAUSE_US
MISSING_PATIENCE_US: Final = 30 * SECOND  # for a model that is ordered and not stored
HEAVY_TRIANGLES: Final = 150_000
SLAB_CHUNKS: Final = 8
SLABBED_TRIANGLES: Final = SLAB_CHUNKS * CHUNK  # what is larger is measured in slabs, by any worker
# A binary STL of as many: what is that large is prepared for slabs unseen, or a child would read it twice.
SLABBED_BYTES: Final = 50 * SLABBED_TRIANGLES


class Stage(StrEnum):
    """Where a measuring stands, which is also what is to be done next."""

    MEASURE = "measure"  # load, mend and measure in one go
    PREPARE = "prepare"  # of a very heavy model: what comes before the slabs
    SLABS = "slabs"  # each of which is claimed by itself
    REDUCE = "reduce"
    PICTURE = "picture"  # measured or refused; a request waits for a picture
    DONE = "done"
    FAILED = "failed"  # by our software; whoever asks again has it tried again


OPEN: Final = (Stage.MEASURE, Stage.PREPARE, Stage.SLABS, Stage.REDUCE, Stage.PICTURE)
ANSWERABLE: Final = (Stage.PICTURE, Stage.DONE)


@dataclass(frozen=True)
class Request:
    """Somebody asks for a price. ``terms``: of partners, as the materials file names them."""

    id: str
    order: str
    key: str
    price_class: PriceClass
    alloy: str
    quantity: int
    terms: str | None
    reply_to: str
    asked_at: int
    traceparent: str | None = None


@dataclass(frozen=True)
class Measuring:
    """A model that is to be measured, or is: requests for it wait together. Moments are microseconds since 1970 UTC."""

    key: str
    model: str
    unit: Unit | None
    price_class: PriceClass
    stage: Stage
    asked_at: int
    begun_at: int | None = None
    progress: float = 0.0
    told_at: int | None = None
    triangles: int | None = None
    prepared: dict[str, str] | None = None
    result: dict[str, Any] | None = None
    reason: str | None = None
    closed_at: int | None = None


@dataclass(frozen=True)
class Slab:
    """A part of a very heavy model: its chunks from ``first`` up to, not including, ``last``."""

    number: int
    first: int
    last: int


@dataclass(frozen=True)
class Claim:
    """A piece of work that one worker has for as long as it renews the lease. ``turn`` tells this claim from others."""

    measuring: Measuring
    turn: int
    failures: int
    losses: int
    slab: Slab | None = None
    taken_over: bool = False  # from a worker that fell silent

    @property
    def key(self) -> str:
        """The measuring's key."""
        return self.measuring.key

    @property
    def stage(self) -> Stage:
        """What is to be done."""
        return self.measuring.stage

    @property
    def heavy(self) -> bool:
        """Whether it is done in slices."""
        return self.measuring.price_class is PriceClass.HEAVY


def micros(moment: datetime) -> int:
    """Return a moment as microseconds since 1970 UTC, as the tables keep it."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(at: int) -> datetime:
    """Return the moment of so many microseconds since 1970 UTC."""
    return EPOCH + at * MICROSECOND


def measuring_key(model: str, unit: Unit | None, version: str) -> str:
    """Return what measures hang on: the model's bytes, the unit that its owner named, and how we measure."""
    return f"{model}:{unit or '-'}:{version}"


def poisoned(failures: int, losses: int) -> bool:
    """Whether work is given up. A killed worker is not the model's fault, so losses are borne far longer."""
    return failures >= FAILURES or losses >= LOSSES


def pause_us(times: int) -> int:
    """Return how long work rests after it went wrong so many times in a row."""
    return min(FIRST_PAUSE_US << min(max(times - 1, 0), 10), LONGEST_PAUSE_US)


def more_urgent(one: PriceClass, other: PriceClass) -> PriceClass:
    """Return the class of a model that requests of two classes wait for; heavy is what the model is, not the asker."""
    if PriceClass.HEAVY in (one, other):
        return PriceClass.HEAVY
    return one if WEIGHTS[one] >= WEIGHTS[other] else other


def heavy(*, model_bytes: int | None = None, triangles: int | None = None) -> bool:
    """Whether a model is heavy, by what is known of it so far."""
    return (model_bytes or 0) > HEAVY_BYTES or (triangles or 0) > HEAVY_TRIANGLES


def slabs_of(triangles: int) -> list[Slab]:
    """Cut a model into slabs of 8 chunks of 65,536 triangles; the last one is shorter."""
    chunks = -(-triangles // CHUNK)
    firsts = range(0, chunks, SLAB_CHUNKS)
    return [Slab(number, first, min(first + SLAB_CHUNKS, chunks)) for number, first in enumerate(firsts)]
