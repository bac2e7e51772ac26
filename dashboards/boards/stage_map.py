"""The stage map: one row a stage, everything that says how it is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from collectors import conventions as names
from dashboards import panels
from dashboards.colours import BAD, GOOD, WARN
from dashboards.links import to_stage
from dashboards.look import Look
from dashboards.queries import latest

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Panel

ALL: Final = f'{names.SEGMENT}="{names.ALL}"'
CHOSEN: Final = f'{names.STAGE}=~"$stage",{names.SEGMENT}="$segment"'
SLOW: Final = ((None, GOOD), (1.0, WARN), (1.3, BAD))
PROVEN: Final = ((None, GOOD), (0.7, WARN), (1.0, BAD))


class Column(NamedTuple):
    """A column of the map."""

    title: str
    expr: str
    look: Look


def _of(name: str, more: str = "") -> str:
    return f"max by ({names.STAGE}) ({name}{{{CHOSEN}{more}}})"


def _whole(name: str) -> str:
    return f'max by ({names.STAGE}) ({name}{{{names.STAGE}=~"$stage"}})'


_ORDERS: Final = f'max by ({names.STAGE}, {names.RISK}) ({names.STAGE_ORDERS}{{{names.STAGE}=~"$stage"}})'
_AGE: Final = f',{names.QUANTILE}="0.5"'
COLUMNS: Final = (
    Column("orders", f"sum by ({names.STAGE}) ({_ORDERS})", Look("short", decimals=0)),
    Column("oldest", _whole(names.STAGE_OLDEST_AGE), Look("s", decimals=1)),
    Column("budget", _whole(names.STAGE_BUDGET), Look("s", decimals=1)),
    Column("over budget", _whole(names.STAGE_OVER_BUDGET), Look("short", ((None, GOOD), (1, WARN)), decimals=0)),
    Column("median age", _of(names.STAGE_AGE, _AGE), Look("s", decimals=1)),
    Column("usual age", _of(names.STAGE_REFERENCE_AGE, _AGE), Look("s", decimals=1)),
    Column("in a day", f"{_of(names.STAGE_ARRIVALS)} * 86400", Look("short", decimals=1)),
    Column("out a day", f"{_of(names.STAGE_DEPARTURES)} * 86400", Look("short", decimals=1)),
    Column(
        "utilisation", _whole(names.STAGE_UTILISATION), Look("percentunit", ((None, GOOD), (0.85, BAD)), decimals=0)
    ),
    Column("slow-down", _of(names.STAGE_SLOWDOWN), Look("none", SLOW, decimals=2)),
    Column("evidence", _of(names.STAGE_EVIDENCE), Look("none", PROVEN, decimals=2)),
    Column("of budget", _of(names.STAGE_BUDGET_RATIO), Look("percentunit", SLOW, decimals=0)),
    Column("over-budget evidence", _of(names.STAGE_BUDGET_EVIDENCE), Look("none", PROVEN, decimals=2)),
    Column("will break", _whole(names.STAGE_EXPECTED_BREAKS), Look("short", decimals=1)),
)


def stage_map() -> Panel:
    """Return the map as a table: one query a column, joined by stage."""
    refs = [chr(ord("A") + place) for place in range(len(COLUMNS))]
    renamed = {f"Value #{ref}": column.title for ref, column in zip(refs, COLUMNS, strict=True)}
    order = {name: place for place, name in enumerate(["stage", *renamed])}
    hidden = {f"Time {place}": True for place in range(1, len(COLUMNS) + 1)} | {"Time": True}
    return panels.rows(
        1,
        "Stage map",
        "One row a stage: orders in it, the oldest, its budget, orders over it, median age now and in the reference"
        " period, arrivals and departures a day, utilisation, slow-down and the evidence for it, the mean time in it"
        " as a share of its budget, and how many of its orders will break their promise. Slow-down from 1.3 on with"
        " evidence from 1 on is an alert.",
        [latest(column.expr, ref=ref, table=True) for ref, column in zip(refs, COLUMNS, strict=True)],
        {"stage": Look("string", links=[to_stage()]), **{column.title: column.look for column in COLUMNS}},
        transformations=[
            panels.change("joinByField", byField="stage", mode="outer"),
            panels.change("organize", excludeByName=hidden, indexByName=order, renameByName=renamed),
        ],
    )
