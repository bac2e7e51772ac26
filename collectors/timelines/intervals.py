"""Activities with start and end, as the status changes that they imply (DESIGN: "Logs with start and end")."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collectors.timelines.batch import EventBatch

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING = np.iinfo(np.int64).max


def status_changes(
    order: NDArray[np.int64],
    begin: NDArray[np.int64],
    finish: NDArray[np.int64],
    running: NDArray[np.int64],
    done: NDArray[np.int64],
    attributes: dict[str, NDArray[np.int64]],
) -> EventBatch:
    """Derive status changes from activities sorted by order, begin and place in the log.

    ``finish`` is RUNNING where an activity has no end yet. ``running``, ``done``: the status codes of the activity and
    of the wait after it. Times in microseconds. Attributes stay with the change at which their activity starts.
    """
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = order[1:] != order[:-1]
    row = np.cumsum(begins) - 1
    follows = np.zeros(len(order), dtype=np.bool_)
    follows[1:] = ~begins[1:] & (finish[:-1] > begin[1:])
    tangled = np.bincount(row, weights=follows) > 0
    plain = ~tangled[row]
    parts = [_plain_changes(np.flatnonzero(plain), order, begin, finish)]
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(order))
    parts += [
        _tangled_changes(int(starts[o]), begin[starts[o] : ends[o]], finish[starts[o] : ends[o]])
        for o in np.flatnonzero(tangled)
    ]
    place, at, ended = (np.concatenate(column) for column in zip(*parts, strict=True))
    line = np.argsort(row[place], kind="stable")
    place, at, ended = place[line], at[line], ended[line]
    code = np.where(ended, done[place], running[place])
    own = {name: np.where(ended, -1, values[place]) for name, values in attributes.items()}
    changes = EventBatch(order[place], at, code, attributes=own)
    kept = changes.begins.copy()
    kept[1:] |= code[1:] != code[:-1]
    return _with_all_attributes(changes, kept, order, attributes)


def _with_all_attributes(
    changes: EventBatch,
    kept: NDArray[np.bool_],
    order: NDArray[np.int64],
    attributes: dict[str, NDArray[np.int64]],
) -> EventBatch:
    """Return the kept changes; each order's first change carries the first value of each attribute in the order."""
    chosen = changes.take(kept)
    activities = EventBatch(order, order, order)
    for name, values in attributes.items():
        position = np.where(values >= 0, np.arange(len(values)), len(values))
        first = np.append(values, -1)[np.minimum.reduceat(position, activities.first)] if len(values) else values
        chosen.attributes[name][:] = -1
        chosen.attributes[name][chosen.first] = first
    return chosen


Changes = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]


def _plain_changes(
    place: NDArray[np.int64], order: NDArray[np.int64], begin: NDArray[np.int64], finish: NDArray[np.int64]
) -> Changes:
    """Return the changes of orders whose activities never overlap: each starts, ends, and the next one starts."""
    if not len(place):
        return place, place, place.astype(np.bool_)
    after = np.zeros(len(place), dtype=np.bool_)
    after[:-1] = (order[place[1:]] == order[place[:-1]]) & (begin[place[1:]] == finish[place[:-1]])
    ends = ~after & (finish[place] != RUNNING)
    where = np.repeat(place, 1 + ends)
    ended = np.zeros(len(where), dtype=np.bool_)
    ended[1:] = where[1:] == where[:-1]
    return where, np.where(ended, finish[where], begin[where]), ended


def _tangled_changes(offset: int, begin: NDArray[np.int64], finish: NDArray[np.int64]) -> Changes:
    """Return the changes of one order whose activities overlap."""
    found = list(_sweep(begin.tolist(), finish.tolist()))
    place, at, ended = (np.array(column) for column in zip(*found, strict=True))
    return place + offset, at, ended.astype(np.bool_)


def _sweep(begin: list[int], finish: list[int]) -> Iterator[tuple[int, int, bool]]:
    """Yield (activity, moment, whether it has ended) at every moment at which something starts or ends.

    Activities come sorted by begin, so a later place means started later, or later in the log.
    """
    starts, ends = 0, sorted(range(len(finish)), key=lambda i: (finish[i], i))
    current: list[int] = []  # running activities, the last started on top
    last_ended = -1
    ended = 0
    moments = sorted({*begin, *(moment for moment in finish if moment != RUNNING)})
    for moment in moments:
        while starts < len(begin) and begin[starts] == moment:
            if finish[starts] == moment:
                yield starts, moment, False
            else:
                heapq.heappush(current, -starts)
            starts += 1
        while ended < len(ends) and finish[ends[ended]] <= moment:
            # Of several that end together the one at the greatest place started last, and comes last here.
            last_ended = ends[ended]
            ended += 1
        while current and finish[-current[0]] <= moment:
            heapq.heappop(current)
        if current:
            yield -current[0], moment, False
        elif last_ended >= 0:
            yield last_ended, moment, True
