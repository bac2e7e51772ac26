"""What is done to a batch before it is measured: duplicates, unknown statuses, ownership, sources in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from collectors.timelines.batch import EventBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.timelines.codebook import Codebook

Number = TypeVar("Number", np.int64, np.float64)


def repeated(batch: EventBatch) -> NDArray[np.bool_]:
    """Mark events of the same status and time as the one just before them in their order."""
    same = np.zeros(len(batch), dtype=np.bool_)
    same[1:] = (batch.at[1:] == batch.at[:-1]) & (batch.code[1:] == batch.code[:-1]) & ~batch.begins[1:]
    return same


@dataclass(frozen=True)
class Merged:
    """Events of several sources in one line an order, and how often a source's clock ran backwards."""

    batch: EventBatch
    skewed: int


def merge_sources(batch: EventBatch, codebook: Codebook) -> Merged:
    """Put each order's events in one line: within a source by sequence, across sources by time, then rank.

    The batch comes sorted by order, source and sequence. A time that runs backwards within a source counts as skew
    and is taken as that of the event before it. A source's own events never overtake each other: among events of
    one moment each takes at least the rank of those before it, which is how merging by the sources' heads goes.
    """
    if batch.source is None or not len(batch):
        return Merged(batch, 0)
    begins = batch.begins.copy()
    begins[1:] |= batch.source[1:] != batch.source[:-1]
    at = running_maximum(batch.at, begins)
    known = batch.code < len(codebook.rank)
    rank = np.where(known, codebook.rank[np.where(known, batch.code, 0)], np.inf)
    same_moment = begins.copy()
    same_moment[1:] |= at[1:] != at[:-1]
    rank = running_maximum(rank, same_moment)
    position = np.arange(len(batch))
    line = np.lexsort((position, batch.source, rank, at, batch.order))
    skewed = int(np.count_nonzero(at != batch.at))
    moved = EventBatch(batch.order, at, batch.code, batch.source, batch.sequence, batch.attributes)
    return Merged(moved.take(line), skewed)


def running_maximum(values: NDArray[Number], begins: NDArray[np.bool_]) -> NDArray[Number]:
    """Return the maximum so far within each group; ``begins`` marks where a group begins."""
    falls = np.zeros(len(values), dtype=np.bool_)
    falls[1:] = (values[1:] < values[:-1]) & ~begins[1:]
    if not falls.any():
        return values
    result = values.copy()
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(values))
    # Only the groups with a fall need work, and they are few: clocks seldom run backwards.
    for group in np.unique(np.searchsorted(starts, np.flatnonzero(falls), side="right") - 1):
        part = slice(starts[group], ends[group])
        result[part] = np.maximum.accumulate(values[part])
    return result


def owned(batch: EventBatch, owner_of: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the events whose source owns their status. ``owner_of``: source number by status code, -1 for any."""
    if batch.source is None:
        return np.ones(len(batch), dtype=np.bool_)
    owner = owner_of[batch.code]
    return np.asarray((owner < 0) | (owner == batch.source))
