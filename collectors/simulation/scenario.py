"""What is to be simulated: how long, how many orders, and which stages are slowed since when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from collectors.simulation.settings import STAGES
from instrumentation.errors import BadInput

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
# The calendar of the moments that Python's datetime can hold ends in the year 9999.
LONGEST_DAYS = 36_500

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_SHAPE = "write STAGE=1.6x@DAY (times 1.6 from that day on) or STAGE=+8d@DAY (8 days more)"


@dataclass(frozen=True, slots=True)
class Slowdown:
    """A stage that is slower for every order that enters it from a day on (days since the start of the log).

    `factor` multiplies the stage's own waiting or work; `added` keeps an order there, and occupies nobody.
    """

    stage: str
    from_day: float
    factor: float = 1.0
    added: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        """Refuse what the house does not have."""
        if self.stage not in STAGES:
            raise BadInput(f"Unknown stage {self.stage!r} in a slowdown; the stages are: {', '.join(STAGES)}.")
        if not 0 <= self.from_day <= LONGEST_DAYS:
            raise BadInput(
                f"Slowdown of {self.stage!r} from day {self.from_day}; "
                f"give the days since the start, 0 to {LONGEST_DAYS}."
            )
        if not 0 < self.factor <= 1000:
            raise BadInput(f"Slowdown of {self.stage!r} by {self.factor}x; give a factor above 0, at most 1000.")
        if not timedelta(0) <= self.added <= timedelta(days=LONGEST_DAYS):
            raise BadInput(f"Slowdown of {self.stage!r} by {self.added}; give 0 to {LONGEST_DAYS} days.")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run of the house over days [0, `days`) from `start`; the same scenario gives the same log.

    `orders_per_day` counts orders begun (INITIATED), as a mean over the week; the house is staffed for it.
    """

    days: int
    orders_per_day: float
    seed: int = 0
    slowdowns: tuple[Slowdown, ...] = ()
    start: datetime = MONDAY

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if not 1 <= self.days <= LONGEST_DAYS:
            raise BadInput(f"Cannot simulate {self.days} days; give 1 to {LONGEST_DAYS}.")
        if not 0 < self.orders_per_day <= 1_000_000:
            raise BadInput(f"Cannot simulate {self.orders_per_day} orders a day; give more than 0, at most a million.")
        if self.seed < 0:
            raise BadInput(f"Cannot seed the simulation with {self.seed}; give a whole number, 0 or more.")
        if self.start.tzinfo is None or not 1970 <= self.start.year < 9000:
            raise BadInput(f"Cannot start at {self.start}; give a moment with its time zone, from 1970 on.")


def parse_slowdown(text: str) -> Slowdown:
    """Read `STAGE=1.6x@DAY` or `STAGE=+8d@DAY`, as `--slow` takes it; BadInput says what is wrong with it."""
    stage, equals, rest = text.partition("=")
    effect, at, day = rest.partition("@")
    stage = stage.strip()
    if not (equals and at and stage):
        raise BadInput(f"Cannot read --slow {text!r}: {_SHAPE}.")
    if stage not in STAGES:
        raise BadInput(f"Unknown stage {stage!r} in --slow {text!r}; the stages are: {', '.join(STAGES)}.")
    from_day = _number(day, text, "the day")
    effect = effect.strip()
    if effect.endswith("x"):
        return Slowdown(stage, from_day, factor=_number(effect[:-1], text, "the factor"))
    if effect.startswith("+"):
        return Slowdown(stage, from_day, added=_duration(effect[1:], text))
    raise BadInput(f"Cannot read {effect!r} in --slow {text!r}: {_SHAPE}.")


def _number(written: str, text: str, what: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", written.strip(), re.ASCII):
        raise BadInput(f"Cannot read {what} {written!r} in --slow {text!r}: {_SHAPE}.")
    return float(written)


def _duration(written: str, text: str) -> timedelta:
    """Read `30s 15m 2h 21d 3w` and sums of them (`1d12h`)."""
    if not _DURATION.fullmatch(written):
        raise BadInput(
            f"Cannot read the duration {written!r} in --slow {text!r}; write it like 30s, 15m, 2h, 21d, 3w or 1d12h."
        )
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(written))
    if seconds > LONGEST_DAYS * 86_400:
        raise BadInput(f"The duration {written!r} in --slow {text!r} is too long; give at most {LONGEST_DAYS} days.")
    return timedelta(seconds=seconds)
