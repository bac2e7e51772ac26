"""How long an alert was pending and firing: its `for` and `keep_firing_for` applied to when its expression held.

Prometheus evaluates no alerts over backfilled time, so this is done here, as its rules/alerting.go does it; a test
holds it against `promtool test rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime, timedelta


@dataclass(frozen=True)
class Episode:
    """One alert from when its expression began to hold. ``until``: its first moment inactive, None if it lasts on.

    ``firing``: when it began to fire, None if it never did.
    """

    labels: Mapping[str, str]
    since: datetime
    firing: datetime | None
    until: datetime | None


def episodes(
    labels: Mapping[str, str],
    evaluated: Sequence[datetime],
    held: AbstractSet[datetime],
    for_: timedelta,
    keep: timedelta,
) -> Iterator[Episode]:
    """Yield the episodes of one series of an alert. ``held``: the evaluations at which its expression gave it."""
    since: datetime | None = None
    firing: datetime | None = None
    kept: datetime | None = None  # since when it fires only because it is kept
    for now in evaluated:
        if now in held:
            since, kept = since or now, None
            if firing is None and now - since >= for_:
                firing = now
        elif since is not None:
            kept = kept or now
            if firing is None or not keep or now - kept >= keep:
                yield Episode(labels, since, firing, now)
                since = firing = kept = None
    if since is not None:
        yield Episode(labels, since, firing, None)
