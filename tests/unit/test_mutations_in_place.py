"""The mutation run puts a mistake into running code, knows who would notice it, and lists no mutant that is gone."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.mutations import signals
from tests.mutations.calls import Calls, Function, caches
from tests.mutations.code import Mutant, mutants
from tests.mutations.equivalents import EQUIVALENTS, Equivalent
from tests.mutations.forks import Case, Untestable, changed_in_place

CODE = """
from functools import cache, cached_property

AMOUNT = 40.0

def plain(x):
    return [inner * 11 for inner in (x,)][0]

@cache
def kept(x):
    return x * 12

def defaulted(x, y=13):
    return x * y

class Some:
    AMOUNT = 50.0

    def method(self, x):
        return x * 14

    @property
    def told(self):
        return 2 * 15

    @cached_property
    def once(self):
        return 2 * 16

    @staticmethod
    def fixed(x):
        return x * 17

    @classmethod
    def made(cls, x):
        return x * 18
"""


def results(module: Any) -> dict[str, float]:
    """Return what each function of the module makes of 2."""
    some = module.Some()
    module.kept.cache_clear()
    return {
        "11": module.plain(2),
        "12": module.kept(2),
        "13": module.defaulted(2),
        "14": some.method(2),
        "15": some.told,
        "16": some.once,
        "17": some.fixed(2),
        "18": some.made(2),
    }


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the code above as a module."""
    found = ModuleType("shop_of_mistakes")
    monkeypatch.setitem(sys.modules, found.__name__, found)
    exec(compile(CODE, "shop.py", "exec", dont_inherit=True), found.__dict__)  # noqa: S102 - the code above
    return found


@pytest.mark.parametrize("number", ["11", "12", "14", "15", "16", "17", "18"])
def test_a_mistake_in_a_function_is_put_in_place_and_nothing_else_is_changed(module: ModuleType, number: str) -> None:
    """Whether it stands alone or in a class, and whatever wraps it."""
    right = results(module)
    one = next(one for one in mutants(CODE, "shop.py") if one.what == f"`{number}` becomes `{int(number) * 5 // 4}`")
    if not changed_in_place(module, one.code):
        pytest.fail("no function was changed")
    found = results(module)
    assert found.pop(number) == 2 * (int(number) * 5 // 4) != right.pop(number)
    assert found == right


@pytest.mark.parametrize("what", ["`40.0` becomes `50.0`", "`50.0` becomes `62.5`", "`13` becomes `16`"])
def test_a_mistake_elsewhere_cannot_be_put_in_place(module: ModuleType, what: str) -> None:
    """A constant of the module or of a class, and the value of an argument that was left out."""
    right = results(module)
    one = next(one for one in mutants(CODE, "shop.py") if one.what == what)
    assert not changed_in_place(module, one.code)
    assert results(module) == right


def test_tests_that_call_a_function_come_first_and_the_quick_ones_before_the_slow() -> None:
    calls, wanted, other = Calls(Path("/nowhere")), Function("rates", 7), Function("rates", 9)
    calls.called.update({"a.py::slow": {wanted}, "a.py::idle": set(), "b.py::quick": {wanted, other}})
    calls.called.update({"c.py::far": {Function("cusum", 7)}, "a.py::beside": {other}})
    calls.took_s.update({"a.py::slow": 2.0, "a.py::idle": 0.1, "b.py::quick": 0.5, "c.py::far": 0.0, "a.py::beside": 1})
    assert calls.callers(wanted) == ["b.py::quick", "a.py::slow"]
    assert calls.testers("rates") == ["b.py::quick", "a.py::beside", "a.py::slow", "a.py::idle"]
    assert calls.testers("flow") == []


def test_results_kept_in_a_cache_are_found() -> None:
    """They were computed without the mistake."""

    @functools.cache
    def twice(x: int) -> int:
        return 2 * x

    twice(3)
    for cache in caches():
        if cache is twice:
            cache.cache_clear()
    assert twice.cache_info().currsize == 0


def test_every_mutant_that_is_said_to_change_nothing_has_a_reason() -> None:
    assert all(len(reason.split()) > 3 for reason in EQUIVALENTS.values())


def made(*places: tuple[str, str, int]) -> list[Case]:
    """Return mutants of a module by the line, what is changed in it, and which one."""
    nothing = compile("", "nothing", "exec")
    return [Case("rates", Mutant(1, what, line, nth, 0, nothing)) for line, what, nth in places]


def test_a_listed_mutant_is_found_by_its_line_and_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two alike in a line it says which; those of modules that were not asked for do not matter."""
    listed = {Equivalent("rates", "x = 1 + 1", "`1` becomes `2`", 2): "a", Equivalent("cusum", "gone", "gone"): "b"}
    monkeypatch.setattr(signals, "EQUIVALENTS", listed)
    both = made(("x = 1 + 1", "`1` becomes `2`", 1), ("x = 1 + 1", "`1` becomes `2`", 2))
    assert signals.equivalent(both) == both[1:]
    with pytest.raises(Untestable, match="no more"):
        signals.equivalent(both[:1])
