"""The best that any flag could do in the simulated house: chances by one who knows its true laws.

Monte Carlo from the very state that the flag sees: the rest of the stay in the current stage is drawn from its true law
given how long it has lasted, all that follows as the house itself draws it (laws, calendars, rework, slow-downs). The
knower sees more than the flag: every attempt so far, and settings that no collector can know. It is asked before the
house opens, when nobody is being served, so queues at the moment of asking hide nothing; later waits for a server
are left out, which the house's utilisations (at most 0.5) make short.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.simulation.settings import HOUSE, House, Lognormal, Staff

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

WEEK_H: Final = 168.0
PRICE_QUEUE, PRICING, APPROVAL, CUSTOMER, ASSIGNMENT, MANUFACTURING, PACKING_QUEUE, PACKING = range(8)
LAST_ATTEMPT: Final = 3
_Z: Final = np.linspace(-8.0, 8.0, 8001)
_ABOVE: Final = np.array([math.log(max(math.erfc(z / math.sqrt(2)) / 2, 1e-300)) for z in _Z])


class Duty:
    """A group's duty hours on arrays; moments are hours since a Monday, 00:00."""

    def __init__(self, staff: Staff) -> None:
        spans = sorted((24.0 * day + s.opens, 24.0 * day + s.closes) for s in staff.shifts for day in s.weekdays)
        merged = [list(spans[0])]
        for opens, closes in spans[1:]:
            if opens <= merged[-1][1]:
                merged[-1][1] = closes
            else:
                merged.append([opens, closes])
        table = np.array(merged)
        self.opens, self.closes = table[:, 0], table[:, 1]
        self.before = np.concatenate([[0.0], np.cumsum(self.closes - self.opens)])
        gaps = np.append(self.opens[1:], self.opens[0] + WEEK_H) - self.closes
        self.mean_closure = float((gaps**2).sum() / (2 * WEEK_H))

    def next_open(self, moment: Floats) -> Floats:
        """Return the first moment on duty, this one or later."""
        week, within = np.divmod(moment, WEEK_H)
        span = np.searchsorted(self.closes, within, side="right")
        opens = np.append(self.opens, WEEK_H + self.opens[0])[span]
        return np.asarray(week * WEEK_H + np.maximum(within, opens))

    def done(self, moment: Floats) -> Floats:
        """Return the duty time before each moment."""
        week, within = np.divmod(moment, WEEK_H)
        span = np.maximum(np.searchsorted(self.opens, within, side="right") - 1, 0)
        part = np.clip(within - self.opens[span], 0, self.closes[span] - self.opens[span])
        return np.asarray(week * self.before[-1] + self.before[span] + part)

    def after(self, moment: Floats, work: Floats) -> Floats:
        """Return when this much duty time has passed."""
        weeks, rest = np.divmod(self.done(moment) + work, self.before[-1])
        span = np.clip(np.searchsorted(self.before, rest, side="left") - 1, 0, len(self.opens) - 1)
        return np.asarray(np.maximum(moment, weeks * WEEK_H + self.opens[span] + rest - self.before[span]))

    def last_close(self, moment: float) -> float:
        """Return the last moment up to now at which somebody was there."""
        week, within = divmod(moment, WEEK_H)
        if self.opens[0] > within:
            return (week - 1) * WEEK_H + float(self.closes[-1])
        span = int(np.searchsorted(self.opens, within, side="right")) - 1
        return week * WEEK_H + min(float(self.closes[span]), within)


class Knower:
    """Draws the rest of orders' lives. ``slow``: for each stage from which hour on it is how many times slower."""

    def __init__(self, rng: np.random.Generator, slow: dict[int, tuple[float, float]], house: House = HOUSE) -> None:
        self.rng, self.slow, self.house = rng, slow, house
        staffs = (house.workers, house.sales, house.workshop, house.packers)
        self.workers, self.sales, self.workshop, self.packers = (Duty(staff) for staff in staffs)
        dialogue = (1 - house.b2b_share * house.b2b_dialogue) / (1 - house.b2b_share)
        self.patience = {"shop": dialogue, "b2b": house.b2b_dialogue}
        self.effort = {product.name: product.effort for product in house.products}

    def draw(self, law: Lognormal, scale: Floats, beyond: Floats | float = 0.0) -> Floats:
        """Draw times of a law times ``scale`` that are longer than ``beyond`` (hours)."""
        variance = math.log1p(law.cv**2)
        mean, spread = math.log(law.mean_h) - variance / 2, math.sqrt(variance)
        above = self.above(law, scale, beyond)
        log_chance = above + np.log(np.maximum(self.rng.random(len(scale)), 1e-300))
        z = np.interp(-log_chance, -_ABOVE, _Z)
        return np.asarray(np.maximum(np.exp(mean + spread * z) * scale, beyond))

    def above(self, law: Lognormal, scale: Floats, beyond: Floats | float) -> Floats:
        """Return the logarithm of the chance of a time longer than ``beyond``."""
        variance = math.log1p(law.cv**2)
        mean, spread = math.log(law.mean_h) - variance / 2, math.sqrt(variance)
        z = (np.log(np.maximum(beyond, 1e-12) / scale) - mean) / spread
        return np.asarray(np.interp(z, _Z, _ABOVE))

    def happens(self, chance: Floats | float, count: int) -> Bools:
        """Draw whether something happens."""
        return np.asarray(self.rng.random(count) < chance)

    def factor(self, stage: int, entered: Floats) -> Floats:
        """Return how many times slower the stage is for those who enter it then."""
        since, factor = self.slow.get(stage, (np.inf, 1.0))
        return np.where(entered >= since, factor, 1.0)

    def waited(self, stage: int, duty: Duty, law: Lognormal, scale: Floats, entered: Floats, now: float) -> Floats:
        """Return when a wait in a stage ends; for those who entered before now, given that it has not ended."""
        factor = self.factor(stage, entered)
        pushed = (factor - 1) * duty.mean_closure
        inside = np.where(entered < now, np.maximum(duty.last_close(now) - entered - pushed, 0.0), 0.0)
        wait = self.draw(law, scale * factor, inside)
        return duty.next_open(entered + np.maximum(wait + pushed, 0.0))

    def worked(self, stage: int, duty: Duty, law: Lognormal, scale: Floats, entered: Floats, now: float) -> Floats:
        """Return when work in a stage ends; for those who entered before now, given that it has not ended."""
        scale = scale * self.factor(stage, entered)
        spent = np.where(entered < now, duty.done(np.full(len(entered), now)) - duty.done(entered), 0.0)
        return duty.after(entered, self.draw(law, scale, spent))
