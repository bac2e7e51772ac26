"""The headline says in plain words, with the replay's own figures, whether the promise is kept and what breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.report.headline import headline, how_counted, trend, waiting
from collectors.report.wording import brief, percent, percent_against, plain
from tests.reports import Event, changed, order, reported, simulated


def kept(count: int, **attributes: str) -> list[Event]:
    return [event for n in range(count) for event in order(f"k{n}{attributes}", 0.5, 1, 2, begin=n / 10, **attributes)]


def late(count: int, **attributes: str) -> list[Event]:
    return [event for n in range(count) for event in order(f"l{n}{attributes}", 0.5, 9, 2, begin=n / 10, **attributes)]


def said(events: list[Event], promise: dict[str, Any] | None = None, as_of: float | None = 60) -> str:
    return headline(reported(events, promise, as_of)).text()


def test_it_says_how_many_kept_the_promise_and_which_stage_breaks_it() -> None:
    assert said(kept(6) + late(4)) == (
        "60 % of 10 orders kept the 10-day promise (objective 95 %). Approval is what breaks it: 100 % of the 4 late "
        "orders would have been on time had approval kept its 3 days."
    )


def test_it_says_since_when_the_culprit_has_been_slow() -> None:
    report = simulated()
    text = headline(report).text()
    culprit = report.document["culprit"]
    assert culprit["stage"] == "approval"
    assert f"Approval has been slow since {culprit['since']}." in text
    assert f"{percent(culprit['rescued_share'])} of the {report.document['broken']:,} late orders" in text


def test_the_count_is_explained_in_one_line_where_there_is_a_culprit() -> None:
    assert "over the budget of approval" in (how_counted(reported(late(2), as_of=60)) or "")
    assert "a count of orders, not an average" in (how_counted(reported(late(2), as_of=60)) or "")
    assert how_counted(reported(kept(2), as_of=60)) is None


def test_nothing_broken_is_good_news_and_no_more() -> None:
    assert said(kept(7)) == "All 7 orders kept the 10-day promise (objective 95 %)."


def test_an_objective_that_is_met_softens_the_blame() -> None:
    text = said(kept(99) + late(1))
    assert text.startswith("99 % of 100 orders kept")
    assert "Approval is what broke it: the late order would have been on time" in text
    assert "What breaks it now and then is approval" in said(kept(98) + late(2))


def test_no_single_stage_to_blame_is_said() -> None:
    shared = [event for n in range(3) for event in order(f"s{n}", 4.9, 5.9, 7, begin=n)]
    text = said(shared)
    assert text.startswith("Not one of 3 orders kept the 10-day promise")
    assert "No single stage is to blame: not one of the 3 late orders would have been on time" in text


def test_a_culprit_that_rescues_few_is_not_made_the_cause() -> None:
    shared = [event for n in range(9) for event in order(f"s{n}", 4.9, 5.9, 7, begin=n)]
    assert "No single stage breaks it: even approval, which costs most, accounts for only 10 %" in said(
        shared + late(1)
    )


def test_stages_without_budgets_cannot_be_blamed() -> None:
    stages = [{"name": "all", "in": ["NEW", "ASKED", "MADE"], "kind": "wait"}]
    assert "No stage has a budget" in said(late(3), changed(stages=stages))


def test_orders_that_are_all_open_are_not_called_kept() -> None:
    text = said([*order("a", 1), *order("b", 1, 1)], as_of=3)
    assert text == (
        "No promise has come due yet, so nothing can be said of the 10-day promise. "
        "2 orders are still open, all on track."
    )


def test_early_finishers_do_not_make_a_share_before_a_promise_has_come_due() -> None:
    text = said([*order("a", 0.5, 0.5, 0.5), *order("b", 1)], as_of=3)
    assert "No promise has come due yet" in text
    assert "1 order finished early, all on time." in text


def test_one_order_is_one_order() -> None:
    assert said(order("a", 1, 1, 1)) == "The one order that came due kept the 10-day promise (objective 95 %)."
    assert said(order("a", 1, 12, 1)) == (
        "The one order that came due broke the 10-day promise (objective 95 %). Approval is what broke it: "
        "the late order would have been on time had approval kept its 3 days."
    )


def test_a_promised_date_is_called_one() -> None:
    promise = changed(promise={"within": None, "by": "promised_at", "by_day": True})
    text = said(kept(3, promised_at="2026-03-20") + late(1, promised_at="2026-03-04"), promise)
    assert text.startswith("75 % of 4 orders kept the promised date (objective 95 %).")


def test_promises_of_several_lengths_are_named_by_their_range() -> None:
    promise = changed(promise={"overrides": [{"when": {"channel": "b2b"}, "within": "5d"}]})
    assert "kept the promise of 5 days to 10 days" in said(kept(2, channel="b2b") + kept(2, channel="shop"), promise)


def test_the_segment_that_fares_worst_is_named() -> None:
    events = kept(30, channel="shop") + kept(12, channel="b2b") + late(12, channel="b2b")
    assert "Worst off: channel b2b, where 50 % kept it." in said(events)


def test_a_segment_that_fares_like_the_rest_is_not_named() -> None:
    events = kept(12, channel="shop") + late(12, channel="shop") + kept(12, channel="b2b") + late(12, channel="b2b")
    assert "Worst off" not in said(events)


def test_logs_without_an_order_to_judge_say_why() -> None:
    assert (
        said([("a", "ASKED", 0.0, {})])
        == "Nothing to judge: the one order has not reached NEW, where the promise begins."
    )
    void = [*order("a", 1), ("a", "VOID", 2.0, {})]
    assert said(void) == "Nothing to judge: every order that started was cancelled (1)."


def test_waiting_and_working_add_up() -> None:
    assert waiting(reported(order("a", 1, 2, 1), as_of=20)) == (
        "Orders waited 75 % of their time; somebody worked on them 25 %."
    )


def test_a_trend_is_told_only_of_enough_orders() -> None:
    assert trend(reported(kept(5) + late(3), as_of=60)) is None
    assert (trend(simulated()) or "").startswith("Getting worse: ")


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0 %"), (0.001, "<1 %"), (0.624, "62 %"), (0.996, "99.6 %"), (0.99999, ">99.9 %"), (1.0, "100 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0.62, "62 %"), (0.9496, "94.96 %"), (0.953, "95.3 %"), (0.95, "95 %"), (0.94, "94 %")]
)
def test_a_share_has_the_digits_that_tell_it_from_the_objective(share: float, shown: str) -> None:
    assert percent_against(share, 0.95) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0"), (0.2, "<1 s"), (59.99, "1 min"), (5_400, "1.5 h"), (86_399.9, "1 d"), (1_036_800, "12 d"), (None, "-")],
)
def test_durations_in_tables_are_short(seconds: float | None, shown: str) -> None:
    assert brief(seconds) == shown


def test_text_from_logs_cannot_steer_a_terminal() -> None:
    assert plain("a\x1b[31mred\x07\u202eb\nc\td\x9b") == "a\ufffd[31mred\ufffd\ufffdb c d\ufffd"
    assert plain("x" * 100) == "x" * 59 + "…"
