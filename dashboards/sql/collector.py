"""Queries of the collector's database: promises by month, orders in flight, one order's journey.

The time that an order spent in each stage lies packed in ``orders.stages``: rows of 64-bit little-endian microseconds,
one value a stage (collectors.live.rows). SQL reads it byte by byte; tests hold the answers against the kernel's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from collectors.live.rows import STAGE_COLUMNS
from collectors.timelines.codebook import NO_BUDGET, Codebook
from dashboards.sql import text
from dashboards.sql.text import FROM_US, NOW_US, TO_US, chosen, column, days, listed, moment, month, quoted
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collectors.promise import PromiseFile

MICROSECOND: Final = timedelta(microseconds=1)
LONGEST_LIST: Final = 200
# `orders.settled` (collectors.timelines.judging): kept, broken, and what may still be either.
KEPT, BROKEN, OPEN = 2, 3, 4


@dataclass(frozen=True)
class CollectorSql:
    """The queries for one promise."""

    promise: PromiseFile

    @cached_property
    def codebook(self) -> Codebook:
        """Stage numbers and budgets."""
        return Codebook(self.promise)

    @property
    def zone(self) -> str:
        """The time zone that months are in."""
        return self.promise.log.timezone

    def packed(self, measure: str, stage: int) -> str:
        """Return a stage's value of one of the packed columns; these are never negative."""
        begin = 8 * (STAGE_COLUMNS.index(measure) * len(self.codebook.stages) + stage)
        byte = f"get_byte(o.stages, {begin} + b)::bigint << (8 * b)"
        return f"(SELECT sum({byte}) FROM generate_series(0, 6) b)::bigint"

    def stage_us(self, stage: int) -> str:
        """Return an order's time in a stage so far."""
        running = f"CASE WHEN o.tail_stage = {stage} THEN greatest({NOW_US} - o.tail_from, 0) ELSE 0 END"
        return f"({self.packed('stage_us', stage)} + coalesce({running}, 0))"

    @property
    def due(self) -> str:
        """The promise moment: the promised length or moment, put off by the time in stages that pause the clock."""
        pauses = [number for number, pause in enumerate(self.codebook.pauses.tolist()) if pause]
        return " + ".join([self._promised, *map(self.stage_us, pauses)])

    @property
    def _promised(self) -> str:
        terms = self.promise.promise
        if terms.by is not None:
            return self._carried(terms.by)
        whens = [
            f"WHEN {' AND '.join(f'{self.attribute(key)} = {quoted(value)}' for key, value in o.when.items())}"
            f" THEN {o.within // MICROSECOND}"
            for o in terms.overrides
        ]
        usual = str((terms.within or timedelta()) // MICROSECOND)
        length = f"CASE {' '.join(whens)} ELSE {usual} END" if whens else usual
        return f"o.start_at + {length}"

    def _carried(self, name: str) -> str:
        if self.promise.log.time_format is not None:
            raise BadInput(
                f"dashboards cannot read `{name}` as a promise moment: PostgreSQL does not know `log.time_format`;"
                " have the log carry ISO 8601 and leave `time_format` out"
            )
        value, zone = self.attribute(name), quoted(self.zone)
        naive = f"({value})::timestamp AT TIME ZONE {zone}"
        exact = f"CASE WHEN {value} ~ '(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$' THEN ({value})::timestamptz ELSE {naive} END"
        if self.promise.promise.by_day:
            day = f"date_trunc('day', {exact}, {zone}) + interval '1 day' - interval '1 microsecond'"
            return f"(extract(epoch FROM {day}) * {text.SECOND})::bigint"
        return f"(extract(epoch FROM {exact}) * {text.SECOND})::bigint"

    @staticmethod
    def attribute(name: str) -> str:
        """Return one of an order's attributes."""
        return f"(o.attributes::json ->> {quoted(name)})"

    @property
    def stage_name(self) -> str:
        """The name of the stage that an order is in."""
        cases = {str(number): quoted(name) for number, name in enumerate(self.codebook.stages)}
        return chosen("o.tail_stage", cases)

    @property
    def stage_budget(self) -> str:
        """The elapsed budget of the stage that an order is in, in microseconds; NULL where it has none."""
        return chosen("o.tail_stage", {str(stage): str(budget) for stage, budget in self.budgets.items()})

    @cached_property
    def budgets(self) -> dict[int, int]:
        """The elapsed budgets in microseconds, by stage number; working time is not counted by SQL."""
        budgets = zip(self.codebook.budget_us.tolist(), self.codebook.working.tolist(), strict=True)
        return {n: budget for n, (budget, working) in enumerate(budgets) if budget != NO_BUDGET and not working}

    def over_us(self, stage: int) -> str | None:
        """Return an ended order's time over a stage's budget; None where the stage has none."""
        if self.codebook.budget_us[stage] == NO_BUDGET:
            return None
        if self.codebook.working[stage]:
            return self.packed("late_us", stage)
        return f"greatest({self.packed('stage_us', stage)} - {self.codebook.budget_us[stage]}, 0)"

    def _judged(self) -> str:
        """Return orders that have a verdict by now, as a table: `due`, `late` (by how much, where broken), `kept`."""
        return f"""judged AS (
  SELECT o.start_at, o.end_at, d.due,
         o.settled = {KEPT} AS kept,
         CASE WHEN o.settled <> {KEPT} THEN coalesce(o.end_at, {NOW_US}) - d.due END AS late
  FROM orders o CROSS JOIN LATERAL (SELECT {self.due} AS due) d
  WHERE o.settled IN ({KEPT}, {BROKEN}, {OPEN}) AND d.due BETWEEN {FROM_US} AND least({TO_US}, {NOW_US})
)"""

    def kept_by_month(self) -> str:
        """Return the share of promises kept, by the month of the promise moment."""
        return f"""WITH {self._judged()}
SELECT {month("due", self.zone)} AS month, avg(kept::int)::float AS "kept"
FROM judged GROUP BY 1 ORDER BY 1"""

    def verdicts_by_month(self) -> str:
        """Return promises kept and broken, by the month of the promise moment."""
        return f"""WITH {self._judged()}
SELECT {month("due", self.zone)} AS month, count(*) FILTER (WHERE kept) AS "kept",
       count(*) FILTER (WHERE NOT kept) AS "broken"
FROM judged GROUP BY 1 ORDER BY 1"""

    def cost_by_month(self) -> str | None:
        """Return what lateness cost, by the month of the promise moment; None where the promise names no cost."""
        cost = self.promise.cost_per_day_late
        if cost is None:
            return None
        return f"""WITH {self._judged()}
SELECT {month("due", self.zone)} AS month, sum({days("late")} * {cost}) AS "cost of lateness"
FROM judged WHERE NOT kept GROUP BY 1 ORDER BY 1"""

    def lead_by_month(self) -> str:
        """Return the median and the P90 of lead times in days, by the month in which orders ended."""
        lead = days("o.end_at - o.start_at")
        within = self.promise.promise.within
        promised = "" if within is None else f', {within / timedelta(days=1)}::float AS "promised"'
        return f"""SELECT {month("o.end_at", self.zone)} AS month,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {lead}) AS "median",
       percentile_cont(0.9) WITHIN GROUP (ORDER BY {lead}) AS "P90"{promised}
FROM orders o WHERE o.settled IN ({KEPT}, {BROKEN}) AND o.end_at BETWEEN {FROM_US} AND {TO_US}
GROUP BY 1 ORDER BY 1"""

    def rescued_by_month(self) -> str:
        """Return by the month of their end, how many orders ended late that each stage alone would have saved."""
        stages = [(n, name, over) for n, name in enumerate(self.codebook.stages) if (over := self.over_us(n))]
        overs = ", ".join(f"{over} AS over_{n}" for n, _, over in stages)
        counts = ",\n       ".join(
            f"count(*) FILTER (WHERE over_{n} > 0 AND end_at - over_{n} <= due) AS {column(name)}"
            for n, name, _ in stages
        )
        return f"""WITH late AS (
  SELECT o.end_at, {self.due} AS due{f", {overs}" if overs else ""}
  FROM orders o WHERE o.settled = {BROKEN} AND o.end_at BETWEEN {FROM_US} AND {TO_US}
)
SELECT {month("end_at", self.zone)} AS month,
       {counts or 'count(*) AS "late"'}
FROM late GROUP BY 1 ORDER BY 1"""

    def longest_in_stage(self) -> str:
        """Return the orders that have been longest in the chosen stages, with their promise."""
        segments = "".join(f", {self.attribute(name)} AS {column(name)}" for name in self.promise.segments)
        inside = days(f"{NOW_US} - o.stage_since")
        return f"""SELECT o.name AS "order", {self.stage_name} AS stage, {moment("o.stage_since")} AS since,
       {inside} AS "days in stage", ({NOW_US} - o.stage_since)::float / ({self.stage_budget}) AS "of budget",
       {moment("d.due")} AS "promise moment", {days(f"d.due - {NOW_US}")} AS "days left"{segments}
FROM orders o CROSS JOIN LATERAL (SELECT {self.due} AS due) d
WHERE o.settled = {OPEN} AND {self.stage_name} IN (${{stage:sqlstring}})
ORDER BY o.stage_since LIMIT {LONGEST_LIST}"""

    def order_summary(self) -> str:
        """Return where one order stands."""
        now = f"coalesce(o.end_at, o.cancelled_at, {NOW_US})"
        standing = chosen("o.settled", {"1": "'cancelled'", str(KEPT): "'kept'", str(BROKEN): "'broken'"}, "'open'")
        late = f"CASE WHEN o.settled = {OPEN} AND d.due < {NOW_US} THEN 'broken' ELSE {standing} END"
        return f"""SELECT o.name AS "order", {late} AS promise, {self.stage_name} AS stage,
       {moment("o.stage_since")} AS "in it since", {moment("o.start_at")} AS started, {moment("o.end_at")} AS ended,
       {moment("d.due")} AS "promise moment", {days(f"d.due - {now}")} AS "days left",
       o.events, o.skewed AS "clock skews", o.gap = 1 AS "lacks an event"
FROM orders o CROSS JOIN LATERAL (SELECT {self.due} AS due) d
WHERE o.name = ${{order:sqlstring}} AND o.events > 0"""

    def order_states(self) -> str:
        """Return an order's status and stage over time."""
        cases = {
            quoted(status): quoted(self.codebook.stages[self.codebook.stage_of[code]])
            for status, code in self.codebook.code_of.items()
        }
        known = listed(self.codebook.statuses)
        return f"""SELECT {moment("e.at")} AS time, e.status AS status, {chosen("e.status", cases)} AS stage
FROM events e JOIN orders o ON o.number = e.order_number
WHERE o.name = ${{order:sqlstring}} AND e.status IN ({known})
ORDER BY e.at, e.arrival"""

    def order_stages(self) -> str:
        """Return an order's days in each stage beside the stage's budget."""
        parts = [
            f'SELECT {number} AS place, {quoted(name)} AS stage, {days(self.stage_us(number))} AS "days",'
            f' {days(str(self.budgets[number])) if number in self.budgets else "NULL::float"} AS "budget"'
            " FROM orders o WHERE o.name = ${order:sqlstring} AND o.start_at IS NOT NULL"
            for number, name in enumerate(self.codebook.stages)
        ]
        union = "\nUNION ALL\n".join(parts)
        return f'SELECT stage, "days", "budget" FROM (\n{union}\n) s WHERE "days" > 0 OR "budget" > 0 ORDER BY place'

    def order_events(self) -> str:
        """Return every stored event of an order as it came."""
        return f"""SELECT {moment("e.at")} AS time, e.status, e.source, e.sequence, e.id,
       e.uncertainty_us / {float(text.SECOND)!r} AS "may be wrong by"
FROM events e JOIN orders o ON o.number = e.order_number
WHERE o.name = ${{order:sqlstring}} ORDER BY e.at, e.arrival"""

    def quarantined(self) -> str:
        """Return what could not be used in the shown time."""
        return f"""SELECT {moment("arrived_at")} AS time, reason, left(raw, 300) AS record
FROM quarantine WHERE arrived_at BETWEEN {FROM_US} AND {TO_US} ORDER BY arrived_at DESC LIMIT {LONGEST_LIST}"""
