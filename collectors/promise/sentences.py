"""Turn pydantic's errors into sentences that say what is wrong and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from collectors.promise.finding import Finding, did_you_mean
from collectors.promise.model import Calendar, LogReading, Override, PromiseFile, Stage, Statuses, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from collectors.promise.document import Document, Path_

_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "statuses": Statuses,
    "promise": Terms,
    "log": LogReading,
    "calendar": Calendar,
}
_ADVICE: Final = {
    "touchstone": "add the line `touchstone: 1`, the version of this format",
    "name": "add `name: ...`",
    "statuses": "add `statuses: {main: [FIRST, SECOND, ...]}`",
    "main": "add `main: [FIRST, SECOND, ...]`, the statuses in their order",
    "stages": "add `stages:` with an item such as `{name: approval, in: [STATUS], kind: wait, budget: 3d}`",
    "in": "add `in: [STATUS, ...]`, the statuses that make up the stage",
    "kind": "add `kind: wait` (the order lies in a queue) or `kind: work` (somebody is at it)",
    "promise": "add `promise: {from: STATUS, to: STATUS, within: 21d, objective: 95%}`",
    "from": "add `from: STATUS`, where the clock starts (or `first`)",
    "to": "add `to: STATUS`, where the clock ends (or `last`)",
    "when": "add `when: {attribute: value}`, the orders that it is for",
    "within": "add `within: 14d`",
}
_OTHER_NAMES: Final = {
    "statuses": "in",
    "status": "in",
    "start": "from",
    "end": "to",
    "pause": "pauses",
    "sla": "within",
    "deadline": "by",
    "columns": "attributes",
    "tz": "timezone",
}


def place(document: Document, path: Path_) -> str:
    """Name the part of the file that a path lies in: "stage `approval`", "promise", "promise file"."""
    match path:
        case ("stages", int(index), *_):
            stage = document.data["stages"][index]
            name = stage.get("name") if isinstance(stage, dict) else None
            return f"stage `{name}`" if isinstance(name, str) and name else f"stage {index + 1}"
        case ("promise", "overrides", int(index), *_):
            return f"promise, override {index + 1}"
        case (str(section), *_) if section in PromiseFile.model_fields:
            return section
    return "promise file"


def findings_of(error: ValidationError, document: Document, *, of_sections: bool = False) -> Iterator[Finding]:
    """Translate the errors that pydantic found in single values, or those ``of_sections`` as a whole."""
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        if of_sections == (detail["type"] == "value_error" and bool(known_keys(path))):
            where = place(document, path if len(path) > 1 else ())
            yield Finding(document.line(path), "error", where, _sentence(detail, path))


def known_keys(path: Path_) -> list[str]:
    """Return the keys that the section at a path may have, as the file writes them."""
    match path:
        case ():
            model: type[BaseModel] = PromiseFile
        case ("stages", int(_)):
            model = Stage
        case ("promise", "overrides", int(_)):
            model = Override
        case (str(section),) if section in _SECTIONS:
            model = _SECTIONS[section]
        case _:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _sentence(detail: ErrorDetails, path: Path_) -> str:
    kind = detail["type"]
    key = _shown(path)
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), known_keys(path[:-1]))
    if kind == "missing":
        return f"{key} is missing; {_ADVICE.get(str(path[-1]), 'add it')}"
    if kind == "value_error":
        return _own_sentence(detail, key, path)
    for types, write in _WRITERS.items():
        if kind in types:
            return write(key, detail)
    return f"{key}: {detail['msg'][:1].lower()}{detail['msg'][1:]}; mend it"


def _unknown_key(key: str, known: list[str]) -> str:
    other = _OTHER_NAMES.get(key)
    if other in known:
        return f"unknown key `{key}`; did you mean `{other}`?"
    return f"unknown key `{key}`{did_you_mean(key, known) or '; remove it'}"


def _own_sentence(detail: ErrorDetails, key: str, path: Path_) -> str:
    """Return a sentence of our own validators, with the key where it speaks of one value."""
    message = str(detail.get("ctx", {}).get("error", detail["msg"]))
    return message if known_keys(path) else f"{key}: {message}"


def _shown(path: Path_) -> str:
    """Show the key, or the item of a list: "`in`", "`main`, item 3", "`attributes`, `promised_at`"."""
    depth = 2 if path[:1] == ("stages",) else 3 if path[:2] == ("promise", "overrides") else 1
    parts = path[depth:] or path[-1:]
    shown = [f"`{part}`" if isinstance(part, str) else f"item {part + 1}" for part in parts]
    return ", ".join(shown) or "it"


def _kind_of(value: Any) -> str:
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return "empty" if value is None else names.get(type(value), type(value).__name__)


def _text(key: str, detail: ErrorDetails) -> str:
    value = detail["input"]
    if isinstance(value, (int, float)):
        written = str(value).lower() if isinstance(value, bool) else value
        return f"{key} must be text, and {written} is {_kind_of(value)}; write it in quotes: '{written}'"
    if value is None:
        return f"{key} is empty; write its text, or remove the key"
    return f"{key} must be text, and this is {_kind_of(value)}; write one name"


def _list(key: str, detail: ErrorDetails) -> str:
    value = detail["input"]
    if value is None:
        return f"{key} is empty; write a list such as [A, B], or remove the key"
    shown = f", not {_kind_of(value)}; write it as [{value}]" if isinstance(value, str) else "; write it as [A, B]"
    return f"{key} must be a list{shown}"


def _mapping(key: str, detail: ErrorDetails) -> str:
    value = detail["input"]
    if value is None:
        return f"{key} is empty; write its keys below it, indented, or remove it"
    return f"{key} must be a mapping, not {_kind_of(value)}; write it as {{key: value, ...}}"


def _choice(key: str, detail: ErrorDetails) -> str:
    if key == "`touchstone`":
        return f"{key} is {detail['input']!r}, and 1 is the only version known here; write `touchstone: 1`"
    allowed = re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))
    return f"{key} cannot be `{detail['input']}`{did_you_mean(str(detail['input']), allowed)}"


def _number(key: str, detail: ErrorDetails) -> str:
    value = detail["input"]
    if key == "`objective`":
        return f"{key} cannot be {value}; write a share between none and all, such as 95% or 0.95"
    return f"{key} cannot be `{value}`; write a number, not below 0"


_Writer = Callable[[str, "ErrorDetails"], str]
_WRITERS: Final[dict[tuple[str, ...], _Writer]] = {
    ("string_type",): _text,
    ("list_type",): _list,
    ("dict_type", "model_type", "model_attributes_type"): _mapping,
    ("literal_error",): _choice,
    ("bool_type", "bool_parsing"): lambda key, detail: (
        f"{key} must be true or false, not `{detail['input']}`; write true or false without quotes"
    ),
    ("string_too_short",): lambda key, _: f"{key} is empty; write a name",
    ("string_too_long",): lambda key, detail: (
        f"{key} is longer than {detail.get('ctx', {}).get('max_length')} characters; shorten it"
    ),
    ("too_short",): lambda key, _: f"{key} is empty; give it at least one item",
    (
        "greater_than",
        "less_than",
        "greater_than_equal",
        "float_type",
        "float_parsing",
        "decimal_type",
        "decimal_parsing",
        "finite_number",
    ): _number,
}
