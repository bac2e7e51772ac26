"""The mistakes that the mutation run makes in rules: each is one change, and the kinds are those that people make."""

from __future__ import annotations

from tests.mutations.promql import mutants

EXPR = """max by (job) (a{state="dead"}) > 300
unless on (job) min_over_time(b[1h]) >= 1"""


def changed(expr: str) -> set[str]:
    """Return every mutant's text."""
    return {mutant.expr for mutant in mutants(expr)}


def test_operators_thresholds_windows_matchers_joins_and_aggregations_are_changed() -> None:
    """One at a time, all else as it was."""
    found = changed(EXPR)
    for old, new in (
        ("> 300", ">= 300"),
        ("> 300", "< 300"),
        (">= 1", "> 1"),
        ("> 300", "> 375"),
        ("> 300", "> 225"),
        ("[1h]", "[2h]"),
        ("[1h]", "[30m]"),
        ('state="dead"', 'state!="dead"'),
        ('state="dead"', 'state=~".*"'),
        ("unless on", "and on"),
        ("on (job)", "on ()"),
        ("by (job)", "by ()"),
        ("max by", "min by"),
        ("min_over_time", "max_over_time"),
    ):
        assert EXPR.replace(old, new) in found, (old, new)


def test_no_mutant_is_the_rule_itself_and_none_is_made_twice() -> None:
    """A mutant that changes nothing could never be noticed."""
    made = [mutant.expr for mutant in mutants(EXPR)]
    assert EXPR not in made
    assert len(set(made)) == len(made)


def test_what_stands_in_quotes_is_changed_as_a_matcher_only() -> None:
    """A label's value may hold what looks like an operator."""
    assert all('> 5"' in expr or '.*"' in expr for expr in changed('a{b="c > 5"}'))


def test_a_join_to_a_target_that_is_always_one_is_no_product() -> None:
    """Multiplied or divided by one is the same, so such a mutant says nothing of the tests."""
    joined = "a\n  * on (stage) group_left (owner) touchstone:stage_owner"
    assert joined.replace("*", "/") not in changed(joined)
    assert "2 / x" in changed("2 * x")
