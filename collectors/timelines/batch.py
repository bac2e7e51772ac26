"""A batch of status changes: whole orders, sorted, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class EventBatch:
    """Status changes of whole orders; every column has one value an event, and the columns keep the same order.

    ``order``: the order's number, equal values adjacent. ``at``: microseconds since 1970 UTC. ``code``: status code
    (see Codebook; codes beyond the known ones are unknown statuses). ``source``: the system's number, or -1.
    ``sequence``: the number within (order, source), or -1. ``attributes``: for each attribute the number of its
    value, or -1 where the event has none.
    """

    order: NDArray[np.int64]
    at: NDArray[np.int64]
    code: NDArray[np.int64]
    source: NDArray[np.int64] | None = None
    sequence: NDArray[np.int64] | None = None
    attributes: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.order)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> EventBatch:
        """Return the chosen events (a mask, or positions in their new order)."""
        return EventBatch(
            order=self.order[chosen],
            at=self.at[chosen],
            code=self.code[chosen],
            source=None if self.source is None else self.source[chosen],
            sequence=None if self.sequence is None else self.sequence[chosen],
            attributes={name: values[chosen] for name, values in self.attributes.items()},
        )

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """The position of each order's first event."""
        return np.flatnonzero(self.begins)

    @cached_property
    def begins(self) -> NDArray[np.bool_]:
        """Whether an event is the first one of its order."""
        begins = np.empty(len(self), dtype=np.bool_)
        begins[:1] = True
        np.not_equal(self.order[1:], self.order[:-1], out=begins[1:])
        return begins

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The number of events of each order."""
        return np.diff(np.append(self.first, len(self)))

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """For each event the place of its order among the batch's orders."""
        return np.repeat(np.arange(len(self.first)), self.counts)
