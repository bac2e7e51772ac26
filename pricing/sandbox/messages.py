"""What parent and child say to each other: one JSON object a line. The parent believes none of it unchecked."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from pricing.limits import DEFAULT, Limits
from pricing.materials import Plausible  # noqa: TC001 - pydantic reads the annotations
from pricing.measuring.measures import Options  # noqa: TC001 - pydantic reads the annotations
from pricing.refusals import RefusalCode  # noqa: TC001 - pydantic reads the annotations
from pricing.sandbox.outcomes import What  # noqa: TC001 - pydantic reads the annotations
from pricing.units import Unit  # noqa: TC001 - pydantic reads the annotations

PICTURE: Final = "picture.png"
LINE_BYTES: Final = 8 << 20  # a document of measures has up to about 1 MB
POINTS: Final = 256
TOLD: Final = 2000  # characters of a sentence, or of a traceback
FACT: Final = 500  # characters
ROW: Final = 16

Text = Annotated[str, Field(max_length=TOLD)]
Moment = Annotated[int, Field(ge=0, lt=1 << 63)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]
Row = Annotated[tuple[Coordinate, ...], Field(max_length=ROW)]
# As spans and databases hold them: JSON knows no bound.
Whole = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Fact = Annotated[str, Field(max_length=FACT)] | bool | Whole | Coordinate | Row | None
Point = tuple[Coordinate, Coordinate, Coordinate]


class TaskKind(StrEnum):
    """What there is to compute. A heavy model is prepared, cut into slabs, and reduced; others are measured at once."""

    MEASURE = "measure"
    PREPARE = "prepare"
    SLAB = "slab"
    REDUCE = "reduce"
    PICTURE = "picture"


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepBegun(_Said):
    """A step of the calculation began. Moments are nanoseconds since 1970."""

    kind: Literal["begun"] = "begun"
    step: Text
    begin_ns: Moment


class StepEnded(_Said):
    """A step ended; ``failed``: by a refusal or an error. ``facts``: what is worth an attribute of a span."""

    kind: Literal["ended"] = "ended"
    step: Text
    begin_ns: Moment
    end_ns: Moment
    failed: bool = False
    facts: dict[str, Fact] = Field(default_factory=dict, max_length=64)


class ModelRead(_Said):
    """The file has been read; the child waits until its allowance has been widened."""

    kind: Literal["read"] = "read"
    triangles: Moment
    file_bytes: Moment


class Progressed(_Said):
    """The share of the task that is done."""

    kind: Literal["progress"] = "progress"
    progress: float = Field(ge=0, le=1)


class Ready(_Said):
    """The child is warm."""

    kind: Literal["ready"] = "ready"


class Done(_Said):
    """The task's result."""

    kind: Literal["done"] = "done"
    result: dict[str, Any]


class Refused(_Said):
    """The model was refused. ``where``: in its own unit, as in a Refusal."""

    kind: Literal["refused"] = "refused"
    code: RefusalCode
    detail: Text
    where: tuple[Point, ...] = Field(default=(), max_length=POINTS)


class Over(_Said):
    """The child noticed itself that it hit a limit, and ends."""

    kind: Literal["over"] = "over"
    what: What


class Failed(_Said):
    """Our own code failed; the child ends. ``detail``: the end of the traceback."""

    kind: Literal["failed"] = "failed"
    detail: Text


Event = StepBegun | StepEnded | ModelRead | Progressed
Answer = Done | Refused | Over | Failed
Said = Annotated[Event | Ready | Answer, Field(discriminator="kind")]
SAID: Final[TypeAdapter[Event | Ready | Answer]] = TypeAdapter(Said)


class Task(BaseModel):
    """One thing to compute, and where its files are.

    ``folder``: exists, is empty, and takes what the task writes. ``model``: the file (measure, prepare, picture); it
    must stay as it is. ``unit``: what the customer says. ``options``, ``plausible``: from the materials; the house's
    defaults where left out. ``prepared``: the folder of a prepared model (slab, reduce; picture). ``slabs``: their
    files in order (reduce). ``triangles``: how many the model is known to have: it widens the allowance from the start.
    ``marks``: places to show on a picture, in mm; ``where``: the same in the model's own unit. A picture without
    ``model`` and ``prepared`` is of what the child computed last.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    kind: TaskKind
    folder: Path
    model: Path | None = None
    unit: Unit | None = None
    limits: Limits = DEFAULT
    options: Options | None = None
    plausible: Plausible | None = None
    prepared: Path | None = None
    first_chunk: int = Field(default=0, ge=0)
    last_chunk: int = Field(default=0, ge=0)
    slabs: tuple[Path, ...] = ()
    marks: tuple[Point, ...] = ()
    where: tuple[Point, ...] = ()
    triangles: int | None = Field(default=None, ge=0)

    @field_validator("folder", "model", "prepared")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Name files so that the child, which works elsewhere, finds them."""
        return path and path.absolute()

    @field_validator("slabs")
    @classmethod
    def _all_absolute(cls, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.absolute() for path in paths)
