"""The dashboards are what the promise file makes of them, and each keeps the habits that all of them keep."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from alerts.catalogue import recorded_targets, recordings
from collectors import conventions as collector_names
from collectors.promise import load_promise
from dashboards import conventions, sources
from dashboards.building import GENERATED, build, documents
from dashboards.checking import UNITS, problems, texts
from dashboards.command import build_files, check_files
from dashboards.layout import laid_out, row
from dashboards.panels import COUNT, lines
from dashboards.queries import metric
from instrumentation import conventions as service_names
from instrumentation.errors import BadInput
from pricing.workers import conventions as pricing_names
from services.bus import conventions as bus_names
from services.mes import metrics as mes_names
from tests.reports import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROMISE: Final = load_promise()
DOCUMENTS: Final = documents(PROMISE)
UIDS: Final = {
    *("touchstone-executive", "touchstone-sales", "touchstone-operations", "touchstone-order", "touchstone-pricing"),
    *("touchstone-bus", "touchstone-mes", "touchstone-services", "touchstone-telemetry"),
}
# What Prometheus itself, its client library, Alertmanager and RabbitMQ's plugin export.
OTHERS: Final = re.compile(r"process_|scrape_|prometheus_|alertmanager_|rabbitmq_|up$|ALERTS$")
WORDS: Final = {"by", "or", "and", "unless", "on", "without", "ignoring", "bool", "le"}


def exported() -> set[str]:
    """Return every metric name of ours, from the rooms that export them."""
    rooms = (collector_names, service_names, bus_names, pricing_names, mes_names)
    constants = (value for room in rooms for value in vars(room).values() if isinstance(value, str))
    names = {value for value in constants if value.startswith(("touchstone_", "http_server_"))}
    recorded = {one.name for one in (*recordings(), *recorded_targets(PROMISE))}
    return recorded | names | {f"{name}_{part}" for name in names for part in ("bucket", "count", "sum")}


def metrics_of(expr: str) -> set[str]:
    """Return the metric names within a PromQL expression."""
    bare = re.sub(r"\{[^{}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring) \([^)]*\)", " ", expr)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?![a-zA-Z0-9_:]|\s*\()", bare)
    return {word for word in words if word not in WORDS}


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every PromQL expression of every panel and variable, and where it stands."""
    for uid, document in DOCUMENTS.items():
        for panel in document["panels"]:
            yield from ((f"{uid}/{panel['id']}", target["expr"]) for target in panel["targets"] if "expr" in target)
        for variable in document["templating"]["list"]:
            if isinstance(variable.get("query"), dict):
                selector, _, _ = variable["query"]["query"].removeprefix("label_values(").rpartition(", ")
                yield f"{uid}/{variable['name']}", selector


def test_the_committed_files_are_what_the_promise_makes_of_them() -> None:
    files = build(PROMISE)
    assert {path.name for path in GENERATED.iterdir()} == set(files)
    for name, content in files.items():
        assert (GENERATED / name).read_text(encoding="utf-8") == content, f"{name}: `touchstone dashboards build`"


def test_there_is_a_dashboard_for_everyone_and_nothing_is_wrong_with_any() -> None:
    assert set(DOCUMENTS) == UIDS
    assert problems(DOCUMENTS) == []


def test_panels_ask_only_for_metrics_that_exist() -> None:
    known = exported()
    unknown = {
        (where, name)
        for where, expr in expressions()
        for name in metrics_of(expr)
        if name not in known and not OTHERS.match(name)
    }
    assert unknown == set()
    assert len({name for _, expr in expressions() for name in metrics_of(expr)}) > 60


def test_names_of_other_rooms_are_theirs() -> None:
    """What this room may not import, and therefore repeats, is spelt as its owner spells it."""
    known = exported()
    repeated = {v for v in vars(conventions).values() if str(v).startswith(("touchstone_", "touchstone:"))}
    assert len(repeated) > 18
    assert repeated <= known


def test_every_signal_that_the_collector_exports_is_on_a_dashboard() -> None:
    shown = {name for _, expr in expressions() for name in metrics_of(expr)}
    whole = {name for name in vars(collector_names).values() if str(name).startswith("touchstone_")}
    parts = {name.removesuffix(part) for name in shown for part in ("_bucket", "_count", "_sum")}
    elsewhere = {
        # What the objective and the promise's length are stands in the panels' own words and limits.
        *(collector_names.PROMISE_OBJECTIVE, collector_names.PROMISE_LENGTH),
        # Counts of all time; by month they are read from the database.
        *(collector_names.PROMISE_OPEN, collector_names.PROMISE_CANCELLED),
        collector_names.BUILD,
        # As of when orders were counted: for whoever doubts a count of very many, and asks by hand.
        collector_names.PICTURE_TIMESTAMP,
    }
    assert whole - shown - parts == elsewhere


def test_every_stage_has_its_colour_on_the_operations_dashboard() -> None:
    panel = next(p for p in DOCUMENTS["touchstone-operations"]["panels"] if p["title"] == "Work in progress")
    named = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert {stage.name for stage in PROMISE.stages} <= named


def test_another_promise_makes_other_dashboards(tmp_path: Path) -> None:
    """Another business: stages and budgets of its own, a price of lateness, a name that holds a quote and a dollar."""
    odd = {"name": "ann's $x {y}", "in": ["LOST"], "kind": "wait", "pauses": True}
    terms = changed(cost_per_day_late="12.50", promise={"objective": "90%"})
    path = tmp_path / "promise.yaml"
    path.write_text(json.dumps({**terms, "stages": [*terms["stages"], odd]}), encoding="utf-8")
    promise = load_promise(path)
    made = documents(promise)
    assert problems(made) == []
    executive = made["touchstone-executive"]["panels"]
    assert executive[-1]["title"] == "Cost of lateness by month"
    assert "* 12.5" in executive[-1]["targets"][0]["rawSql"]
    assert executive[0]["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] == 0.9
    assert not any("approval" in text and "assignment" in text for text in texts(made))
    assert "'ann''s '||chr(36)||'x {y}'" in " ".join(texts(made))


def test_a_promise_moment_that_no_database_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "promise.yaml"
    log = {"format": "csv", "order": "order", "status": "status", "time": "at", "time_format": "%d.%m.%Y"}
    terms = changed(promise={"by": "promised_at", "within": None}, log=log)
    path.write_text(json.dumps(terms), encoding="utf-8")
    with pytest.raises(BadInput, match=r"log\.time_format"):
        build(load_promise(path))


def test_building_into_a_folder_leaves_nothing_old(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert "9 dashboards of `three-weeks`" in build_files(PROMISE, folder)
    (folder / "touchstone-old.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"touchstone-old\.json is no dashboard of ours"):
        check_files(PROMISE, folder)
    build_files(PROMISE, folder)
    assert "9 dashboards with" in check_files(PROMISE, folder)
    (folder / "touchstone-sales.json").write_text("{}", encoding="utf-8")
    (folder / "datasources.yaml").unlink()
    with pytest.raises(BadInput, match=r"datasources\.yaml is not there") as refused:
        check_files(PROMISE, folder)
    assert "touchstone-sales.json is not what the promise makes of it" in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_row_that_does_not_fill_the_grid_is_refused() -> None:
    panel = lines(1, "Short", "A panel that is too narrow.", [metric("up")], COUNT)
    with pytest.raises(ValueError, match="the row of Short is 20 columns wide"):
        laid_out([row(4, (20, panel))])


Broken = dict[str, Any]


def _first(document: Broken) -> Broken:
    panel: Broken = document["panels"][0]
    return panel


def _unit(document: Broken) -> None:
    _first(document)["fieldConfig"]["defaults"]["unit"] = "fortnights"


def _wide(document: Broken) -> None:
    _first(document)["gridPos"]["w"] += 1


def _narrow(document: Broken) -> None:
    document["panels"][-1]["gridPos"]["w"] -= 1


def _twice(document: Broken) -> None:
    _first(document)["id"] = document["panels"][1]["id"]


def _no_id(document: Broken) -> None:
    _first(document)["id"] = None


def _mute(document: Broken) -> None:
    _first(document)["description"] = ""


def _zero(document: Broken) -> None:
    _first(document)["targets"][0]["expr"] += " or vector(0)"


def _nothing(document: Broken) -> None:
    _first(document)["fieldConfig"]["defaults"]["noValue"] = "0"


def _limits(document: Broken) -> None:
    _first(document)["fieldConfig"]["defaults"]["thresholds"]["steps"] = [{"color": "red", "value": 1}]


def _tags(document: Broken) -> None:
    document["tags"].append("prod")


def _link(document: Broken) -> None:
    document["links"][0]["keepTime"] = False


def _variable(document: Broken) -> None:
    _first(document)["targets"][0]["expr"] = 'up{job="$nobody"}'


def _order(document: Broken) -> None:
    document["templating"]["list"].reverse()


def _fixed(document: Broken) -> None:
    _first(document)["targets"][0]["datasource"]["uid"] = "prod-1"


def _unquoted(document: Broken) -> None:
    _first(document)["targets"][0]["rawSql"] = "SELECT * FROM orders WHERE name = '$stage'"


def _regex(document: Broken) -> None:
    _first(document)["targets"][0]["expr"] = 'touchstone_stage_age_seconds{segment=~"$segment"}'


def _equal(document: Broken) -> None:
    _first(document)["targets"][0]["expr"] = 'touchstone_stage_orders{stage="$stage"}'


def _refs(document: Broken) -> None:
    _first(document)["targets"][1]["refId"] = "A"


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (_unit, "Grafana knows no unit fortnights"),
        (_wide, "a panel reaches to column 24"),
        (_narrow, "nothing is at column"),
        (_twice, "2 panels have the id 2"),
        (_no_id, "1 panels have the id None"),
        (_mute, "it does not say what it means"),
        (_zero, "query A makes a number of nothing"),
        (_nothing, "it shows nothing as if it were a value"),
        (_limits, "its limits do not ascend from nothing"),
        (_tags, "it must have touchstone alone"),
        (_link, "a link loses the time or the variables"),
        (_variable, "asks for nobody, which nobody chooses"),
        (_order, "before it is chosen"),
        (_fixed, "does not ask the chosen data source"),
        (_unquoted, "puts stage into SQL unquoted"),
        (_refs, "two of its queries have one name"),
        (_regex, 'panel 1 compares by =~"$segment", which is wrong for what can be chosen'),
        (_equal, 'panel 1 compares by ="$stage", which is wrong for what can be chosen'),
    ],
)
def test_a_planted_fault_is_found(plant: Callable[[Broken], None], said: str) -> None:
    document = copy.deepcopy(DOCUMENTS["touchstone-operations"])
    plant(document)
    found = problems({"touchstone-operations": document})
    assert any(said in problem for problem in found), found


def test_overlapping_panels_and_titles_given_twice_are_found() -> None:
    document = copy.deepcopy(DOCUMENTS["touchstone-sales"])
    document["panels"][1]["gridPos"] = document["panels"][0]["gridPos"]
    found = problems({"one": document, "two": document})
    assert any("panels overlap at column 0, line 0" in problem for problem in found)
    assert "Sales: orders at risk: two dashboards have this title" in found


def test_units_are_grafanas_own() -> None:
    assert {"s", "percentunit", "bytes", "reqps", "cps", "d", "short"} <= UNITS
    assert len(UNITS) > 250


def test_data_sources_lead_from_an_exemplar_to_its_trace_to_its_logs_and_back() -> None:
    found = {source["uid"]: source["jsonData"] for source in sources.sources()}
    assert set(found) == {source.uid for source in conventions.SOURCES}
    destination = found["touchstone-prometheus"]["exemplarTraceIdDestinations"][0]
    assert destination == {"name": service_names.TRACE, "datasourceUid": "touchstone-traces"}
    assert found["touchstone-traces"]["tracesToLogsV2"]["datasourceUid"] == "touchstone-logs"
    assert found["touchstone-traces"]["tracesToLogsV2"]["query"] == f'{service_names.TRACE}:"${{__trace.traceId}}"'
    assert found["touchstone-logs"]["dataLinks"][0]["field"] == service_names.TRACE
    assert found["touchstone-logs"]["dataLinks"][0]["datasourceUid"] == "touchstone-traces"


def test_provisioning_leaves_grafanas_own_variables_to_grafana() -> None:
    """In the file, `$$` is a dollar that provisioning leaves alone; only our environment variables are expanded."""
    written = (GENERATED / "datasources.yaml").read_text(encoding="utf-8")
    found = {source["uid"]: source for source in yaml.safe_load(written)["datasources"]}
    assert found["touchstone-traces"]["jsonData"]["tracesToLogsV2"]["query"] == 'trace_id:"$${__trace.traceId}"'
    assert found["touchstone-collector"]["url"] == "${TOUCHSTONE_GRAFANA_COLLECTOR}"
    assert found["touchstone-collector"]["secureJsonData"] == {"password": "${TOUCHSTONE_GRAFANA_PASSWORD}"}
    assert not re.search(r"(?<!\$)\$\{(?!TOUCHSTONE_GRAFANA_)", written.replace("$${", ""))
