"""What the servers are started with, and what is said where one is not there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.house import PORTS as HOUSE_PORTS
from deploy.house import alertmanager_configuration, prometheus_configuration
from deploy.servers import Absent, broker, free_port, free_ports, postgresql, programs, proxies
from deploy.servers.alertmanager import program as alertmanager_program
from deploy.servers.broker import Ports
from deploy.servers.prometheus import configuration
from deploy.servers.prometheus import program as prometheus_program
from deploy.up import absences
from instrumentation.errors import TouchstoneError
from tests.parts import started

ROOT = Path(__file__).parents[2]
PORTS = Ports(amqp=20001, management=20002, prometheus=20003, distribution=20004, epmd=20005)


def test_a_broker_listens_on_loopback_only() -> None:
    """Every listener of rabbitmq.conf names 127.0.0.1 and the port that was given."""
    lines = dict(line.split(" = ") for line in broker.configuration(PORTS).splitlines())
    assert lines["listeners.tcp.1"] == "127.0.0.1:20001"
    for plugin, port in (("management", "20002"), ("prometheus", "20003")):
        assert (lines[f"{plugin}.tcp.ip"], lines[f"{plugin}.tcp.port"]) == ("127.0.0.1", port)


def test_a_broker_takes_nothing_from_another_one_on_the_machine(tmp_path: Path) -> None:
    """Settings of another broker are dropped from the environment; every file is under the broker's own folder."""
    base = {"PATH": "/bin", "RABBITMQ_NODENAME": "other", "RABBITMQ_USE_LONGNAME": "true", "ERL_LIBS": "/other"}
    made = broker.environment(tmp_path, "touchstone-20001@localhost", PORTS, base)
    assert (made["PATH"], made["RABBITMQ_NODENAME"]) == ("/bin", "touchstone-20001@localhost")
    assert not {"RABBITMQ_USE_LONGNAME", "ERL_LIBS"} & made.keys()
    assert (made["ERL_EPMD_ADDRESS"], made["ERL_EPMD_PORT"], made["RABBITMQ_DIST_PORT"]) == (
        "127.0.0.1",
        "20005",
        "20004",
    )
    files = [
        value for name, value in made.items() if name.endswith(("_BASE", "_FILE", "_FILES", "_DIR", "HOME", "_DUMP"))
    ]
    assert len(files) > 8
    assert all(value.startswith(str(tmp_path)) for value in files)


def test_the_packaged_wrapper_of_rabbitmq_is_not_taken_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rabbitmq-server on PATH counts only where rabbitmq-env stands beside it; else the packaged one is taken."""
    wrapper, packaged = tmp_path / "sbin", tmp_path / "packaged"
    for folder in (wrapper, packaged):
        folder.mkdir()
        (folder / "rabbitmq-server").touch(mode=0o755)
    (packaged / "rabbitmq-env").touch()
    monkeypatch.setenv("PATH", str(wrapper))
    assert broker.program(packaged) == str(packaged / "rabbitmq-server")


def test_the_newest_packaged_postgres_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are compared as numbers, and one without its programs is passed over."""
    for version in ("9", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
    for version in ("9", "15"):
        for name in ("initdb", "postgres"):
            (tmp_path / version / "bin" / name).touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert postgresql.programs(tmp_path) == tmp_path / "15" / "bin"


def test_what_is_absent_is_named_with_where_it_was_sought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Absent, match=f"PostgreSQL .* is neither on PATH nor in {tmp_path}/none"):
        postgresql.programs(tmp_path / "none")
    with pytest.raises(Absent, match=f"Toxiproxy .* is neither on PATH nor in {tmp_path}/touchstone/bin"):
        programs.program("toxiproxy-server", "Toxiproxy")
    with pytest.raises(Absent, match=r"promtool.* is not on PATH; deploy/parts installs the package prometheus"):
        prometheus_program("promtool")
    with pytest.raises(Absent, match=r"Alertmanager .* is not on PATH; deploy/parts installs prometheus-alertmanager"):
        alertmanager_program()
    assert {*absences()} == {"Prometheus", "Alertmanager"}


def test_alertmanager_is_found_by_its_own_name_and_by_debians(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("prometheus-alertmanager", "alertmanager"):
        (tmp_path / name).touch(mode=0o755)
        assert alertmanager_program() == str(tmp_path / name)


def scraped(config: dict[str, Any]) -> dict[str, list[str]]:
    """Return the addresses of every job."""
    jobs = config["scrape_configs"]
    return {job["job_name"]: [one for static in job["static_configs"] for one in static["targets"]] for job in jobs}


def test_prometheus_scrapes_every_process_of_the_house_that_answers_http() -> None:
    """One job a service, whatever the number of its processes; the issuer has no metrics."""
    jobs = scraped(prometheus_configuration("127.0.0.1:20003", alertmanager=True))
    bought = {job: jobs.pop(job) for job in ("rabbitmq", "rabbitmq-queues", "prometheus", "alertmanager")}
    assert bought["rabbitmq"] == bought["rabbitmq-queues"] == ["127.0.0.1:20003"]
    expected: dict[str, list[str]] = {}
    for name, port in HOUSE_PORTS.items():
        if name != "issuer":
            expected.setdefault(name.partition("-")[0], []).append(f"127.0.0.1:{port}")
    assert jobs == expected


def test_without_rules_or_alertmanager_the_house_is_scraped_all_the_same(tmp_path: Path) -> None:
    config = prometheus_configuration("127.0.0.1:20003", tmp_path, alertmanager=False)
    assert config["rule_files"] == []
    assert "alerting" not in config
    assert "alertmanager" not in scraped(config)
    assert alertmanager_configuration(tmp_path) is None
    for name in ("targets.yaml", "rules.yaml", "alertmanager.yaml"):
        (tmp_path / name).touch()
    whole = prometheus_configuration("127.0.0.1:20003", tmp_path, alertmanager=True)
    assert whole["rule_files"] == [str(tmp_path / name) for name in ("targets.yaml", "rules.yaml")]
    assert whole["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": scraped(whole)["alertmanager"]}]
    assert alertmanager_configuration(tmp_path) == tmp_path / "alertmanager.yaml"


def test_a_configuration_scrapes_and_evaluates_at_one_interval() -> None:
    made = configuration({"shop": ["127.0.0.1:1"]}, [Path("/r.yaml")], "127.0.0.1:2", timedelta(seconds=0.5))
    assert made["global"] == {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    assert made["rule_files"] == ["/r.yaml"]
    assert scraped(made) == {"shop": ["127.0.0.1:1"]}
    assert made["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["127.0.0.1:2"]}]}]
    assert "alerting" not in configuration()


def test_the_types_that_check_dashboards_are_of_the_grafana_that_they_are_built_for() -> None:
    """The same version of @grafana/schema as of grafana-foundation-sdk."""
    built = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("grafana-foundation-sdk==")[1].split('"')[0]
    parts = (ROOT / "deploy" / "parts").read_text(encoding="utf-8")
    assert f"schema_version={built.partition('!')[2]} " in parts


def test_an_absent_part_skips_its_tests_and_fails_them_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for value, outcome in (("false", pytest.skip.Exception), ("true", pytest.fail.Exception)):
        monkeypatch.setenv("CI", value)
        with pytest.raises(outcome, match="Toxiproxy"), started(proxies.toxiproxy(tmp_path)):
            pass


def test_free_ports_are_different_and_not_for_outgoing_connections() -> None:
    """A client's own port is never one of them, where the system's range begins where it usually does."""
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(15_000 <= port < 61_000 for port in [*ports, free_port()])


def test_more_ports_than_there_are_is_said_so() -> None:
    with pytest.raises(TouchstoneError, match="no 1001 free ports"):
        free_ports(1001)
