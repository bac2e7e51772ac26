"""What a sender says beforehand about a body: its SHA-256, as RFC 9530 writes it, and its size."""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from instrumentation.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER: Final = "Content-Digest"
HEX: Final = re.compile("[0-9a-f]{64}")
_OURS: Final = "sha-256"
# A byte sequence of a structured field (RFC 8941, section 3.3.5), of 32 bytes.
_VALUE: Final = re.compile(r":([A-Za-z0-9+/]{43}=):")


def declared_sha256(headers: Mapping[str, str]) -> str | None:
    """Return the SHA-256 (hexadecimal) that a body's header `Content-Digest` declares; other digests are passed over.

    Raises ProblemError where it cannot be read.
    """
    for member in headers.get(HEADER, "").split(","):
        name, _, value = member.strip().partition("=")
        if name == _OURS:
            return _read(value)
    return None


def _read(value: str) -> str:
    found = _VALUE.fullmatch(value)
    try:
        if found is not None:
            return base64.b64decode(found[1], validate=True).hex()
    except binascii.Error:
        pass
    detail = f"the header {HEADER} cannot be read; write `{_OURS}=:BASE64 OF THE 32 BYTES:` (RFC 9530), or leave it out"
    raise ProblemError(HTTPStatus.BAD_REQUEST, detail)


def declared_size(headers: Mapping[str, str]) -> int | None:
    """Return how many bytes a body says to have, None where it does not say."""
    announced = headers.get("content-length", "")
    return int(announced) if announced.isascii() and announced.isdigit() else None


def field_sha256(value: object) -> str | None:
    """Return the SHA-256 that a form's field declares. Raises ProblemError where it is none."""
    if value in (None, ""):
        return None
    if isinstance(value, str) and HEX.fullmatch(value.lower()):
        return value.lower()
    raise ProblemError(HTTPStatus.BAD_REQUEST, "the field `sha256` is no SHA-256; write 64 hexadecimal digits")
