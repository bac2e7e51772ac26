"""Judging a drill: what fired, against what had to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.drills.model import ALWAYS, Drill, Fired, Named, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from alerts.drills.episodes import Episode


def judge(drill: Drill, found: Mapping[str, Sequence[Episode]], begun: datetime, mended: datetime) -> Outcome:
    """Return what came of a drill. ``found``: the episodes of every alert; what only was pending does not count."""
    fired = {name: [one for one in every if one.firing is not None] for name, every in found.items()}
    fired = {name: every for name, every in fired.items() if every and name not in ALWAYS}
    expected = {named.alert for named in drill.fires} | {*drill.also, *drill.silent}
    return Outcome(
        drill,
        tuple(_fired(named, fired.get(named.alert, ()), begun, mended) for named in drill.fires),
        tuple(sorted(set(fired) - expected)),
        tuple(sorted(set(fired) & set(drill.silent))),
        fired,
        begun,
        mended,
    )


def _fired(named: Named, every: Sequence[Episode], begun: datetime, mended: datetime) -> Fired:
    """Judge one alert. What fired before the fault began is somebody else's."""
    since = sorted((one for one in every if one.firing and one.firing >= begun), key=lambda one: one.firing or begun)
    own = [one for one in since if named.fits(one.labels)]
    if not own or own[0].firing is None:
        return Fired(named, None, right=False, cleared=False, cleared_after=None)
    ends = [one.until for one in own]
    last = max((end for end in ends if end is not None), default=None)
    cleared = None not in ends
    return Fired(
        named,
        own[0].firing - begun,
        right=since[0].firing == own[0].firing,
        cleared=cleared,
        cleared_after=last - mended if cleared and last is not None else None,
    )
