"""XML from strangers, streamed: no document types, no entities, no depth, no endless names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from pricing.loading.found import too_large, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Start = Callable[[str, dict[str, str]], None]
    End = Callable[[str], None]

MOST_NAMES: Final = 5_000
LONGEST_TOKEN: Final = 1 << 20


def parse(pieces: Iterable[bytes], start: Start, end: End, depth: int, space: Callable[[str, str], None]) -> None:
    """Call ``start(name, attributes)`` and ``end(name)`` for each element; names are `namespace|name`.

    ``space(prefix, uri)`` is told of namespaces first. Raises a refusal for what is not well-formed, declares a
    document type or an entity, nests deeper than ``depth``, or holds a name, comment or value of more than a megabyte.
    """
    parser = expat.ParserCreate(namespace_separator="|")
    parser.buffer_text = False
    level = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal level
        level += 1
        if level > depth:
            raise too_large("The model's XML is nested deeper than any model's")
        start(name, attributes)

    def closed(name: str) -> None:
        nonlocal level
        level -= 1
        end(name)

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.StartNamespaceDeclHandler = lambda prefix, uri: space(prefix or "", uri or "")
    parser.StartDoctypeDeclHandler = _refuse_declarations
    parser.EntityDeclHandler = _refuse_declarations
    try:
        fed = 0
        for piece in pieces:
            parser.Parse(piece, False)  # noqa: FBT003 - a C function without keywords
            fed += len(piece)
            # What expat has not finished it keeps, and reads again with each piece.
            if fed - parser.CurrentByteIndex > LONGEST_TOKEN or len(parser.intern) > MOST_NAMES:
                raise too_large("The model's XML holds a single value of over a megabyte, or thousands of names")
        parser.Parse(b"", True)  # noqa: FBT003 - the same
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise unreadable(f"The model's XML is damaged ({error})") from None


def _refuse_declarations(*_: object) -> None:
    raise unreadable("The model's XML declares a document type, which 3MF forbids and which is used to hurt readers")
