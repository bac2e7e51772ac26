"""Load a promise file, or say in one error everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from collectors.promise.checking import check_document
from collectors.promise.document import read_document
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collectors.promise.document import Document
    from collectors.promise.model import PromiseFile

DEFAULT_PROMISE: Final = Path(__file__).parent.parent / "promise.yaml"


def load_promise(path: Path = DEFAULT_PROMISE) -> PromiseFile:
    """Read and check a promise file. Raises BadInput that lists every mistake with its line."""
    return promise_from(read_document(path), str(path))


def promise_from(document: Document, name: str) -> PromiseFile:
    """Turn a document into a promise. Raises BadInput that lists every mistake with its line."""
    findings, promise = check_document(document)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors or promise is None:
        raise BadInput("\n".join(f"{name}: {finding}" for finding in errors))
    return promise
