"""Small mistakes in PromQL: another operator, threshold, window, matcher, join, aggregation or function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Mutant(NamedTuple):
    """A changed expression; ``what`` says in which way."""

    what: str
    expr: str


# What is found (as a word or sign of its own) -> what it becomes instead.
_SWAPS: Final = {
    r"(?<![=!<>])>=": (">", "<="),
    r"(?<![=!<>])>(?!=)": (">=", "<"),
    r"(?<![=!<>])<(?!=)": ("<=", ">"),
    r"(?<![=!<>])==": ("!=",),
    r"\band\b": ("or", "unless"),
    r"\bunless\b": ("and", "or"),
    r"(?<![\w])or(?![\w])": ("and",),
    # By a target that is always 1, or by 1 itself, a product and a quotient are the same.
    r"(?<=\s)\*(?=\s)(?! on \([a-z, ]*\) group_left \(\w*\) touchstone:\w+_(?:owner|bucket))": ("/",),
    r"(?<=\s)/(?=\s)(?! 1(?![\w.]))": ("*",),
    r"(?<=\s)\+(?=\s)": ("-",),
    r"(?<=\s)-(?=\s)": ("+",),
    r"\bmax(?= by|\()": ("min",),
    r"\bmin(?= by|\()": ("max",),
    r"\bsum(?= by|\()": ("max",),
    r"\bmin_over_time\b": ("max_over_time",),
    r"\bavg_over_time\b": ("max_over_time",),
    # Above 0, a rate is what an increase is.
    r"\bincrease\b(?!\([^()]*\)\)? > 0\b)": ("rate",),
    r"\brate\b": ("increase",),
    r"\bdelta\b": ("deriv",),
    r"\bchanges\b": ("resets",),
    r"\babsent\b": ("count",),
}
_MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*")')
_OPPOSITE: Final = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_RANGE: Final = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])")
# What a constant vector holds is told to nobody: comparisons hold other numbers.
_NUMBER: Final = re.compile(r"(?<![\w:.\[])(?<!vector\()(\d+(?:\.\d+)?)(?![\w:.])")
_GROUPING: Final = re.compile(r"(by|on) \(([^)]*)\)")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


def mutants(expr: str) -> Iterator[Mutant]:
    """Yield every mutant of an expression, one mistake in each."""
    strings = [match.span() for match in _STRING.finditer(expr)]

    def outside(match: re.Match[str]) -> bool:
        return not any(begin <= match.start() < end for begin, end in strings)

    for pattern, instead in _SWAPS.items():
        for match in filter(outside, re.finditer(pattern, expr)):
            for other in instead:
                yield _mutant(expr, match.span(), other)
    for match in filter(outside, _NUMBER.finditer(expr)):
        for other in _other_numbers(match[1]):
            yield _mutant(expr, match.span(), other)
    for match in filter(outside, _RANGE.finditer(expr)):
        count, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        yield _mutant(expr, match.span(), f"{int(count) * 2}{unit}")
        yield _mutant(expr, match.span(), f"{_minutes(count, unit) // 2}m")
    yield from _of_matchers(expr)
    for match in filter(outside, _GROUPING.finditer(expr)):
        yield from _of_labels(expr, match)


def _other_numbers(number: str) -> tuple[str, ...]:
    value = float(number)
    others = (value + 1, value - 1) if value < 10 and value.is_integer() else (value * 1.25, value * 0.75)
    return tuple(f"{other:.10g}" for other in others)


def _minutes(count: str, unit: str) -> int:
    return int(count) * {"m": 1, "h": 60, "d": 1440}[unit]


def _of_matchers(expr: str) -> Iterator[Mutant]:
    for match in _MATCHER.finditer(expr):
        yield _mutant(expr, match.span(), f"{match[1]}{_OPPOSITE[match[2]]}{match[3]}")
        begin, end = match.span()
        if expr[begin - 1] in "{," or expr[end : end + 1] == "}":
            yield _mutant(expr, (begin, end), f'{match[1]}=~".*"')


def _of_labels(expr: str, match: re.Match[str]) -> Iterator[Mutant]:
    labels = [label.strip() for label in match[2].split(",") if label.strip()]
    for label in labels:
        rest = ", ".join(other for other in labels if other != label)
        yield _mutant(expr, match.span(), f"{match[1]} ({rest})")


def _mutant(expr: str, span: tuple[int, int], instead: str) -> Mutant:
    begin, end = span
    line = expr.count("\n", 0, begin) + 1
    what = f"line {line}: `{expr[begin:end]}` becomes `{instead}`"
    return Mutant(what, expr[:begin] + instead + expr[end:])
