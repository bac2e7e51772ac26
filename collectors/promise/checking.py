"""Check a promise file: every mistake at once, each with its line and what to do about it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from collectors.promise.finding import Finding
from collectors.promise.log_checks import check_calendar, check_log
from collectors.promise.model import PromiseFile
from collectors.promise.outline import Outline
from collectors.promise.sentences import findings_of
from collectors.promise.stage_checks import check_stages, check_statuses
from collectors.promise.terms_checks import check_owners, check_segments, check_terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.promise.document import Document

__all__ = ["Finding", "check_document"]

_CHECKS: Final = (
    check_statuses,
    check_stages,
    check_terms,
    check_segments,
    check_log,
    check_calendar,
    check_owners,
)


def check_document(document: Document) -> tuple[list[Finding], PromiseFile | None]:
    """Return all findings by line, and the promise, which is None if any of them is an error."""
    if not isinstance(document.data, dict):
        message = "is no mapping of keys to values; `touchstone promise init LOG` drafts a promise file"
        return [Finding(1, "error", "promise file", message)], None
    file = Outline(document)
    findings = [*_repeated(file), *chain.from_iterable(check(file) for check in _CHECKS)]
    try:
        promise = PromiseFile.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        promise = None
        findings += findings_of(error, document)
        # What a section checks as a whole the checks above repeat with better lines; say what they miss.
        if not _failed(findings):
            findings += findings_of(error, document, of_sections=True)
    findings = sorted(dict.fromkeys(findings), key=lambda finding: finding.line)
    return findings, None if _failed(findings) else promise


def _failed(findings: list[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def _repeated(file: Outline) -> Iterator[Finding]:
    for line, path in file.document.repeated:
        found = file.finding(path[:-1], f"the key `{path[-1]}` stands here twice; keep one")
        yield Finding(line, found.severity, found.where, found.message)
