"""Queries of the CRM's database, where customers and managers are: orders at risk, and who decided what.

A file's promise moment is ``due_us``, put off by every past time that was the customer's turn; the present one is
added here. An order is **late** where that moment has passed, and **short of time** where less is left than the budgets
of the stages after its present one: a rule of thumb that SQL can tell. The collector's own estimate is on
the board of orders to chase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.timelines.codebook import Codebook
from dashboards.sql.text import FROM_US, NOW_US, TO_US, chosen, days, listed, moment, quoted

if TYPE_CHECKING:
    from collectors.promise import PromiseFile

NOBODY: Final = "nobody yet"
BY_RULE: Final = "by rule"
NEVER: Final = 2**62  # services.crm.tables: nothing is promised
LONGEST_LIST: Final = 200
MOST_CUSTOMERS: Final = 15


@dataclass(frozen=True)
class DeskSql:
    """The queries for one promise."""

    promise: PromiseFile

    def _ahead(self) -> str:
        """Return the budgets of the stages after the present one, in microseconds."""
        codebook = Codebook(self.promise)
        ends = {*self._over()}
        cases = {}
        for status, code in codebook.code_of.items():
            if status not in ends:
                stage = codebook.stage_of[code]
                after = codebook.budgets_ahead_us(codebook.stage_rank[stage : stage + 1])[0]
                cases[quoted(status)] = str(int(after))
        return chosen("f.status", cases)

    def _over(self) -> list[str]:
        """Return the statuses from which on nothing is open any more."""
        main, end = self.promise.statuses.main, self.promise.promise.end
        reached = main[main.index(end) :] if end in main else main[-1:]
        return [*reached, *self.promise.statuses.cancelled]

    def _open(self) -> str:
        """Return files of open orders with who decided last, `due`, `left_us` and how they stand."""
        pausing = listed(status for stage in self.promise.stages if stage.pauses for status in stage.statuses)
        waited = f"CASE WHEN f.status IN ({pausing}) THEN greatest({NOW_US} - f.asked_at, 0) ELSE 0 END"
        return f"""open_orders AS (
  SELECT f.order_id, f.channel, f.customer, coalesce(f.customer_name, f.customer, 'unknown') AS customer_name,
         f.status, f.status_at, f.tray, d.due, d.due - {NOW_US} AS left_us,
         coalesce(m.manager, {quoted(NOBODY)}) AS manager,
         CASE WHEN d.due < {NOW_US} THEN 'late' WHEN d.due - {NOW_US} < ({self._ahead()}) THEN 'short of time'
              ELSE 'in time' END AS standing
  FROM files f
  CROSS JOIN LATERAL (SELECT f.due_us + coalesce({waited}, 0) AS due) d
  LEFT JOIN LATERAL (
    SELECT CASE WHEN c.automatic THEN {quoted(BY_RULE)} ELSE c."by" END AS manager
    FROM decisions c WHERE c.order_id = f.order_id AND c.action NOT IN ('hold', 'decline')
    ORDER BY c.number DESC LIMIT 1
  ) m ON true
  WHERE f.status IS NOT NULL AND f.status NOT IN ({listed(self._over())}) AND f.due_us < {NEVER}
)"""

    def managers(self) -> str:
        """Return everybody who ever decided, and what stands for those who have not."""
        return f"""SELECT DISTINCT CASE WHEN automatic THEN {quoted(BY_RULE)} ELSE "by" END FROM decisions
UNION SELECT {quoted(NOBODY)} ORDER BY 1"""

    def customers(self) -> str:
        """Return the customers who have open orders with the chosen managers."""
        return f"""WITH {self._open()}
SELECT DISTINCT customer_name FROM open_orders WHERE manager IN (${{manager:sqlstring}}) ORDER BY 1"""

    _CHOSEN: Final = "manager IN (${manager:sqlstring}) AND customer_name IN (${customer:sqlstring})"

    def count_of(self, standing: str) -> str:
        """Return how many open orders of the chosen people stand so."""
        return f"""WITH {self._open()}
SELECT count(*) AS orders FROM open_orders WHERE standing = {quoted(standing)} AND {self._CHOSEN}"""

    def waiting(self) -> str:
        """Return how many orders wait for a decision; nobody has decided on most of them, so all are counted."""
        return "SELECT count(*) AS orders FROM files WHERE tray = 'waiting'"

    def at_risk(self) -> str:
        """Return the orders that are late or short of time, the nearest promise first."""
        return f"""WITH {self._open()}
SELECT order_id AS "order", standing, customer_name AS customer, manager, channel, status,
       {moment("status_at")} AS since, {moment("due")} AS "promise moment", {days("left_us")} AS "days left"
FROM open_orders WHERE standing <> 'in time' AND {self._CHOSEN} ORDER BY due, order_id LIMIT {LONGEST_LIST}"""

    def risk_by(self, who: str, most: int = MOST_CUSTOMERS) -> str:
        """Return how many open orders are late and short of time, by `manager` or `customer_name`."""
        return f"""WITH {self._open()}
SELECT {who}, count(*) FILTER (WHERE standing = 'late') AS "late",
       count(*) FILTER (WHERE standing = 'short of time') AS "short of time"
FROM open_orders WHERE {self._CHOSEN} GROUP BY 1 HAVING bool_or(standing <> 'in time')
ORDER BY 2 DESC, 3 DESC, 1 LIMIT {most}"""

    def decided(self) -> str:
        """Return what each manager decided in the shown time, and how long the orders had then been waiting."""
        waited = days("c.at - p.at")
        return f"""SELECT CASE WHEN c.automatic THEN {quoted(BY_RULE)} ELSE c."by" END AS manager,
       count(*) AS decisions, count(*) FILTER (WHERE c.action = 'approve') AS approved,
       count(*) FILTER (WHERE c.action = 'reject') AS rejected,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {waited}) AS "median days waited"
FROM decisions c
LEFT JOIN LATERAL (
  SELECT max(h.at) AS at FROM history h
  WHERE h.order_id = c.order_id AND h.status = 'PRICE_CALCULATED' AND h.at <= c.at
) p ON true
WHERE c.at BETWEEN {FROM_US} AND {TO_US} AND c.action IN ('approve', 'reject', 'ask', 'cancel')
GROUP BY 1 ORDER BY 2 DESC"""

    def about_order(self) -> str:
        """Return what people decided and said of one order."""
        return f"""SELECT {moment("at")} AS time, kind, who, said FROM (
  SELECT at, action AS kind, "by" AS who, concat_ws(' ', reason, amount, currency) AS said
  FROM decisions WHERE order_id = ${{order:sqlstring}}
  UNION ALL
  SELECT at, kind, "by", said FROM dialogue WHERE order_id = ${{order:sqlstring}}
) d ORDER BY at"""
