"""Measured orders as rows of the table ``orders``, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from collectors.live.model import UNMEASURED, WITHHELD, Dimensions, Lined, Timelines
from collectors.timelines.measuring import NEVER, NOWHERE, Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STAGE_COLUMNS: Final = ("stage_us", "visits", "entered", "worked_us", "late_us")
MOMENTS: Final = {"start": "start_at", "end": "end_at", "cancelled": "cancelled_at", "tail_from": "tail_from"}
COLUMNS: Final = (
    *("number", "name", "events", "start_at", "end_at", "cancelled_at"),
    *("tail_stage", "tail_from", "stage_since", "last_rank", "last_at", "attributes", "stages"),
)
COUNTED: Final = ("unknown", "repeats", "skewed", "gap")
_LITTLE_ENDIAN: Final = "<i8"


def to_rows(lined: Lined, timelines: Timelines) -> list[dict[str, Any]]:
    """Return the row of every lined up order; orders without a usable event have counts only."""
    measured = lined.line.measured
    place = {number: row for row, number in enumerate(measured.order.tolist())}
    found = _measured_rows(lined, timelines)
    counts = zip(
        lined.orders.tolist(),
        lined.unknown.tolist(),
        lined.repeats.tolist(),
        lined.skewed.tolist(),
        lined.gap.astype(np.int64).tolist(),
        strict=True,
    )
    rows = []
    for number, *counted in counts:
        row = found[place[number]] if number in place else _unmeasured(timelines)
        rows.append({"key": number, **dict(zip(COUNTED, counted, strict=True)), **row})
    return rows


def _measured_rows(lined: Lined, timelines: Timelines) -> list[dict[str, Any]]:
    measured = lined.line.measured
    last_at = lined.last_at[np.searchsorted(lined.orders, measured.order)]
    columns: dict[str, list[Any]] = {
        "settled": timelines.settled(measured, lined.dimensions).tolist(),
        "events": measured.events.tolist(),
        "tail_stage": measured.tail_stage.tolist(),
        "last_rank": measured.last_rank.tolist(),
        "last_at": last_at.tolist(),
        "stage_since": _or_none(_stage_since(lined)),
        "attributes": _texts(measured, lined.dimensions, timelines),
        "stages": _packed(measured),
        **{column: _or_none(getattr(measured, name)) for name, column in MOMENTS.items()},
    }
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _unmeasured(timelines: Timelines) -> dict[str, Any]:
    never = dict.fromkeys((*MOMENTS.values(), "stage_since", "last_at"))
    stages = bytes(8 * len(STAGE_COLUMNS) * len(timelines.codebook.stages))
    settled = {"settled": UNMEASURED, "events": 0, "tail_stage": NOWHERE, "last_rank": -1.0}
    return {**settled, **never, "attributes": "{}", "stages": stages}


def _or_none(values: NDArray[np.int64]) -> list[int | None]:
    return [None if value == NEVER else value for value in values.tolist()]


def _stage_since(lined: Lined) -> NDArray[np.int64]:
    """Return since when each running order has been in its stage without a break, NEVER for others."""
    measured, moving, stretches = lined.line.measured, lined.line.moving, lined.line.stretches
    since = np.full(len(measured), NEVER, dtype=np.int64)
    place = np.searchsorted(measured.order, moving.order[moving.first])
    # Assigned in the order of time, so that the last entry is what stays.
    since[place[stretches.row[stretches.enters]]] = stretches.begin[stretches.enters]
    since[measured.tail_stage == NOWHERE] = NEVER
    return since


def _texts(measured: Measured, dimensions: Dimensions, timelines: Timelines) -> list[str]:
    """Return the attributes of each order as a JSON object."""
    columns = [
        [(name, texts[number]) if number >= 0 else None for number in measured.attributes[name].tolist()]
        for name in timelines.attributes
        for texts in [dimensions.values(name)]
    ]
    if not columns:
        return ["{}"] * len(measured)
    known: dict[tuple[tuple[str, str] | None, ...], str] = {}
    return [
        known.get(pairs) or known.setdefault(pairs, orjson.dumps(dict(p for p in pairs if p)).decode())
        for pairs in zip(*columns, strict=True)
    ]


def _packed(measured: Measured) -> list[bytes]:
    """Pack the stage columns of each order: a row's stages are only ever read and written together."""
    table = np.stack([getattr(measured, name) for name in STAGE_COLUMNS], axis=1).astype(_LITTLE_ENDIAN)
    return [row.tobytes() for row in table]


def from_rows(rows: Sequence[Any], timelines: Timelines) -> tuple[Measured, Dimensions]:
    """Return stored orders (rows with COLUMNS) as the kernel measured them."""
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(COLUMNS, ())
    attributes, dimensions = timelines.dimensions(columns["attributes"])
    shape = (len(rows), len(STAGE_COLUMNS), len(timelines.codebook.stages))
    packed = np.frombuffer(b"".join(columns["stages"]), dtype=_LITTLE_ENDIAN).astype(np.int64).reshape(shape)
    measured = Measured(
        order=np.array(columns["number"], dtype=np.int64),
        events=np.array(columns["events"], dtype=np.int64),
        tail_stage=np.array(columns["tail_stage"], dtype=np.int64),
        last_rank=np.array(columns["last_rank"], dtype=np.float64),
        attributes=attributes,
        **{name: or_never(columns[column]) for name, column in MOMENTS.items()},
        **{name: packed[:, place] for place, name in enumerate(STAGE_COLUMNS)},
    )
    return measured, dimensions


def or_never(values: Sequence[int | None]) -> NDArray[np.int64]:
    """Return moments as an array, NEVER for None."""
    return np.array([NEVER if value is None else value for value in values], dtype=np.int64)


def contribution(row: dict[str, Any]) -> dict[str, int]:
    """Return what an order adds to the totals."""
    added = {name: int(row[name]) for name in COUNTED if row[name]}
    if row["settled"] != UNMEASURED:
        added[f"settled {row['settled']}"] = 1
    if row["settled"] == WITHHELD:
        added["withheld"] = int(row["events"])
    return added
