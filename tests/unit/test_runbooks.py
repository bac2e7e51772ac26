"""Each alert has its page, each page is whole, and whatever it names exists."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

import collectors.conventions
import instrumentation.conventions
import pricing.workers.conventions
import services.bus.conventions
import services.mes.metrics
from alerts import runbooks
from alerts.catalogue import alerts, recorded_targets, recordings
from alerts.command import OutOfDate, run_build, run_check
from alerts.foreign import FOREIGN
from alerts.promql import metrics
from alerts.runbooks import INDEX, PAGES, SECTIONS, complaints, written
from alerts.settings import default_settings
from alerts.texts import DASHBOARDS
from collectors.promise import load_promise
from tests.runbooks import KINDS, commands, languages, pages, queries

if TYPE_CHECKING:
    from pathlib import Path

PROMISE: Final = load_promise()
ALERTS: Final = alerts(PROMISE)
LINKS: Final = default_settings().links
# Of others' metrics, those that only people ask for: no rule does.
ASKED_BY_PEOPLE: Final = frozenset(
    {
        "ALERTS",
        "alertmanager_notifications_total",
        "prometheus_config_last_reload_success_timestamp_seconds",
        "prometheus_notifications_queue_length",
        "prometheus_rule_group_iterations_missed_total",
        "prometheus_tsdb_head_series",
        "rabbitmq_disk_space_available_bytes",
        "scrape_samples_scraped",
    }
)
PREFIXES: Final = ("touchstone_", "rabbitmq_", "prometheus_", "alertmanager_", "process_", "http_server_")


def known() -> set[str]:
    """Return the name of every metric that somebody exports or records."""
    ours = (
        collectors.conventions,
        instrumentation.conventions,
        pricing.workers.conventions,
        services.bus.conventions,
        services.mes.metrics,
    )
    named = {value for module in ours for value in vars(module).values() if isinstance(value, str)}
    recorded = {one.name for one in (*recordings(), *recorded_targets(PROMISE))}
    return named | recorded | {name for names in FOREIGN.values() for name in names} | ASKED_BY_PEOPLE


def unknown(names: set[str]) -> set[str]:
    """Return the names of metrics that nobody exports; those of a histogram's parts count as its own."""
    return {name for name in names if not {name, re.sub(r"_(bucket|count|sum)$", "", name)} & known()}


def test_there_is_a_page_for_each_alert_and_none_besides() -> None:
    assert {path.name for path in pages()} == {f"{alert.slug}.md" for alert in ALERTS}


def test_every_page_is_up_to_date_and_every_section_says_something() -> None:
    """Whoever changes an alert runs `touchstone alerts build`; whoever adds one writes its page."""
    assert list(complaints(ALERTS, LINKS)) == []


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_a_page_has_its_sections_in_their_order_and_no_others(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert tuple(written(text)) == SECTIONS
    for name in (runbooks.FACTS, runbooks.LOOK):
        assert text.count(f"<!-- {name}: from the rule") == text.count(f"<!-- {name}: to here") == 1
    assert text.index("## Look here") < text.index(f"<!-- {runbooks.LOOK}:") < text.index("## Do this")


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_a_page_can_be_acted_on(path: Path) -> None:
    """It shows figures before it says what to do, has steps by number, and a figure that proves the remedy."""
    sections = written(path.read_text(encoding="utf-8"))
    assert "```sh look" in sections["Look here"]
    assert re.search(r"^1\. ", sections["Do this"], re.MULTILINE)
    assert "```sh" in sections["Verify"]
    assert len(sections["Escalate"]) > 60


def test_no_sentence_would_fit_every_page() -> None:
    """A passage of some length that stands on two pages belongs to one of them, with a link from the other."""
    seen: dict[str, set[str]] = {}
    for path in pages():
        for section in written(path.read_text(encoding="utf-8")).values():
            prose = re.sub(r"```.*?```", "", section, flags=re.DOTALL).replace("\n", " ")
            for sentence in re.split(r"(?<=[.:;]) +", prose):
                if len(sentence) > 90:
                    seen.setdefault(" ".join(sentence.split()), set()).add(path.name)
    assert {sentence: names for sentence, names in seen.items() if len(names) > 1} == {}


@pytest.mark.parametrize("path", [*pages(), PAGES / INDEX], ids=lambda path: path.stem)
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    """To a file and a heading of it, to a panel of a dashboard that exists, to an address of the settings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("http"):
            assert target.startswith((LINKS.grafana, LINKS.collector, LINKS.prometheus)), target
            if target.startswith(LINKS.grafana):
                assert panel_of(target), target
            continue
        name, _, heading = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        assert not heading or heading in headings(file), target


def panel_of(link: str) -> bool:
    """Whether a link names a dashboard and a panel of it that exist."""
    found = re.search(r"/d/([\w-]+)\?viewPanel=(\d+)$", link)
    assert found is not None
    document = json.loads((DASHBOARDS / f"{found[1]}.json").read_text(encoding="utf-8"))
    return int(found[2]) in {panel["id"] for panel in document["panels"]}


def headings(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as they are usually made."""
    lines = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).strip().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_every_metric_that_a_page_names_is_exported(path: Path) -> None:
    """In its commands, and in backticks."""
    asked = {name for command in commands(path) for expr in queries(command.line) for name in metrics(expr)}
    prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {name for name in re.findall(r"`(\w+)`", prose) if name.startswith(PREFIXES)}
    assert unknown(asked) == set()
    assert unknown(named - {"rabbitmq_prometheus"}) == set()


def test_a_metric_that_nobody_exports_is_noticed() -> None:
    assert unknown({"touchstone_stage_orders", "touchstone_stage_order"}) == {"touchstone_stage_order"}
    assert unknown({"http_server_request_duration_seconds_bucket", "ALERTS"}) == set()


def test_every_block_says_what_its_commands_do() -> None:
    """`look`, `look quiet` or `change`; beside commands a page holds its expression only."""
    allowed = {"promql", *(f"sh {kind}" for kind in KINDS)}
    assert {info for path in pages() for info in languages(path)} == allowed


def test_what_changes_something_is_marked_so() -> None:
    """A block that looks holds no verb of those that change; statements only read."""
    changing = re.compile(r"(?<![\w/])(restart|tell|replay --all|--repair|silence add|alert add|-X (POST|DELETE))\b")
    for path in pages():
        for command in commands(path):
            assert bool(changing.search(command.line)) == (command.kind == "change"), f"{path.name}: {command.line}"
            assert not re.search(r"\b(UPDATE|DELETE FROM|INSERT|TRUNCATE)\b", command.line), path.name


def test_every_question_to_the_collector_shows_its_token() -> None:
    """One that other machines reach has a token, and answers nobody else; only its health is told to all."""
    for path in pages():
        for command in commands(path):
            asked = re.findall(r"(?:\$COLLECTOR|\$\(at collector\))(/\w+)", command.line)
            shown = "$(_token collector)" in command.line
            assert shown or set(asked) <= {"/readyz", "/healthz"}, f"{path.name}: {command.line}"


def test_the_words_of_the_commands_are_explained() -> None:
    """Whatever house.sh defines for pages stands in the table of the README, and nothing else does."""
    script = (PAGES / "house.sh").read_text(encoding="utf-8")
    words = {name for name in re.findall(r"^(\w+)\(\) \{", script, re.MULTILINE) if not name.startswith("_")}
    rows = re.findall(r"^\| `.*$", (PAGES / INDEX).read_text(encoding="utf-8"), re.MULTILINE)
    told = set(re.findall(r"`(\w+)", "".join(rows)))
    assert words - told == set()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with copies of the pages, which the commands take for theirs."""
    for path in PAGES.glob("*.md"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(runbooks, "PAGES", tmp_path)
    return tmp_path


def test_a_changed_alert_changes_its_page_and_leaves_what_people_wrote(folder: Path) -> None:
    changed = tuple(replace(one, for_="7h") if one.name == "StageSlow" else one for one in ALERTS)
    before = (folder / "stage-slow.md").read_text(encoding="utf-8")
    [said] = complaints(changed, LINKS, folder)
    assert said.endswith("stage-slow.md: is not what the alert says now; run `touchstone alerts build`")
    after = runbooks.pages(changed, LINKS, folder)["stage-slow.md"]
    assert "once it has held for 7h" in after
    assert written(after) == written(before)


def test_a_new_alert_gets_an_empty_page_that_is_complained_of(folder: Path) -> None:
    new = replace(ALERTS[0], name="BrandNew")
    page = runbooks.pages((*ALERTS, new), LINKS, folder)["brand-new.md"]
    assert tuple(written(page)) == SECTIONS
    assert set(written(page).values()) == {""}
    told = list(complaints((*ALERTS, new), LINKS, folder))
    assert sum("says nothing under" in one for one in told) == len(SECTIONS)
    assert any(
        one.endswith("brand-new.md: is not there; run `touchstone alerts build` and write what one must know")
        for one in told
    )


def test_a_page_without_its_alert_is_complained_of(folder: Path) -> None:
    left = tuple(one for one in ALERTS if one.name != "StageSlow")
    assert any(
        one.endswith("stage-slow.md: no alert is called so any more; delete it")
        for one in complaints(left, LINKS, folder)
    )


@pytest.mark.usefixtures("folder")
def test_another_folder_gets_no_pages(tmp_path: Path) -> None:
    """The pages are this house's; rules built for another place are not."""
    page = tmp_path / "stage-slow.md"
    page.unlink()
    run_build(output=tmp_path / "elsewhere")
    assert not page.exists()
    assert not list((tmp_path / "elsewhere").glob("*.md"))


def test_check_names_the_page_that_is_out_of_date(folder: Path) -> None:
    page = folder / "dead-letters.md"
    page.write_text(page.read_text(encoding="utf-8").replace("a ticket", "a page"), encoding="utf-8")
    with pytest.raises(OutOfDate, match=r"dead-letters\.md: is not what the alert says now"):
        run_check()
