"""The mistakes that the mutation run makes in Python: one at a time, and none where a change is none."""

from __future__ import annotations

from tests.mutations.code import mutants

CODE = '''
"""Holds 1 and True."""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from numbers import Number

LIMIT: Final = 40.0
NOUGHT: Final = 1e-12


@decorated(1)
def late(age: float = 0.5, *, strict: bool) -> Literal[1]:
    """Return 1."""
    total = 0
    total += max(age, 0.0)
    if age > LIMIT and not strict:
        raise ValueError(f"{age} of {1 + 1}")
    for one in ages:
        break
    return searched(ages, age, side="left") * 2
'''


def changed() -> set[str]:
    """Return what each mutant changes."""
    return {one.what for one in mutants(CODE, "late.py")}


def test_comparisons_operators_constants_bounds_branches_and_steps_are_changed() -> None:
    for what in (
        "`age > LIMIT` becomes `age >= LIMIT`",
        "`age > LIMIT` becomes `age <= LIMIT`",
        "`age > LIMIT and (not strict)` becomes `age > LIMIT or not strict`",
        "`not strict` becomes `strict`",
        "`if age > LIMIT and (not strict)` becomes `if True`",
        "`if age > LIMIT and (not strict)` becomes `if False`",
        "`40.0` becomes `50.0`",
        "`0.5` becomes `0.375`",
        "`2` becomes `3`",
        "`max(age, 0.0)` becomes `age`",
        "`max` becomes `min`",
        "`total += max(age, 0.0)` becomes `pass`",
        "`break` becomes `continue`",
        "`side='left'` becomes `side='right'`",
        "`searched(ages, age, side='left') * 2` becomes `searched(ages, age, side='left') / 2`",
    ):
        assert what in changed(), what


def test_what_the_program_does_not_hear_is_left_alone() -> None:
    """Docstrings, texts, annotations, decorators, guards, bounds at nought, and what only type checkers read."""
    for silent in ("`1`", "`1e-12`", "`0.0`", "`1 + 1`", "`TYPE_CHECKING`", "`'Return 1.'`"):
        assert not [what for what in changed() if what.startswith(silent)], silent


def test_each_mutant_is_one_mistake_in_the_function_that_it_names() -> None:
    """The definition begins at the line of its decorator, as its code object says."""
    made = list(mutants(CODE, "late.py"))
    assert {one.function for one in made} == {0, CODE.splitlines().index("@decorated(1)") + 1}
    assert len({(one.line, one.what) for one in made}) == len(made)


def test_a_mutant_runs_with_its_mistake() -> None:
    found = []
    for one in mutants("def twice(x):\n    return x * 2\n", "twice.py"):
        names: dict[str, object] = {}
        exec(one.code, names)  # noqa: S102 - what the mutation run does
        found.append(names["twice"](6))  # type: ignore[operator]
    assert sorted(found) == [3.0, 6, 18]
