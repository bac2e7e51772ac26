"""What a task's result must look like before anybody uses it: the child may have been made to say anything."""

from __future__ import annotations

import math
import stat
from typing import TYPE_CHECKING, Any, Final

from pricing.calculation import Measured
from pricing.sandbox.messages import TaskKind
from pricing.sandbox.outcomes import Crashed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pricing.sandbox.messages import Task

# The keys of each kind's result; what they hold is said in `computing`.
KEYS: Final = {
    TaskKind.MEASURE: {"measured", "picture"},
    TaskKind.PREPARE: {"files", "triangles", "chunks"},
    TaskKind.SLAB: {"files"},
    TaskKind.REDUCE: {"measured", "picture"},
    TaskKind.PICTURE: {"picture"},
}


def checked(task: Task, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result that has the keys and types of its kind, finite numbers, and files that there are.

    Raises Crashed for any other.
    """
    if set(result) != KEYS[task.kind] or not all(_finite(value) for value in result.values()):
        raise Crashed(None, "Its result is not what was asked for.")
    if "measured" in result:
        try:
            Measured.from_document(result["measured"])
        except (TypeError, ValueError, KeyError, AttributeError, LookupError):
            raise Crashed(None, "It told measures that are none.") from None
    for name in _files(result):
        _regular(task.folder, name)
    for key in {"triangles", "chunks"} & set(result):
        if type(result[key]) is not int or not 0 <= result[key] <= task.limits.triangles:
            raise Crashed(None, "It counted what cannot be counted.")
    return result


def _files(result: dict[str, Any]) -> Iterator[object]:
    if result.get("picture") is not None:
        yield result["picture"]
    files = result.get("files", [])
    yield from files if isinstance(files, list) else [None]


def _regular(folder: Path, name: object) -> None:
    """Refuse names that lead out of the folder, and links that do."""
    if not isinstance(name, str) or name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise Crashed(None, "It named a file that it may not have written.")
    try:
        mode = (folder / name).lstat().st_mode
    except OSError:
        raise Crashed(None, "It named a file that it did not write.") from None
    if not stat.S_ISREG(mode):
        raise Crashed(None, "It wrote something that is no file.")


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_finite(item) for item in value.values())
    return all(_finite(item) for item in value) if isinstance(value, list) else True
