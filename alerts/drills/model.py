"""What a drill is, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from alerts.drills.episodes import Episode
    from alerts.drills.run import Run

MINUTE: Final = timedelta(minutes=1)
ALWAYS: Final = frozenset({"Watchdog"})
MOST_OTHERS: Final = 2
NO_COLLECTOR: Final = ("SignalsMissing",)  # of a house in which there is none to compute them


@dataclass(frozen=True)
class Named:
    """An alert that a drill is about, by its name and those labels that must be right, such as the stage."""

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is the one that is meant."""
        return all(labels.get(name) == value for name, value in self.labels.items())


@dataclass(frozen=True)
class Drill:
    """A fault with a name. ``play`` runs the house, breaks it, mends it.

    ``fires``: what must fire, and end. ``also``: what may fire besides, for a good reason. ``silent``: what must not;
    ``calm``: nothing may but what is in ``also``, since a house has to bear this without waking anybody.
    ``step``: how often the house is scraped. ``quick``: it takes seconds. ``within``: how soon all of ``fires`` fire.
    """

    name: str
    says: str
    play: Callable[[Run], Awaitable[None]]
    fires: tuple[Named, ...]
    also: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    calm: bool = False
    jobs: tuple[str, ...] = ("collector",)
    step: timedelta = MINUTE
    within: timedelta = timedelta(hours=1)
    quick: bool = True


@dataclass(frozen=True)
class Fired:
    """What became of one of the alerts that a drill is about. ``after``: since the fault began; None: it never did.

    ``right``: none of its name fired elsewhere first, at another stage, say.
    """

    named: Named
    after: timedelta | None
    right: bool
    cleared: bool
    cleared_after: timedelta | None

    def document(self) -> dict[str, Any]:
        """Return it as JSON, durations in seconds."""
        return {
            "alert": self.named.alert,
            "labels": dict(self.named.labels),
            "fired": self.after is not None,
            "after_s": None if self.after is None else self.after.total_seconds(),
            "right": self.right,
            "cleared": self.cleared,
            "cleared_after_s": None if self.cleared_after is None else self.cleared_after.total_seconds(),
        }


@dataclass(frozen=True)
class Outcome:
    """What came of a drill. ``begun``, ``mended``: the fault's own time. ``failure``: it could not be played."""

    drill: Drill
    fired: tuple[Fired, ...] = ()
    others: tuple[str, ...] = ()
    broke_silence: tuple[str, ...] = ()
    episodes: Mapping[str, list[Episode]] = field(default_factory=dict)
    begun: datetime | None = None
    mended: datetime | None = None
    seconds: float = 0.0
    failure: str | None = None

    @property
    def faults(self) -> list[str]:
        """Why it did not pass, in sentences; none where it did."""
        if self.failure is not None:
            return [self.failure]
        found = []
        for one in self.fired:
            name = one.named.alert
            if one.after is None:
                found.append(f"{name} did not fire")
                continue
            if one.after > self.drill.within:
                found.append(f"{name} fired after {one.after}, later than {self.drill.within}")
            if not one.right:
                found.append(f"{name} named something else first")
            if not one.cleared:
                found.append(f"{name} did not clear")
        found += [f"{name} fired, and must not" for name in self.broke_silence]
        if self.drill.calm and self.others:
            found.append(f"{', '.join(self.others)} fired, and nothing must")
        elif len(self.others) > MOST_OTHERS:
            found.append(f"{len(self.others)} others fired: {', '.join(self.others)}")
        return found

    @property
    def passed(self) -> bool:
        """Whether the alerts did what the drill demands."""
        return not self.faults

    def document(self) -> dict[str, Any]:
        """Return it as JSON, durations in seconds, moments of the house's own clock."""
        return {
            "drill": self.drill.name,
            "says": self.drill.says,
            "passed": self.passed,
            "faults": self.faults,
            "begun": None if self.begun is None else self.begun.isoformat(),
            "mended": None if self.mended is None else self.mended.isoformat(),
            "alerts": [one.document() for one in self.fired],
            "others": list(self.others),
            "seconds": round(self.seconds, 1),
        }
