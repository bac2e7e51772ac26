"""Small mistakes in Python: another comparison, operator, constant, bound or branch, or a step left out.

Nothing is changed where a change is none: docstrings, texts, annotations, decorators, imports and what only type
checkers read. Nor are guards against a division by zero (constants up to ``GUARD``): another one guards as well. A
bound at 0 or 1, as in ``np.maximum(x, 0)``, is not moved but taken away.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

GUARD: Final = 1e-6
WIDEST: Final = 90  # characters of code in a line that says what was changed
SMALL: Final = 10  # whole numbers below it are counts and places: one more, one less; others are amounts
_COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.RShift: ast.LShift,
    ast.LShift: ast.RShift,
}
_NAMED: Final = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any"}
_BOUNDING: Final = frozenset({"min", "max", "minimum", "maximum", "clip"})
_SIDES: Final = {"left": "right", "right": "left"}
_SKIPPED: Final = frozenset({"annotation", "returns", "decorator_list", "bases", "type_comment"})


class Mutant(NamedTuple):
    """A changed module, compiled. ``function``: the first line of the function that was changed, 0 outside of any.

    ``statement``: the line that was changed; ``nth``: of mutants that change as much in such a line, from 1 on.
    """

    line: int
    what: str
    statement: str
    nth: int
    function: int
    code: CodeType


class _Place(NamedTuple):
    """Where a node stands: in a field of its parent, or among the elements of one."""

    node: Any
    parent: ast.AST
    field: str
    element: int | None
    function: int

    def put(self, node: ast.AST) -> None:
        """Let a node stand here."""
        if self.element is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.element] = node


def mutants(source: str, filename: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, one mistake in each."""
    tree, lines = ast.parse(source, filename), source.splitlines()
    seen: Counter[tuple[str, str]] = Counter()
    for place in list(_places(tree, 0)):
        for other in _others(place.node):
            # A copy: where the mutant is a part of what it replaces, that part keeps its own place in what follows.
            place.put(ast.fix_missing_locations(ast.copy_location(copy.copy(other), place.node)))
            code = compile(tree, filename, "exec", dont_inherit=True)
            place.put(place.node)
            what = f"`{_short(place.node)}` becomes `{_short(other)}`"
            statement = lines[place.node.lineno - 1].strip()
            seen[statement, what] += 1
            yield Mutant(place.node.lineno, what, statement, seen[statement, what], place.function, code)


def _places(parent: ast.AST, function: int) -> Iterator[_Place]:
    """Yield the places of all nodes that may be changed, from the outside in."""
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
        function = min(node.lineno for node in (parent, *parent.decorator_list))
    for field, value in ast.iter_fields(parent):
        if field in _SKIPPED:
            continue
        for index, node in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(node, ast.AST) and not _is_silent(node) and not _is_bound(parent, node):
                yield _Place(node, parent, field, index, function)
                yield from _places(node, function)


def _is_silent(node: ast.AST) -> bool:
    """Whether a node tells the running program nothing: docstrings, imports, texts, what only type checkers read."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name):
        return node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _is_bound(parent: ast.AST, node: ast.AST) -> bool:
    """Whether a node is 0 or 1, and its parent holds a value within it."""
    if isinstance(parent, ast.keyword):
        return parent.arg == "initial" and isinstance(node, ast.Constant)
    return _bounds(parent) and isinstance(node, ast.Constant) and node.value in {0, 1}


def _bounds(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _called(node) in _BOUNDING and len(node.args) > 1


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may become instead."""
    match node:
        case ast.Compare():
            yield from _compared(node)
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _COMPUTED:
            yield _changed(node, op=_COMPUTED[type(operator)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield node.operand
        case ast.BoolOp(op=operator):
            yield _changed(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.Constant(value=bool() | int() | float() as value):
            yield from (ast.Constant(other) for other in _other_constants(value))
        case ast.Call() if _bounds(node) and any(_is_bound(node, one) for one in node.args):
            yield next(one for one in node.args if not _is_bound(node, one))
        case ast.If() | ast.IfExp():
            yield from (_changed(node, test=ast.Constant(taken)) for taken in (True, False))
        case ast.While():
            yield _changed(node, test=ast.Constant(value=False))
    yield from _named(node)
    yield from _left_out(node)


def _named(node: ast.AST) -> Iterator[ast.AST]:
    """Yield another function in the place of one, and the other side of a search."""
    match node:
        case ast.Name(id=name) if name in _NAMED:
            yield _changed(node, id=_NAMED[name])
        case ast.Attribute(attr=name) if name in _NAMED:
            yield _changed(node, attr=_NAMED[name])
        case ast.keyword(arg="side", value=ast.Constant(value=str() as side)):
            yield _changed(node, value=ast.Constant(_SIDES[side]))


def _left_out(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a step that is not made, or a loop that goes on instead of ending."""
    match node:
        case ast.AugAssign() | ast.Assign(targets=[ast.Subscript() | ast.Attribute()]) | ast.Expr():
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()


def _compared(node: ast.Compare) -> Iterator[ast.Compare]:
    for place, operator in enumerate(node.ops):
        for other in _COMPARED[type(operator)][-1 if _is_guard(node.comparators[place]) else 0 :]:
            yield _changed(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])


def _is_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < abs(node.value) <= GUARD


def _other_constants(value: float) -> tuple[float, ...]:
    if isinstance(value, bool):
        return (not value,)
    if _is_guard(ast.Constant(value)):
        return ()
    if abs(value) < SMALL and float(value).is_integer():
        return value + 1, value - 1
    kind = type(value)
    return kind(value * 1.25), kind(value * 0.75)


def _changed(node: Any, **fields: Any) -> Any:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _short(node: ast.AST) -> str:
    """Return a node as one line of Python."""
    if isinstance(node, ast.If | ast.While):
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())[:WIDEST]
