"""Queries of the MES's database: what lies on whose bench.

These are the tables of the stand-in for the bought-in system (services/mes/vendor); another vendor has other ones.
"""

from __future__ import annotations

from typing import Final

# The vendor's codes (services/mes/vendor/model.py): released, started, completed, packing.
STATES: Final = {40: "to start", 50: "in making", 60: "to pack", 70: "in packing"}
NOBODY: Final = "nobody yet"
_NOW_MS: Final = "(extract(epoch FROM now()) * 1000)::bigint"
_CODES: Final = ", ".join(map(str, STATES))
_OPERATOR: Final = f"coalesce(p.name, o.operator, '{NOBODY}')"


def benches() -> str:
    """Return the pieces in the workshop by operator and state, and how many of them are late."""
    counts = ",\n       ".join(f'count(*) FILTER (WHERE o.state = {code}) AS "{name}"' for code, name in STATES.items())
    return f"""SELECT {_OPERATOR} AS operator, {counts}
FROM vendor_orders o LEFT JOIN vendor_operators p ON p.id = o.operator
WHERE o.state IN ({_CODES}) GROUP BY 1 ORDER BY 1"""


def pieces() -> str:
    """Return the pieces in the workshop, the nearest promise first."""
    states = " ".join(f"WHEN {code} THEN '{name}'" for code, name in STATES.items())
    return f"""SELECT o.reference AS "order", {_OPERATOR} AS operator, CASE o.state {states} END AS state,
       to_timestamp(o.state_ms / 1000.0) AS since, to_timestamp(o.due_ms / 1000.0) AS "promise moment",
       (o.due_ms - {_NOW_MS})::float / 86400000 AS "days left", o.product, o.channel
FROM vendor_orders o LEFT JOIN vendor_operators p ON p.id = o.operator
WHERE o.state IN ({_CODES}) AND {_OPERATOR} IN (${{operator:sqlstring}})
ORDER BY o.due_ms NULLS LAST, o.number LIMIT 200"""


def operators() -> str:
    """Return everybody at the benches."""
    return f"SELECT name FROM vendor_operators UNION SELECT '{NOBODY}' ORDER BY 1"


def attendance() -> str:
    """Return who is at work and how full their benches are."""
    return f"""SELECT p.name AS operator, p.at_work AS "at work", p.skills, p.capacity,
       (SELECT count(*) FROM vendor_orders o WHERE o.operator = p.id AND o.state IN ({_CODES})) AS "in hand"
FROM vendor_operators p ORDER BY 1"""
