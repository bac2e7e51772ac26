"""Prometheus, Alertmanager and what checks their rules and panels are real here, and do what the drills rely on."""

from __future__ import annotations

import contextlib
import math
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from deploy import servers, supervisor
from deploy.house import ALERTMANAGER_PORT
from deploy.servers.prometheus import configuration
from instrumentation.errors import TouchstoneError
from tests.parts import (
    amtool,
    free_port,
    grafana_schema,
    pint,
    promtool,
    running_alertmanager,
    running_prometheus,
    running_promlib,
)
from tests.webhook import notifying, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.servers import AlertmanagerServer, PrometheusServer

ROOT: Final = Path(__file__).parents[2]
SECOND: Final = timedelta(seconds=1)
BEGIN: Final = datetime(2026, 3, 2, tzinfo=UTC)
STEP: Final = timedelta(seconds=15)
POINTS: Final = 12_000  # more than Prometheus answers at once
RULE: Final = {
    "alert": "StageSlow",
    "expr": "touchstone_stage_slowdown_ratio > 2",
    "for": "1s",
    "labels": {"severity": "page"},
    "annotations": {"summary": "{{ $labels.stage }} is {{ $value }}x slower"},
}


def rules(path: Path, *some: dict[str, Any]) -> Path:
    """Write a file of rules."""
    groups = [{"name": "tiny", "interval": "1s", "rules": list(some)}]
    path.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    return path


@contextlib.contextmanager
def exporter() -> Iterator[tuple[str, Gauge]]:
    """Serve a registry with one metric over HTTP; yields host:port and the metric."""
    registry = CollectorRegistry()
    slowdown = Gauge("touchstone_stage_slowdown_ratio", "How many times slower.", ["stage"], registry=registry)
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1", registry)
    try:
        yield f"127.0.0.1:{port}", slowdown.labels("approval")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(true: Any, seconds: float = 60) -> None:
    """Wait until something is so."""
    paused = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if true():
            return
        paused.wait(0.1)
    pytest.fail("it did not become so")


def test_an_alert_goes_from_a_process_to_a_webhook_and_clears_there(tmp_path: Path) -> None:
    """A scraped value above the rule's is told with its sentence filled in; when it falls, the end is told too."""
    with exporter() as (address, slowdown), webhook() as hook, running_alertmanager(notifying(hook)) as teller:
        config = configuration({"collector": [address]}, [rules(tmp_path / "r.yaml", RULE)], teller.address, SECOND)
        with running_prometheus(config) as server:
            slowdown.set(1.0)
            until(lambda: [target.health for target in server.targets()] == ["up"])
            assert server.alerts() == []
            slowdown.set(2.5)
            fired = hook.wait_for("StageSlow", "firing")
            assert fired["labels"] == {
                "alertname": "StageSlow",
                "instance": address,
                "job": "collector",
                "severity": "page",
                "stage": "approval",
            }
            assert fired["annotations"] == {"summary": "approval is 2.5x slower"}
            [seen] = server.alerts()
            assert (seen.name, seen.state, seen.value) == ("StageSlow", "firing", 2.5)
            [held] = teller.alerts()
            assert (held.name, held.state, held.receivers) == ("StageSlow", "active", ("hook",))
            slowdown.set(1.0)
            assert hook.wait_for("StageSlow", "resolved")["labels"] == fired["labels"]
            assert server.alerts() == []


def test_a_target_that_does_not_answer_is_told_with_its_error() -> None:
    address = f"127.0.0.1:{free_port()}"
    with running_prometheus(configuration({"mes": [address]}, interval=SECOND)) as server:
        until(lambda: [target.health for target in server.targets()] == ["down"])
        [target] = server.targets()
        assert (target.job, target.address) == ("mes", address)
        assert "connection refused" in target.error


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """Start Prometheus over a history that was written into it before."""
    lines = [f'age_seconds{{stage="approval"}} {n % 100} {(BEGIN + n * STEP).timestamp()}' for n in range(POINTS)]
    path = tmp_path_factory.mktemp("history") / "history.txt"
    path.write_text("\n".join(["# TYPE age_seconds gauge", *lines, "# EOF", ""]), encoding="utf-8")
    promtool()
    with running_prometheus(blocks=path) as server:
        yield server


def test_a_written_history_is_answered_whole_however_long(history: PrometheusServer) -> None:
    """12,000 points, which Prometheus refuses to answer at once, each with its own moment and value."""
    end = BEGIN + (POINTS - 1) * STEP
    [series] = history.query_range("age_seconds", BEGIN, end, STEP)
    assert series.labels == {"__name__": "age_seconds", "stage": "approval"}
    assert series.points == [(BEGIN + n * STEP, float(n % 100)) for n in range(POINTS)]
    assert history.query_range("age_seconds", BEGIN - 2 * STEP, BEGIN - STEP, STEP) == []


def test_a_moment_of_a_history_can_be_asked_and_a_restart_keeps_it(history: PrometheusServer) -> None:
    at = BEGIN + 42 * STEP
    asked = [
        history.query("age_seconds * 2", at),
        history.query("scalar(age_seconds)", at),
        history.query("age_seconds"),
    ]
    assert [[(one.labels, one.value) for one in found] for found in asked] == [
        [({"stage": "approval"}, 84.0)],
        [({}, 42.0)],
        [],
    ]
    assert math.isnan(history.query("0 / vector(0)")[0].value)
    history.kill()
    assert history.query("age_seconds", at)[0].value == 42.0


def test_what_prometheus_refuses_is_told_with_what_was_asked(history: PrometheusServer, tmp_path: Path) -> None:
    with pytest.raises(TouchstoneError, match=r"Prometheus refused 'age\[': .*parse error"):
        history.query("age[")
    with pytest.raises(TouchstoneError, match=r"answers 'age_seconds\[1m\]' with a matrix"):
        history.query("age_seconds[1m]", BEGIN)
    with pytest.raises(TouchstoneError, match="into a Prometheus that is stopped"):
        history.backfill(tmp_path / "more.txt")


def test_a_refused_configuration_says_why_and_changes_nothing(tmp_path: Path) -> None:
    good = configuration(rules=[rules(tmp_path / "good.yaml", {"record": "two", "expr": "1 + 1"})], interval=SECOND)
    bad = configuration(rules=[rules(tmp_path / "bad.yaml", {"record": "bad", "expr": "1 +"})], interval=SECOND)
    with running_prometheus(good) as server:
        with pytest.raises(TouchstoneError, match=r"(?s)Prometheus refused what it was to read: .*bad.yaml"):
            server.reload(bad)
        server.restart()
        # Since the restart: a rule that is struck out before its first turn leaves what it said before.
        restarted = time.time()
        until(lambda: server.query(f"timestamp(two) > {restarted:f}") != [])
        server.reload(configuration(interval=SECOND))
        until(lambda: server.query("two") == [])


def test_a_history_that_is_no_openmetrics_is_refused_with_promtools_reason(tmp_path: Path) -> None:
    promtool()
    (tmp_path / "bad.txt").write_text("not metrics\n", encoding="utf-8")
    with (
        pytest.raises(TouchstoneError, match=r"(?s)could not make blocks of .*bad.txt:\n.*invalid syntax"),
        running_prometheus(blocks=tmp_path / "bad.txt"),
    ):
        pass


@pytest.fixture(scope="module")
def teller() -> Iterator[AlertmanagerServer]:
    """Start Alertmanager, which tells nobody."""
    with running_alertmanager() as server:
        yield server


def test_a_silence_mutes_what_it_matches_until_it_is_taken_back(teller: AlertmanagerServer) -> None:
    now = datetime.now(UTC)

    def told() -> dict[str, tuple[str, tuple[str, ...]]]:
        return {alert.labels["stage"]: (alert.state, alert.silenced_by) for alert in teller.alerts()}

    for stage in ("approval", "pricing"):
        teller.tell({"alertname": "StageSlow", "stage": stage}, now, summary="slow")
    silence = teller.silence({"stage": "approval"}, now, now + timedelta(hours=1), "Mira", "maintenance")
    until(lambda: told() == {"approval": ("suppressed", (silence,)), "pricing": ("active", ())})
    teller.unsilence(silence)
    until(lambda: told() == {"approval": ("active", ()), "pricing": ("active", ())})
    for stage in ("approval", "pricing"):
        teller.tell({"alertname": "StageSlow", "stage": stage}, now, datetime.now(UTC))
    until(lambda: told() == {})


def test_what_alertmanager_refuses_is_told(teller: AlertmanagerServer) -> None:
    with pytest.raises(TouchstoneError, match=r"Alertmanager refused DELETE /api/v2/silence/nothing"):
        teller.unsilence("nothing")


def test_alertmanager_reads_a_changed_file_and_keeps_the_old_one_when_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yaml"
    path.write_text("route: {receiver: a}\nreceivers: [{name: a}]\n", encoding="utf-8")
    with running_alertmanager(path) as server:
        path.write_text("route: {receiver: nobody}\nreceivers: [{name: a}]\n", encoding="utf-8")
        with pytest.raises(TouchstoneError, match="undefined receiver"):
            server.reload()
        path.write_text("route: {receiver: b}\nreceivers: [{name: b}]\n", encoding="utf-8")
        server.reload()
        server.tell({"alertname": "X"}, datetime.now(UTC))
        until(lambda: [alert.receivers for alert in server.alerts()] == [("b",)])


def test_the_house_is_watched_by_a_real_prometheus_and_alertmanager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both start over what the house generates, and Prometheus has found Alertmanager and every job."""
    for present in (promtool, amtool):
        present()
    monkeypatch.setattr(supervisor, "PROMETHEUS_PORT", free_port())
    monkeypatch.setattr(supervisor, "ALERTMANAGER_PORT", free_port())
    with supervisor.monitors(tmp_path, "127.0.0.1:1") as running:
        assert [server.name for server in running] == ["Alertmanager", "Prometheus"]
        watcher = running[1]
        assert isinstance(watcher, servers.PrometheusServer)
        jobs = {"shop", "crm", "mes", "pricing", "collector", "rabbitmq", "prometheus", "alertmanager"}
        until(lambda: {target.job.partition("-")[0] for target in watcher.targets()} == jobs)
        told = httpx.get(f"{watcher.url}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
        assert told == [{"url": f"http://127.0.0.1:{ALERTMANAGER_PORT}/api/v2/alerts"}]


def test_a_house_without_prometheus_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with supervisor.monitors(tmp_path, "127.0.0.1:1") as running:
        assert running == []
    said = capsys.readouterr().out
    assert "going on without it: Prometheus (prometheus) is not on PATH" in said
    assert "going on without it: Alertmanager" in said


def test_the_scrape_configuration_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    """As it stands in deploy/, beside rules of one's own."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "alerts" / "generated").mkdir(parents=True)
    config = tmp_path / "deploy" / "prometheus.yaml"
    config.write_bytes((ROOT / "deploy" / "prometheus.yaml").read_bytes())
    for name in ("targets.yaml", "rules.yaml"):
        rules(tmp_path / "alerts" / "generated" / name, RULE)
    done = subprocess.run([promtool(), "check", "config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 rules found") == 2


def test_grafanas_own_backend_answers_a_panels_query(history: PrometheusServer) -> None:
    """It fills in the interval of a rate, names the frame by its labels, and says what is wrong with a query."""
    begin, end = BEGIN, BEGIN + timedelta(hours=6)
    ask = {"range": True, "intervalMs": 60_000, "maxDataPoints": 400}
    queries = [
        {"refId": "A", "expr": "age_seconds", **ask},
        {"refId": "B", "expr": "count_over_time(age_seconds[$__rate_interval])", **ask},
        {"refId": "C", "expr": "nothing_seconds", **ask},
        {"refId": "D", "expr": "age_seconds[", **ask},
    ]
    with running_promlib(history.url) as backend:
        answers = backend.ask(queries, begin, end)
    assert answers["A"].labels == [{"__name__": "age_seconds", "stage": "approval"}]
    assert answers["A"].rows == 6 * 60 + 1
    # The greater of four scrapes and the page's interval plus one scrape: 75 s, six samples, both ends included.
    assert answers["B"].frames[0]["data"]["values"][1][-1] == 6
    assert (answers["C"].rows, answers["C"].error) == (0, "")
    assert "parse error" in answers["D"].error


def test_pint_finds_what_promtool_lets_pass(tmp_path: Path) -> None:
    """A rule whose expression can be read and is always true."""
    path = rules(tmp_path / "rules.yaml", {**RULE, "expr": "touchstone_stage_slowdown_ratio"})
    checked = subprocess.run([promtool(), "check", "rules", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    linted = [pint(), "--offline", "--no-color", "lint", "--min-severity", "warning", "--fail-on", "warning", str(path)]
    found = subprocess.run(linted, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert found.returncode != 0
    assert "alerts/comparison" in found.stderr + found.stdout
    rules(path, RULE)
    found = subprocess.run(linted, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert found.returncode == 0, found.stderr


def test_amtool_takes_a_good_configuration_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yaml"
    for receiver, status in (("a", 0), ("nobody", 1)):
        path.write_text(f"route: {{receiver: {receiver}}}\nreceivers: [{{name: a}}]\n", encoding="utf-8")
        done = subprocess.run([amtool(), "check-config", path], capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr


def test_grafanas_own_types_tell_a_right_dashboard_from_a_wrong_one() -> None:
    """`graphTooltip` is a number of three, and a text is refused."""
    folder = grafana_schema()
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext"]
    for value, right in (("0", True), ("'crosshair'", False)):
        source = folder / f"check-{free_port()}.mts"
        imported = "import type { Dashboard } from '@grafana/schema';"
        typed = f"export const one: Partial<Dashboard> = {{ graphTooltip: {value} }};"
        source.write_text(f"{imported}\n{typed}\n", encoding="utf-8")
        try:
            done = subprocess.run(
                ["node", compiler, *options, source], capture_output=True, text=True, check=False, cwd=folder
            )
        finally:
            source.unlink()
        assert (done.returncode == 0) is right, done.stdout
