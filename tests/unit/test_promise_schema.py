"""The published JSON Schema accepts what `check` accepts, and helps while a file is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from collectors.promise import DEFAULT_PROMISE, check_document, promise_schema
from collectors.promise.document import parse_document, read_document
from collectors.promise.schema import DIALECT, PUBLISHED_SCHEMA, schema_text

VALIDATOR = jsonschema_rs.Draft202012Validator(promise_schema())
HEAD = "touchstone: 1\nname: small\n"
STATUSES = "statuses: {main: [A, B, C]}\n"
STAGES = "stages: [{name: a, in: [A], kind: wait, budget: 1d}, {name: b, in: [B], kind: work, budget: auto}]\n"
PROMISE = "promise: {from: A, to: C, within: 3d}\n"
LOG = "log: {format: csv, order: id, status: s, time: t}\n"
WHOLE = HEAD + STATUSES + STAGES + PROMISE + LOG

VALID = {
    "smallest": HEAD + STATUSES + STAGES + PROMISE,
    "events": WHOLE,
    "share as a number": WHOLE.replace("within: 3d", "within: 3d, objective: 0.9"),
    "share with decimals": WHOLE.replace("within: 3d", "within: 3d, objective: 99.5 %"),
    "sum of durations": WHOLE.replace("within: 3d", "within: 2d 12h 0.5s"),
    "moment of the order": HEAD
    + STATUSES
    + STAGES.replace("auto", "2d")
    + "promise: {from: first, to: last, by: due, by_day: true}\n"
    + LOG,
    "overrides": WHOLE.replace("within: 3d", "within: 3d, overrides: [{when: {channel: b2b}, within: 2d}]"),
    "calendar": WHOLE.replace("budget: 1d", "budget: 1d, working: true")
    + "calendar: {weekdays: [mon, sun], hours: '00:00-24:00', timezone: Asia/Tokyo, closed: [2026-12-24]}\n",
    "empty calendar": WHOLE + "calendar:\n",
    "activities": WHOLE.replace("time: t", "start: t, end: u, time_format: '%d.%m.%Y', delimiter: ';'"),
    "wide": WHOLE.replace(LOG, "log: {format: wide, order: id, statuses: {A: a, B: b, C: c}}\n"),
    "xes": WHOLE.replace(LOG, "log: {format: xes, lifecycle: complete, marks: completion}\n"),
    "cloudevents": WHOLE.replace(LOG, "log: {format: cloudevents}\n"),
    "extras": WHOLE + "segments: [channel]\nreported_by: {A: /shop}\ncost_per_day_late: 12.5\n",
    "cancelling": WHOLE.replace("time: t", "time: t, cancelled_when: {state: [void, '0']}"),
}
INVALID = {
    "unknown key": WHOLE + "stage: 3\n",
    "unknown key in a stage": WHOLE.replace("kind: wait", "kind: wait, colour: red"),
    "unitless duration": WHOLE.replace("within: 3d", "within: 3"),
    "other version": WHOLE.replace("touchstone: 1", "touchstone: 2"),
    "yes for true": WHOLE.replace("kind: wait", "kind: wait, pauses: yes"),
    "share above one": WHOLE.replace("within: 3d", "within: 3d, objective: 95"),
    "share in words": WHOLE.replace("within: 3d", "within: 3d, objective: most"),
    "python's name of a key": WHOLE.replace("in: [A]", "statuses: [A]"),
}


@pytest.mark.parametrize("name", VALID)
def test_the_schema_accepts_what_check_accepts(name: str) -> None:
    document = parse_document(VALID[name])
    findings, promise = check_document(document)
    assert promise is not None, [str(finding) for finding in findings]
    assert not list(VALIDATOR.iter_errors(document.data))


@pytest.mark.parametrize("name", INVALID)
def test_the_schema_refuses_wrong_shapes_as_check_does(name: str) -> None:
    document = parse_document(INVALID[name])
    assert check_document(document)[1] is None
    assert not VALIDATOR.is_valid(document.data)


def test_the_schema_accepts_the_jewellery_makers_promise() -> None:
    assert VALIDATOR.is_valid(read_document(DEFAULT_PROMISE).data)


def test_the_published_schema_is_the_generated_one() -> None:
    """Rebuild it with `touchstone promise schema > collectors/promise.schema.json`."""
    assert Path(PUBLISHED_SCHEMA).read_text(encoding="utf-8") == schema_text()


def test_every_key_is_described_for_editors() -> None:
    schema = promise_schema()
    sections: list[dict[str, Any]] = [schema, *schema["$defs"].values()]
    bare = [
        key
        for section in sections
        for key, value in section["properties"].items()
        if "description" not in value and "$ref" not in str(value)
    ]
    assert bare == []
    assert all(section["description"] for section in sections)


def test_the_schema_names_its_dialect_and_has_no_id() -> None:
    schema = promise_schema()
    assert schema["$schema"] == DIALECT
    assert "$id" not in schema
    jsonschema_rs.meta.validate(schema)
