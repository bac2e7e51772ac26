"""Judging drills: what fired, how soon, at the right place, whether it cleared, and what else did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from alerts.drills.clock import Clock
from alerts.drills.command import told
from alerts.drills.episodes import Episode, episodes
from alerts.drills.judging import judge
from alerts.drills.model import Drill, Named, Outcome
from alerts.drills.scrapes import History

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.drills.run import Run

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)


async def _nothing(_run: Run) -> None:
    """Play nothing."""


def drill(**more: Any) -> Drill:
    """Return a drill of a slow approval."""
    return Drill("slow", "Approval is slow.", _nothing, (Named("StageSlow", {"stage": "approval"}),), **more)


def episode(since: int, firing: int | None, until: int | None, **labels: str) -> Episode:
    """Return an episode in minutes after noon."""
    moments = [None if minute is None else NOON + minute * MINUTE for minute in (since, firing, until)]
    return Episode(labels, moments[0] or NOON, moments[1], moments[2])


def judged(*of_stage: Episode, more: dict[str, list[Episode]] | None = None, **options: Any) -> Outcome:
    """Judge episodes of StageSlow, and others; the fault lasts from minute 0 to minute 60."""
    return judge(drill(**options), {"StageSlow": list(of_stage), **(more or {})}, NOON, NOON + 60 * MINUTE)


def test_an_alert_that_fires_in_time_and_clears_passes() -> None:
    outcome = judged(episode(5, 10, 70, stage="approval"))
    assert outcome.passed, outcome.faults
    [fired] = outcome.fired
    assert (fired.after, fired.cleared_after) == (10 * MINUTE, 10 * MINUTE)
    assert (
        outcome.document()["alerts"][0] | {"after_s": 600.0, "cleared_after_s": 600.0, "right": True}
        == (outcome.document()["alerts"][0])
    )
    assert told(outcome).splitlines()[1].strip() == "StageSlow (approval) after 0:10:00, cleared 0:10:00 after its end"


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ((), "StageSlow did not fire"),
        ((episode(5, None, 70, stage="approval"),), "StageSlow did not fire"),  # it was pending only
        ((episode(-20, -10, 70, stage="approval"),), "StageSlow did not fire"),  # that was before the fault
        ((episode(5, 10, 70, stage="packing"),), "StageSlow did not fire"),
        ((episode(5, 10, None, stage="approval"),), "StageSlow did not clear"),
        (
            (episode(5, 10, 20, stage="approval"), episode(30, 40, None, stage="approval")),
            "StageSlow did not clear",
        ),
        (
            (episode(2, 5, 70, stage="packing"), episode(5, 10, 70, stage="approval")),
            "StageSlow named something else first",
        ),
        ((episode(5, 61, 70, stage="approval"),), "StageSlow fired after 1:01:00, later than 1:00:00"),
    ],
)
def test_what_a_drill_fails_for(found: tuple[Episode, ...], fault: str) -> None:
    outcome = judged(*found)
    assert outcome.faults == [fault]
    assert not outcome.passed


def test_two_others_may_fire_and_three_may_not() -> None:
    """Declared ones, pending ones and the Watchdog do not count."""
    slow = episode(5, 10, 70, stage="approval")
    others = {name: [episode(1, 2, 3)] for name in ("A", "B", "Declared", "Watchdog")} | {"C": [episode(1, None, 3)]}
    outcome = judged(slow, more=others, also=("Declared",))
    assert outcome.passed
    assert outcome.others == ("A", "B")
    outcome = judged(slow, more={**others, "C": [episode(1, 2, 3)]}, also=("Declared",))
    assert outcome.faults == ["3 others fired: A, B, C"]


def test_what_must_be_silent_fails_a_drill() -> None:
    quiet = Drill("night", "Night.", _nothing, (), silent=("NoEvents",))
    assert judge(quiet, {"NoEvents": []}, NOON, NOON).passed
    assert judge(quiet, {"NoEvents": [episode(1, 2, 3)]}, NOON, NOON).faults == ["NoEvents fired, and must not"]


def test_a_calm_drill_bears_nothing_but_what_it_declares() -> None:
    """Elsewhere two others may fire; what must be silent is told once."""
    calm = Drill("night", "Night.", _nothing, (), also=("Declared",), silent=("NoEvents",), calm=True)
    one = [episode(1, 2, 3)]
    assert judge(calm, {"Declared": one, "Watchdog": one, "A": [episode(1, None, 3)]}, NOON, NOON).passed
    assert judge(calm, {"A": one, "B": one}, NOON, NOON).faults == ["A, B fired, and nothing must"]
    assert judge(calm, {"NoEvents": one}, NOON, NOON).faults == ["NoEvents fired, and must not"]


def test_what_comes_back_while_it_is_kept_is_the_same_episode() -> None:
    """Kept for two minutes: back in time it fires on, then it ends; the next time it only gets to be pending."""
    moments = [NOON + minute * MINUTE for minute in range(10)]
    held = {moments[place] for place in (0, 1, 2, 4, 8)}
    found = list(episodes({}, moments, held, 2 * MINUTE, 2 * MINUTE))
    assert [(one.since, one.firing, one.until) for one in found] == [
        (moments[0], moments[2], moments[7]),
        (moments[8], None, moments[9]),
    ]


def test_the_clock_is_a_file_that_others_read(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock", NOON)
    clock.now += MINUTE
    assert clock.now == NOON + MINUTE
    assert clock() == int.from_bytes((tmp_path / "clock").read_bytes(), "little")
    assert clock() == int((NOON + MINUTE).timestamp() * 1e6)
    clock.close()


def written(history: History, folder: Path) -> list[str]:
    """Return a history as OpenMetrics."""
    history.write(folder / "history.txt")
    return (folder / "history.txt").read_text(encoding="utf-8").splitlines()


def test_a_scrape_is_what_a_target_showed_and_what_prometheus_adds(tmp_path: Path) -> None:
    history = History()
    shown = '# HELP a b\n# TYPE a gauge\na 1.0\n\nb{x="y"} +Inf\nc{job="own",} NaN\nd{} 2\n'
    history.scraped(NOON, "shop", "a:1", shown, 0.25)
    at = f"{NOON.timestamp():.3f}"
    of = 'job="shop",instance="a:1"'
    assert written(history, tmp_path) == [
        f"a{{{of}}} 1.0 {at}",
        f'b{{x="y",{of}}} +Inf {at}',
        f'c{{exported_job="own",{of}}} NaN {at}',
        f"d{{{of}}} 2 {at}",
        f"up{{{of}}} 1 {at}",
        f"scrape_duration_seconds{{{of}}} 0.25 {at}",
        f"scrape_samples_scraped{{{of}}} 4 {at}",
        f"scrape_samples_post_metric_relabeling{{{of}}} 4 {at}",
        f"scrape_series_added{{{of}}} 4 {at}",
        "# EOF",
    ]


def test_a_target_that_does_not_answer_is_down_and_shows_nothing(tmp_path: Path) -> None:
    history = History()
    history.scraped(NOON, "shop", "a:1", None, 3.0)
    lines = written(history, tmp_path)
    assert lines[0].startswith('up{job="shop",instance="a:1"} 0 ')
    assert {line.split("{")[0] for line in lines[:-1]} == {
        *("up", "scrape_duration_seconds", "scrape_samples_scraped"),
        *("scrape_samples_post_metric_relabeling", "scrape_series_added"),
    }


def test_a_recorded_series_keeps_labels_that_hold_quotes(tmp_path: Path) -> None:
    history = History()
    labels = {"__name__": "x", "stage": 'the "customer\'s" turn\\'}
    history.recorded("touchstone:x", labels, [(NOON, 0.5), (NOON + MINUTE, float("inf"))])
    first, second, _ = written(history, tmp_path)
    assert first == f'touchstone:x{{stage="the \\"customer\'s\\" turn\\\\"}} 0.5 {NOON.timestamp():.3f}'
    assert second.split("} ")[1].startswith("+Inf ")
