"""The judge of fault runs sees each way to go wrong, and nothing else."""

from __future__ import annotations

from tests.faults.judging import chain, judge
from tests.faults.stores import Books, Effect

EVENTS = 3


def books(steps: list[int], *, answers: int = 1, dead: tuple[int, int] = (0, 0)) -> Books:
    effects = [Effect("a", step) for step in steps]
    return Books({"a": EVENTS}, effects, ["a"] * answers, {"a": chain(steps)}, *dead)


def found(judged: Books) -> dict[str, int]:
    verdict = judge(judged, events=EVENTS, commands=True)
    return {name: number for name, number in vars(verdict).items() if number}


def test_each_event_once_and_in_order_is_right() -> None:
    assert found(books([1, 2, 3])) == {}


def test_an_event_without_effect_is_lost() -> None:
    assert found(books([1, 3])) == {"lost": 1, "broken_states": 1}


def test_an_event_with_two_effects_is_doubled_and_not_misordered_by_the_second() -> None:
    assert found(books([1, 2, 3, 1])) == {"doubled": 1, "broken_states": 1}


def test_an_effect_after_that_of_a_later_event_is_misordered() -> None:
    assert found(books([2, 1, 3])) == {"misordered": 1, "broken_states": 1}


def test_a_command_is_lost_or_doubled_too() -> None:
    assert found(books([1, 2, 3], answers=0)) == {"lost": 1}
    assert found(books([1, 2, 3], answers=3)) == {"doubled": 2}


def test_an_event_that_was_never_committed_is_not_missed() -> None:
    assert found(Books({"a": 1, "b": 0}, [Effect("a", 1)], [], {"a": chain([1])}, 0, 0)) == {}


def test_a_dead_letter_without_a_handlers_failure_is_wrong_and_one_after_failures_is_only_told() -> None:
    assert judge(books([1, 2, 3], dead=(1, 1)), events=EVENTS, commands=True).wrong == 1
    assert judge(books([1, 2, 3], dead=(1, 0)), events=EVENTS, commands=True).wrong == 0
