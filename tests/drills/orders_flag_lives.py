"""The rest of orders' lives in the simulated house, drawn from its true laws for many orders at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.drills.orders_flag_bound import (
    APPROVAL,
    ASSIGNMENT,
    CUSTOMER,
    LAST_ATTEMPT,
    MANUFACTURING,
    PACKING,
    PACKING_QUEUE,
    PRICE_QUEUE,
    PRICING,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.drills.orders_flag_bound import Bools, Floats, Knower


class Traits(NamedTuple):
    """What the laws of orders depend on [n]: ``times`` [n, 8 or more], how often each has entered each stage."""

    patience: Floats
    effort: Floats
    times: NDArray[np.int64]


class Lives:
    """The rest of the lives of some orders: ``moment`` is how far each has been drawn (hours), ``paused`` since now.

    Orders that are cancelled end at no time.
    """

    def __init__(self, knower: Knower, now: float, stage: int, since: Floats, orders: Traits) -> None:
        self.knower, self.now, self.count = knower, now, len(since)
        self.patience, self.effort = orders.patience, orders.effort
        self.times = orders.times.copy()
        self.moment, self.paused = since.astype(np.float64).copy(), np.zeros(len(since))
        self.gone = np.zeros(len(since), dtype=np.bool_)
        self.stage = np.full(len(since), stage)

    def drawn(self) -> tuple[Floats, Floats, Bools]:
        """Return when each order ends, how long its clock stands from now on, and whether it is cancelled."""
        steps = {
            PRICE_QUEUE: self._price_queue,
            PRICING: self._pricing,
            APPROVAL: self._approval,
            CUSTOMER: self._customer,
            ASSIGNMENT: self._assignment,
            MANUFACTURING: self._manufacturing,
            PACKING_QUEUE: self._packing_queue,
            PACKING: self._packing,
        }
        while (self.stage < PACKING + 1).any():
            for number, step in steps.items():
                rows = np.flatnonzero(self.stage == number)
                if len(rows):
                    step(rows)
        return self.moment, self.paused, self.gone

    def _go(self, rows: NDArray[np.int64], moment: Floats, stage: NDArray[np.int64] | int) -> None:
        self.moment[rows] = moment
        self.stage[rows] = stage
        to = self.stage[rows]
        ahead = to <= PACKING
        self.times[rows[ahead], to[ahead]] += 1

    def _ones(self, rows: NDArray[np.int64]) -> Floats:
        return np.ones(len(rows))

    def _again(self, rows: NDArray[np.int64], stage: int) -> Bools:
        return np.asarray(self.times[rows, stage] > 1)

    def _may_repeat(self, rows: NDArray[np.int64], stage: int) -> Bools:
        return np.asarray(self.times[rows, stage] < LAST_ATTEMPT)

    def _price_queue(self, rows: NDArray[np.int64]) -> None:
        k = self.knower
        for again, law in ((False, k.house.upload), (True, k.house.repair_mesh)):
            at = rows[self._again(rows, PRICE_QUEUE) == again]
            self._go(at, k.waited(PRICE_QUEUE, k.workers, law, self._ones(at), self.moment[at], self.now), PRICING)

    def _pricing(self, rows: NDArray[np.int64]) -> None:
        k = self.knower
        done = k.worked(PRICING, k.workers, k.house.pricing, self._ones(rows), self.moment[rows], self.now)
        fails = k.happens(k.house.price_fails, len(rows)) & self._may_repeat(rows, PRICING)
        self._go(rows, done, np.where(fails, PRICE_QUEUE, APPROVAL))

    def _approval(self, rows: NDArray[np.int64]) -> None:
        k, house = self.knower, self.knower.house
        again = self._again(rows, APPROVAL)
        scale = self.patience[rows] * np.where(again, house.second_dialogue, 1.0)
        met = k.waited(APPROVAL, k.sales, house.dialogue, scale, self.moment[rows], self.now)
        done = k.sales.after(met, k.draw(house.approving, self._ones(rows)))
        ends = ~again & k.happens(1 - (1 - house.rejected) * (1 - house.withdrawn), len(rows))
        asks = k.happens(house.asks_customer, len(rows)) & self._may_repeat(rows, APPROVAL)
        self.gone[rows[ends]] = True
        self._go(rows, done, np.where(ends, PACKING + 1, np.where(asks, CUSTOMER, ASSIGNMENT)))

    def _customer(self, rows: NDArray[np.int64]) -> None:
        k = self.knower
        entered = self.moment[rows]
        scale = k.factor(CUSTOMER, entered)
        answered = entered + k.draw(k.house.answer, scale, np.maximum(self.now - entered, 0.0))
        self.paused[rows] += answered - np.maximum(entered, self.now)
        ends = k.happens(k.house.cancelled_by_customer, len(rows))
        self.gone[rows[ends]] = True
        self._go(rows, answered, np.where(ends, PACKING + 1, APPROVAL))

    def _assignment(self, rows: NDArray[np.int64]) -> None:
        k = self.knower
        scale = np.where(self._again(rows, ASSIGNMENT), k.house.second_material, 1.0)
        law = k.house.material
        self._go(rows, k.waited(ASSIGNMENT, k.workshop, law, scale, self.moment[rows], self.now), MANUFACTURING)

    def _manufacturing(self, rows: NDArray[np.int64]) -> None:
        polishing = self.times[rows, MANUFACTURING] > self.times[rows, ASSIGNMENT]
        self._polish(rows[polishing])
        self._make(rows[~polishing])

    def _polish(self, rows: NDArray[np.int64]) -> None:
        k = self.knower
        law = k.house.polishing
        done = k.worked(MANUFACTURING, k.workshop, law, self._ones(rows), self.moment[rows], self.now)
        self._go(rows, done, PACKING_QUEUE)

    def _make(self, rows: NDArray[np.int64]) -> None:
        """Make the piece; that a casting fails is the less likely the longer it has been at work."""
        k, house = self.knower, self.knower.house
        entered = self.moment[rows]
        spent = np.where(
            entered < self.now, k.workshop.done(np.full(len(rows), self.now)) - k.workshop.done(entered), 0.0
        )
        scale = self.effort[rows] * k.factor(MANUFACTURING, entered)
        whole, failed = (
            np.exp(k.above(house.manufacturing, scale * part, spent)) for part in (1.0, house.failed_casting_work)
        )
        weight = house.casting_fails * self._may_repeat(rows, ASSIGNMENT)
        fails = k.happens(weight * failed / np.maximum(weight * failed + (1 - weight) * whole, 1e-300), len(rows))
        part = self.effort[rows] * np.where(fails, house.failed_casting_work, 1.0)
        done = k.worked(MANUFACTURING, k.workshop, house.manufacturing, part, entered, self.now)
        self._go(rows, done, np.where(fails, ASSIGNMENT, PACKING_QUEUE))

    def _packing_queue(self, rows: NDArray[np.int64]) -> None:
        """Wait for the hallmark, or before that for the inspection that sends a piece back."""
        k, house = self.knower, self.knower.house
        entered = self.moment[rows]
        once = self.times[rows, PACKING_QUEUE] == 1
        inside = [
            np.where(entered < self.now, np.maximum(duty.last_close(self.now) - entered, 0.0), 0.0)
            for duty in (k.packers, k.workshop)
        ]
        scale = k.factor(PACKING_QUEUE, entered)
        passes = np.exp(k.above(house.hallmarking, scale, inside[0])) * (1 - house.inspection_fails)
        returns = np.exp(k.above(house.inspection, scale, inside[1])) * house.inspection_fails
        fails = once & k.happens(returns / np.maximum(passes + returns, 1e-300), len(rows))
        for chosen, duty, law, to in (
            (fails, k.workshop, house.inspection, MANUFACTURING),
            (~fails, k.packers, house.hallmarking, PACKING),
        ):
            at = rows[chosen]
            self._go(at, k.waited(PACKING_QUEUE, duty, law, self._ones(at), self.moment[at], self.now), to)

    def _packing(self, rows: NDArray[np.int64]) -> None:
        k = self.knower
        done = k.worked(PACKING, k.packers, k.house.packing, self._ones(rows), self.moment[rows], self.now)
        self._go(rows, done, PACKING + 1)
