"""Every SQL query of the dashboards answers rightly on a real PostgreSQL that collector, CRM and MES have filled."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from collectors.live import store
from collectors.live.rows import from_rows
from collectors.promise import load_promise
from collectors.promise.reading import DEFAULT_PROMISE
from collectors.simulation import Scenario, Slowdown, cloudevents, simulate
from collectors.timelines.judging import BROKEN, KEPT
from collectors.timelines.measuring import NEVER
from dashboards.building import documents
from dashboards.conventions import COLLECTOR, CRM, WORKSHOP
from dashboards.sql.collector import CollectorSql
from dashboards.sql.desk import DeskSql
from services.contract import OrderFacts, Status
from tests import crm, live, mes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from collectors.timelines.judging import Judged

PROMISE: Final = load_promise()
DAYS: Final = 150
NOW: Final = datetime.now(UTC)
BEGIN: Final = NOW - timedelta(days=DAYS + 40)
# Grafana's own (pkg/tsdb/grafana-postgresql-datasource/macros.go): an argument holds no closing parenthesis.
MACRO: Final = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
VARIABLE: Final = re.compile(r"\$\{(\w+):sqlstring\}")


def expanded(sql: str, chosen: Mapping[str, Sequence[str]] | None = None, *, end: datetime | None = None) -> str:
    """Return a query as Grafana sends it: variables put in by its page, and then macros by its server."""
    until = end or datetime.now(UTC)

    def put(found: re.Match[str]) -> str:
        return ",".join("'" + value.replace("'", "''") + "'" for value in (chosen or {})[found[1]])

    def macro(found: re.Match[str]) -> str:
        moments = {"__timeFrom": BEGIN, "__timeTo": until}
        assert found[1] in moments, f"unknown macro {found[1]}"
        assert found[2] == ""
        return f"'{moments[found[1]].strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"

    return MACRO.sub(macro, VARIABLE.sub(put, sql))


def ask(database: str, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query, asked by a user's own connection that must not write."""

    async def run() -> list[dict[str, Any]]:
        engine = create_async_engine(database)
        try:
            async with engine.connect() as connection:
                await connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                result = await connection.exec_driver_sql(sql)
                return [dict(row) for row in result.mappings()]
        finally:
            await engine.dispose()

    return asyncio.run(run())


async def new_database(server: str, name: str) -> str:
    """Make an empty database; return its address."""
    unique = f"{name}_{uuid.uuid4().hex}"
    engine = create_async_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sqlalchemy.text(f'CREATE DATABASE "{unique}"'))
    await engine.dispose()
    return f"{server}/{unique}"


@dataclass(frozen=True)
class Collected:
    """A collector's database, and what the kernel makes of the same orders."""

    database: str
    judged: Judged
    names: list[str]

    @cached_property
    def due(self) -> list[datetime]:
        """The promise moments."""
        return [_moment(at) for at in self.judged.promise_at.tolist()]

    def place(self, name: str) -> int:
        """Return the row of an order."""
        return self.names.index(name)


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


@pytest.fixture(scope="module")
def collected(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """Fill a collector with a house whose approval is slow, and judge the same orders by the kernel."""
    return asyncio.run(_collect(postgres, tmp_path_factory.mktemp("collector")))


async def _collect(server: str, folder: Path) -> Collected:
    database = await new_database(server, "collector")
    start = (NOW - timedelta(days=DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    slow = Slowdown("approval", 50, added=timedelta(days=9))
    scenario = Scenario(days=DAYS, orders_per_day=3, seed=11, slowdowns=(slow,), start=start)
    messages = [one for one in cloudevents(simulate(scenario)) if one["time"] <= NOW.isoformat()]
    configured = live.settings(folder, database, promise=DEFAULT_PROMISE.read_text(encoding="utf-8"))
    async with live.running(configured, live.Clock(NOW)) as collector:
        await collector.send(*messages, {"id": "bad"})
        service = collector.service.collector
        async with service.database.reading() as connection:
            rows = await store.measured_after(connection, 0, 1_000_000)
        measured, dimensions = from_rows(rows, service.timelines)
        as_of = int(NOW.timestamp() * 1_000_000)
        judged, _ = service.timelines.judged(measured, dimensions, as_of)
    return Collected(database, judged, [row[1] for row in rows])


@pytest.fixture(scope="module")
def desk(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fill the CRM's database with orders that are late, short of time and in time, decided by two managers."""
    return asyncio.run(_fill_desk(postgres, tmp_path_factory.mktemp("crm")))


async def _fill_desk(server: str, folder: Path) -> str:
    database = await new_database(server, "crm")
    clock = crm.Clock(NOW - timedelta(days=6))
    async with crm.running(crm.settings(folder, database=database), clock) as room:
        # Days from now to the promise moment: passed, less than the 17 days ahead of approval, and plenty.
        for order, days, name in (("late", -1, "Ada O'Byron"), ("short", 5, "Ada O'Byron"), ("fine", 40, "Bo")):
            due = NOW + timedelta(days=days)
            facts = OrderFacts(channel="web", product="ring", customer=name, customer_name=name, promised_at=due)
            await room.priced(order, facts=facts)
        for order, person in (("late", crm.SOFIA), ("fine", crm.TOMAS)):
            clock.pass_by(days=2)
            await room.post(f"/orders/{order}/approval", person, reason="as agreed")
        await room.walk("fine", Status.MANUFACTURING_STARTED)
    return database


@pytest.fixture(scope="module")
def workshop(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fill the MES's database with a piece on a bench."""
    return asyncio.run(_fill_workshop(postgres, tmp_path_factory.mktemp("mes")))


async def _fill_workshop(server: str, folder: Path) -> str:
    database = await new_database(server, "mes")
    async with mes.running(folder, database=database) as room:
        await room.released()
    return database


def months(moments: list[datetime], chosen: Any) -> Counter[str]:
    """Count moments by month, those that are chosen."""
    return Counter(at.strftime("%Y-%m") for at, one in zip(moments, chosen, strict=True) if one)


def test_promises_by_month_are_those_of_the_kernel(collected: Collected) -> None:
    """Kept and broken by the month of the promise moment: the packed stage times are read as they were written."""
    judged, due = collected.judged, collected.due
    passed = np.array([BEGIN <= at <= NOW for at in due])
    kept = months(due, passed & (judged.verdict == KEPT))
    broken = months(due, passed & (judged.verdict == BROKEN))
    sql = expanded(CollectorSql(PROMISE).verdicts_by_month(), end=NOW)
    found = ask(collected.database, sql)
    assert {row["month"]: row["kept"] for row in found if row["kept"]} == dict(kept)
    assert {row["month"]: row["broken"] for row in found if row["broken"]} == dict(broken)
    assert min(sum(kept.values()), sum(broken.values())) > 20
    shares = ask(collected.database, expanded(CollectorSql(PROMISE).kept_by_month(), end=NOW))
    wanted = {month: kept[month] / (kept[month] + broken[month]) for month in kept.keys() | broken.keys()}
    assert {row["month"]: row["kept"] for row in shares} == pytest.approx(wanted)


def test_promise_moments_are_put_off_by_the_customers_turn(collected: Collected) -> None:
    """Each order's promise moment in SQL is the kernel's, to the microsecond; some orders were asked back."""
    turn = PROMISE.stages.index(next(stage for stage in PROMISE.stages if stage.pauses))
    ended = collected.judged.ended
    assert int((collected.judged.stage_us[ended, turn] > 0).sum()) > 10
    sql = f"SELECT o.name, {CollectorSql(PROMISE).due} AS due FROM orders o WHERE o.settled IN (2, 3)"
    found = {row["name"]: row["due"] for row in ask(collected.database, sql)}
    wanted = dict(zip(collected.names, collected.judged.promise_at.tolist(), strict=True))
    assert len(found) > 200
    assert found == {name: wanted[name] for name in found}


def test_stage_times_of_an_order_are_those_of_the_kernel(collected: Collected) -> None:
    """Days by stage of an ended order add up to its lead time, and each is the kernel's."""
    place = int(np.flatnonzero(collected.judged.ended)[7])
    sql = expanded(CollectorSql(PROMISE).order_stages(), {"order": [collected.names[place]]})
    found = {row["stage"]: row["days"] for row in ask(collected.database, sql)}
    lengths = collected.judged.stage_us[place].tolist()
    names = [stage.name for stage in PROMISE.stages]
    wanted = {name: us / 86_400_000_000 for name, us in zip(names, lengths, strict=False) if name in found}
    assert found == pytest.approx(wanted)
    assert sum(found.values()) == pytest.approx(collected.judged.lead_us[place] / 86_400_000_000)


def test_the_culprit_by_month_is_the_kernels(collected: Collected) -> None:
    """Late orders that each stage alone would have saved, by the month of their end; approval saves most."""
    judged = collected.judged
    ended = judged.ended & (judged.verdict == BROKEN)
    wanted: dict[str, Counter[str]] = defaultdict(Counter)
    for place in np.flatnonzero(ended).tolist():
        month = _moment(int(judged.measured.end[place])).strftime("%Y-%m")
        for number, stage in enumerate(PROMISE.stages):
            wanted[month][stage.name] += bool(judged.rescued[place, number])
    found = ask(collected.database, expanded(CollectorSql(PROMISE).rescued_by_month(), end=NOW))
    budgets = [stage.name for stage in PROMISE.stages if stage.budget]
    assert {row["month"]: {name: row[name] for name in budgets} for row in found} == {
        month: {name: counts[name] for name in budgets} for month, counts in wanted.items()
    }
    totals = Counter({name: sum(row[name] for row in found) for name in budgets})
    assert totals.most_common(1)[0][0] == "approval"


def test_lateness_costs_what_the_promise_file_says(collected: Collected) -> None:
    """The days by which each promise was broken, open ones up to now, times the cost of a day."""
    costly = PROMISE.model_copy(update={"cost_per_day_late": Decimal("12.50")})
    sql = CollectorSql(costly).cost_by_month()
    assert sql is not None
    moment = ask(collected.database, "SELECT now() AS now")[0]["now"]
    total = sum(float(row["cost of lateness"]) for row in ask(collected.database, expanded(sql, end=NOW)))
    judged = collected.judged
    late = [
        ((_moment(int(end)) if ended else moment) - due).total_seconds() / 86_400
        for end, ended, due, verdict in zip(
            judged.measured.end.tolist(), judged.ended, collected.due, judged.verdict.tolist(), strict=True
        )
        if verdict == BROKEN and due >= BEGIN
    ]
    assert total == pytest.approx(12.5 * sum(late), rel=1e-3)
    assert CollectorSql(PROMISE).cost_by_month() is None


def test_an_order_is_short_of_time_or_late_by_what_is_left(desk: str) -> None:
    """The late and the short order are shown with their manager and customer, the one with plenty of time is not."""
    everybody = {"manager": ["Sofia Marin", "Tomas Berg", "by rule", "nobody yet"], "customer": ["Ada O'Byron", "Bo"]}
    found = ask(desk, expanded(DeskSql(PROMISE).at_risk(), everybody))
    assert [(row["order"], row["standing"], row["manager"], row["customer"]) for row in found] == [
        ("late", "late", "Sofia Marin", "Ada O'Byron"),
        ("short", "short of time", "nobody yet", "Ada O'Byron"),
    ]
    nobody = ask(desk, expanded(DeskSql(PROMISE).at_risk(), {"manager": ["Tomas Berg"], "customer": ["Ada O'Byron"]}))
    assert nobody == []
    decided = {row["manager"]: row for row in ask(desk, expanded(DeskSql(PROMISE).decided()))}
    assert {name: row["approved"] for name, row in decided.items()} == {"Sofia Marin": 1, "Tomas Berg": 1}
    assert decided["Sofia Marin"]["median days waited"] == pytest.approx(2, abs=0.01)


def test_what_people_type_is_never_sql(collected: Collected) -> None:
    """A quote in a variable stays a text: nothing is found, and nothing is lost."""
    evil = "x' OR true; DROP TABLE orders; --"
    for sql in (CollectorSql(PROMISE).order_summary(), CollectorSql(PROMISE).order_events()):
        assert ask(collected.database, expanded(sql, {"order": [evil]})) == []
    assert ask(collected.database, "SELECT count(*) AS n FROM orders")[0]["n"] == len(collected.names)


def _queries() -> Iterator[tuple[str, str, str]]:
    """Yield every SQL query of every dashboard and variable: where it stands, its data source, its text."""
    for uid, document in documents(PROMISE).items():
        for panel in document["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield f"{uid} {panel['title']}", target["datasource"]["uid"], target["rawSql"]
        for variable in document["templating"]["list"]:
            if variable["type"] == "query" and isinstance(variable["query"], str):
                yield f"{uid} ${variable['name']}", variable["datasource"]["uid"], variable["query"]


def test_every_query_of_every_dashboard_finds_something(collected: Collected, desk: str, workshop: str) -> None:
    """As the dashboard asks it, with all choices made, on the databases of a house with open and ended orders."""
    databases = {
        f"${{{s.variable}}}": d for s, d in ((COLLECTOR, collected.database), (CRM, desk), (WORKSHOP, workshop))
    }
    started = collected.judged.measured.start != NEVER
    in_flight = collected.names[int(np.flatnonzero(started & ~collected.judged.ended)[-1])]
    chosen = {
        "stage": [*(stage.name for stage in PROMISE.stages), "elsewhere"],
        "manager": ["Sofia Marin", "Tomas Berg", "by rule", "nobody yet"],
        "customer": ["Ada O'Byron", "Bo"],
    }
    asked = list(_queries())
    assert len(asked) > 20
    empty = []
    for name, source, sql in asked:
        database = databases[source]
        order = "late" if database == desk else in_flight
        operators = [row["name"] for row in ask(workshop, "SELECT name FROM vendor_operators")]
        if not ask(database, expanded(sql, {**chosen, "operator": [*operators, "nobody yet"], "order": [order]})):
            empty.append(name)
    assert empty == []
