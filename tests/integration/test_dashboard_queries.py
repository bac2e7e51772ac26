"""Every panel's PromQL is answered by a real Prometheus over the real exporters, and by Grafana's own query backend.

Panels that are honestly empty while all is well are named here, with the reason; in a house in trouble none is empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import aio_pika
import pytest
import yaml

from alerts.command import GENERATED as ALERTS
from collectors.promise import load_promise
from dashboards.building import documents
from tests.dashboards import House
from tests.parts import promtool, running_alertmanager, running_prometheus, running_promlib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.servers import PrometheusServer, RabbitServer

PROMISE: Final = load_promise()
DOCUMENTS: Final = documents(PROMISE)
# What is empty while all is well, and why.
EMPTY_WHEN_WELL: Final = {
    ("touchstone-executive", "Culprit now"): "no stage would save any order",
    ("touchstone-executive", "Broken orders it alone would save"): "no stage would save any order",
    ("touchstone-operations", "Alerts that fire now"): "no alert fires",
    ("touchstone-operations", "Slow since"): "no stage is slow",
    ("touchstone-operations", "Until the maintenance window ends"): "no window is open",
    ("touchstone-telemetry", "Stages without a reference"): "every stage has one",
}
JOBS: Final = ("shop", "crm", "mes", "pricing", "collector")
EVERY: Final = timedelta(seconds=1)
PATIENCE_S: Final = 60.0
RULE: Final = {"alert": "StageSlow", "expr": "touchstone_stage_slowdown_ratio > 1.3", "labels": {"severity": "page"}}


def configuration(house: str, broker: RabbitServer, rules: Path, itself: str, told: str) -> dict[str, Any]:
    """Return what Prometheus scrapes: our jobs, the broker's two pages, itself, and the Alertmanager that it tells.

    ``rules``: what it evaluates.
    """
    detailed = {"family": ["queue_coarse_metrics", "queue_consumer_count"]}
    address = broker.prometheus.removeprefix("http://").removesuffix("/metrics")
    ours = [{"job_name": job, "metrics_path": f"/{job}", "static_configs": [{"targets": [house]}]} for job in JOBS]
    theirs = [
        {"job_name": "rabbitmq", "static_configs": [{"targets": [address]}]},
        {
            "job_name": "rabbitmq-queues",
            "metrics_path": "/metrics/detailed",
            "params": detailed,
            "static_configs": [{"targets": [address]}],
        },
    ]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [told]}]}]},
        "scrape_configs": [
            *ours,
            *theirs,
            {"job_name": "prometheus", "static_configs": [{"targets": [itself]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": [told]}]},
        ],
    }


@dataclass
class Asked:
    """A Prometheus and the choices that dashboards make on it."""

    server: PrometheusServer

    def values(self, selector: str, label: str) -> list[str]:
        """Return the values that a label has now, as label_values() of Grafana does."""
        found = self.server.query(f"group by ({label}) ({selector})")
        return sorted({sample.labels[label] for sample in found if label in sample.labels})

    def chosen(self, document: dict[str, Any]) -> dict[str, str]:
        """Make all choices of a dashboard in their order: everything where that may be, else the first value."""
        made: dict[str, str] = {}
        for variable in document["templating"]["list"]:
            if isinstance(variable.get("query"), dict):
                selector, _, label = variable["query"]["query"].removeprefix("label_values(")[:-1].rpartition(", ")
                values = self.values(put(selector, made), label)
                assert values, f"{document['uid']}: nothing to choose for {variable['name']}"
                every = "|".join(re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\\\g<0>", value) for value in values)
                made[variable["name"]] = f"({every})" if variable["multi"] else values[0]
        return made

    def answered(self, target: dict[str, Any], made: dict[str, str]) -> bool:
        """Whether a query has a value that is a number, at any of the last moments."""
        expr = put(target["expr"], made)
        if target.get("instant"):
            return any(math.isfinite(sample.value) for sample in self.server.query(expr))
        now = datetime.now(UTC)
        series = self.server.query_range(expr, now - 10 * EVERY, now, EVERY)
        return any(math.isfinite(value) for one in series for _, value in one.points)

    def empty(self) -> set[tuple[str, str]]:
        """Return the panels with a query that nothing answers."""
        found = set()
        for uid, document in DOCUMENTS.items():
            made = self.chosen(document)
            for panel in document["panels"]:
                targets = [target for target in panel["targets"] if "expr" in target]
                if not all(self.answered(target, made) for target in targets):
                    found.add((uid, panel["title"]))
        return found


def put(expr: str, made: dict[str, str]) -> str:
    """Return an expression with variables and Grafana's own put in, as a page over the last five minutes does."""
    known = {"__rate_interval": "1m", "__range": "5m", **made}
    return re.sub(r"\$(\w+)", lambda found: known[found[1]], expr)


@contextlib.contextmanager
def scraped(house: House, broker: RabbitServer, folder: Path) -> Iterator[Asked]:
    """Run Prometheus over a house; things happen between scrapes, so that rates are known."""
    rules = folder / "rules.yaml"
    groups = [{"name": "one", "rules": [RULE]}, *recording()]
    rules.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    with house.serving() as address, running_alertmanager() as told, running_prometheus() as server:
        server.reload(configuration(address, broker, rules, server.address, told.address))
        asked = Asked(server)
        house.happen()
        until(lambda: all(target.health == "up" for target in server.targets()) and len(server.targets()) == 9)
        house.happen()
        asyncio.run(carry(broker.address))
        wanted = "min(count_over_time(up[1m])) and on() count(rabbitmq_detailed_queue_messages_ready) > 0"
        until(lambda: any(sample.value > 7 for sample in server.query(wanted)))
        yield asked


def recording() -> Iterator[dict[str, Any]]:
    """Yield the groups of what our own rules record, evaluated as often as it is scraped; their alerts stay out."""
    for name in ("targets.yaml", "rules.yaml"):
        for group in yaml.safe_load((ALERTS / name).read_text(encoding="utf-8"))["groups"]:
            recorded = [rule for rule in group["rules"] if "record" in rule]
            if recorded:
                yield {"name": f"{name} {group['name']}", "interval": "1s", "rules": recorded}


async def carry(address: str) -> None:
    """Send messages through a queue of the broker; some come back and are given out again."""
    async with await aio_pika.connect(address) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("crm.0", durable=True, arguments={"x-queue-type": "quorum"})
        for _ in range(5):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue.name)
        message = await queue.get(timeout=10)
        await message.nack(requeue=True)
        await queue.get(timeout=10, no_ack=True)


def until(holds: Any) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def trouble(rabbitmq: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Run Prometheus over a house in trouble."""
    with scraped(House(PROMISE, well=False), rabbitmq, tmp_path_factory.mktemp("trouble")) as asked:
        yield asked


def test_no_panel_is_empty_in_a_house_in_trouble(trouble: Asked) -> None:
    until(lambda: trouble.server.query('ALERTS{alertstate="firing"}'))
    assert trouble.empty() == set()


def test_what_is_empty_while_all_is_well_is_known(rabbitmq: RabbitServer, tmp_path: Path) -> None:
    """Exactly the named panels show nothing, and not a 0, in a house where nothing goes wrong."""
    with scraped(House(PROMISE, well=True), rabbitmq, tmp_path) as asked:
        assert asked.empty() == set(EMPTY_WHEN_WELL)


def test_grafanas_own_backend_answers_every_query(trouble: Asked) -> None:
    """Each target's JSON, as it stands in the dashboard: the backend expands its intervals, and returns frames."""
    with running_promlib(trouble.server.url) as backend:
        now = datetime.now(UTC)
        failed = {}
        for uid, document in DOCUMENTS.items():
            made = trouble.chosen(document)
            for panel in document["panels"]:
                targets = [{**t, "expr": _page(t["expr"], made)} for t in panel["targets"] if "expr" in t]
                sizes = {"intervalMs": 1000, "maxDataPoints": 600}
                answers = (
                    backend.ask([{**t, **sizes} for t in targets], now - timedelta(minutes=2), now) if targets else {}
                )
                for ref, answer in answers.items():
                    if answer.error or not answer.rows:
                        failed[f"{uid}/{panel['title']}/{ref}"] = answer.error or "no rows"
        assert failed == {}


def _page(expr: str, made: dict[str, str]) -> str:
    """Put in what the page does; intervals are the backend's to expand."""
    return re.sub(r"\$(?!__)(\w+)", lambda found: made[found[1]], expr)


def test_a_slow_bucket_leads_to_its_trace(trouble: Asked) -> None:
    """Prometheus has stored exemplars of both histograms that dashboards show them on."""
    for name in ("http_server_request_duration_seconds_bucket", "touchstone_pricing_calculation_seconds_bucket"):
        now = datetime.now(UTC)
        times = {"start": str((now - timedelta(minutes=5)).timestamp()), "end": str(now.timestamp())}
        found = trouble.server._asked("query_exemplars", {"query": name, **times})  # noqa: SLF001 - no other way yet
        assert {"trace_id"} == {label for one in found for e in one["exemplars"] for label in e["labels"]}


def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    made = {name: "x" for document in DOCUMENTS.values() for name in _names(document)}
    rules = [
        {"record": f"panel:{number}", "expr": put(target["expr"], made)}
        for number, target in enumerate(
            target
            for document in DOCUMENTS.values()
            for panel in document["panels"]
            for target in panel["targets"]
            if "expr" in target
        )
    ]
    assert len(rules) > 90
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([promtool(), "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _names(document: dict[str, Any]) -> Iterator[str]:
    yield from (variable["name"] for variable in document["templating"]["list"])
