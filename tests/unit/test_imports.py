"""The rooms of the house import each other one way only, and every file keeps to the size and the manners of the rest.

A rule for a room that does not stand yet holds as soon as it does; the walk itself must have seen files.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("instrumentation", "collectors", "alerts", "dashboards", "services", "pricing", "deploy", "tests")
BLOCKS: Final = ("services.bus", "services.auth", "services.resilience", "services.assembly")
SERVICES: Final = ("services.shop", "services.crm", "services.mes", "services.partners")
# Room (or part of one) -> what of ours it may import. The longest matching name decides.
MAY_IMPORT: Final = {
    "instrumentation": (),
    "collectors": ("instrumentation", *BLOCKS),
    "alerts": ("instrumentation", "collectors"),
    "dashboards": ("instrumentation", "collectors"),
    "pricing": ("instrumentation", *BLOCKS),
    "deploy": ("instrumentation",),
    "services": ("instrumentation",),
    "services.contract": (),
    "services.columns": (),
    **dict.fromkeys(SERVICES, ("instrumentation", "pricing", *BLOCKS, "services.contract", "services.columns")),
    "services.demo": ("instrumentation", "pricing", *BLOCKS, *SERVICES, "services.contract"),
    "services.console": ("instrumentation", "pricing", "services", "collectors"),
    **dict.fromkeys(BLOCKS, ("instrumentation",)),
    "services.assembly": ("instrumentation", *BLOCKS),
    "touchstone": (*ROOMS,),
    "tests": (*ROOMS, "touchstone"),
}
LONGEST_FILE: Final = 500
OPEN_END: Final = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")  # in parts, so that this file holds none


@cache
def tracked() -> tuple[Path, ...]:
    """Return every Python file of ours: what git knows or would add, or, outside of git, what lies in the rooms."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return tuple(path for name in listed.stdout.splitlines() if (path := ROOT / name).exists())
    return (ROOT / "touchstone.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py")))


def module_of(path: Path) -> str:
    """Return the dotted name of a file's module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports anywhere, relative imports spelt out."""
    package = path.parent.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            # `from services import crm` imports services.crm, if there is such a module.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(module: str, name: str) -> bool:
    """Whether a module is the named one, or lies inside it."""
    return module == name or module.startswith(name + ".")


def refused(module: str, target: str) -> bool:
    """Whether a module of ours must not import another."""
    if not any(within(target, room) for room in (*ROOMS, "touchstone")):
        return False
    own = max((name for name in MAY_IMPORT if within(module, name)), key=len)
    home = own if "." in own else module.split(".", maxsplit=1)[0]
    return not any(within(target, name) for name in (*MAY_IMPORT[own], home))


def test_rooms_import_one_way() -> None:
    """No file of any room imports what its room may not."""
    files = [path for path in tracked() if module_of(path).split(".")[0] in (*ROOMS, "touchstone")]
    wrong = [f"{module_of(p)} imports {t}" for p in files for t in imported(p) if refused(module_of(p), t)]
    assert wrong == []
    seen = {module_of(path).split(".")[0] for path in files}
    assert {"collectors", "tests", "touchstone"} <= seen
    assert len(files) > 80


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("instrumentation.logs", "collectors.replay"),
        ("collectors.replay", "services.shop.model"),
        ("collectors.replay", "touchstone"),
        ("collectors.replay", "tests.reference"),
        ("collectors.replay", "alerts.rules"),
        ("services.bus.outbox", "services.shop.model"),
        ("services.bus.outbox", "services.auth"),
        ("services.shop.app", "services.crm.model"),
        ("services.contract", "services.shop"),
        ("services.demo.house", "collectors.replay"),
        ("services.shop.api", "collectors.promise"),
        ("pricing.mesh", "services.crm"),
        ("alerts.rules", "dashboards.boards"),
        ("dashboards.boards", "services.bus"),
    ],
)
def test_a_forbidden_import_is_noticed(module: str, target: str) -> None:
    """The rules refuse what they are there to refuse, in rooms that stand and in rooms that do not yet."""
    assert refused(module, target)


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("collectors.live.feed", "services.bus.inbox"),
        ("pricing.worker", "services.resilience"),
        ("services.console.app", "collectors.replay"),
        ("services.shop.api", "services.bus"),
        ("services.shop.api", "services.contract"),
        ("services.demo.house", "services.shop.app"),
        ("services.bus.outbox", "services.bus.inbox"),
        ("alerts.rules", "collectors.promise"),
        ("touchstone", "services.shop.app"),
        ("collectors.replay", "numpy.typing"),
    ],
)
def test_an_allowed_import_is_let_pass(module: str, target: str) -> None:
    assert not refused(module, target)


def test_the_reference_shares_no_code_with_what_it_checks() -> None:
    files = [path for path in tracked() if within(module_of(path), "tests.reference")]
    assert len(files) > 5
    assert [t for path in files for t in imported(path) if within(t, "collectors") or within(t, "touchstone")] == []


def test_no_file_of_the_product_is_long() -> None:
    """At most 500 lines a file; tests may tell more."""
    sizes = {module_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in tracked()}
    assert len(sizes) > 80
    assert {name: size for name, size in sizes.items() if size > LONGEST_FILE and not within(name, "tests")} == {}


def test_only_the_command_line_prints() -> None:
    """`print(` stands in touchstone.py and in tests at most: all else returns what is to be shown."""
    rooms = [path for path in tracked() if module_of(path) != "touchstone" and not within(module_of(path), "tests")]
    assert len(rooms) > 50
    printing = [module_of(path) for path in rooms if any(map(_prints, ast.walk(ast.parse(path.read_text("utf-8")))))]
    assert printing == []


def _prints(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def test_no_open_ends_are_left_in_the_code() -> None:
    ends = [f"{module_of(p)}: {m[0]}" for p in tracked() if (m := OPEN_END.search(p.read_text(encoding="utf-8")))]
    assert ends == []
