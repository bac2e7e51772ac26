"""The promise file: the one source of truth that everything else is derived from."""

from collectors.promise.checking import Finding, check_document
from collectors.promise.explain import explain
from collectors.promise.model import PromiseFile, Stage
from collectors.promise.reading import DEFAULT_PROMISE, load_promise
from collectors.promise.schema import promise_schema

__all__ = [
    "DEFAULT_PROMISE",
    "Finding",
    "PromiseFile",
    "Stage",
    "check_document",
    "explain",
    "load_promise",
    "promise_schema",
]
