"""A YAML document that remembers on which line each of its values stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

Path_ = tuple[str | int, ...]
LARGEST_BYTES: Final = 4 * 1024 * 1024
_DRAFT: Final = "`touchstone promise init LOG` drafts a promise file"


@dataclass(frozen=True)
class Document:
    """Plain data and the line of every key and item in it, by path: ``("stages", 2, "budget") -> 14``."""

    data: Any
    lines: dict[Path_, int] = field(default_factory=dict)
    repeated: list[tuple[int, Path_]] = field(default_factory=list)

    def line(self, path: Path_) -> int:
        """Return the line (from 1) of the value at a path, or of its nearest known ancestor."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(path: Path, remedy: str = _DRAFT) -> Document:
    """Read a YAML file. Raises BadInput where there is no such file, or where it is no YAML.

    ``remedy``: what to do about an empty one.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise BadInput(f"{path}: {size:,} bytes are too many for a promise file; is this the log? Give it as LOG")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not UTF-8 text; save the promise file as UTF-8") from error
    return parse_document(text, str(path), remedy)


def parse_document(text: str, name: str = "promise file", remedy: str = _DRAFT) -> Document:
    """Read YAML text into plain data with line numbers. Raises BadInput where it is no YAML."""
    try:
        loader = _PlainLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise BadInput(f"{name}: is empty; {remedy}")
            document = Document(loader.construct_document(node))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise BadInput(f"{where}: is no YAML ({error.problem}); mend that line") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInput(f"{name}: is no YAML ({str(error).splitlines()[0]}); mend it") from error
    _walk(node, (), document)
    return document


class _PlainLoader(yaml.SafeLoader):
    """YAML without the surprises: ``on``, ``12:30`` and dates stay text, aliases are refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs have no types here
            raise yaml.composer.ComposerError(
                None, None, "aliases are not supported here; write the value out", event.start_mark
            )
        return super().compose_node(parent, index)


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool", ":int", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _resolve(tag: str, pattern: str, first: str) -> None:
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|false|True|False|TRUE|FALSE)$", "tTfF")
_resolve("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789")
_resolve("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789.")


def _walk(node: yaml.Node, path: Path_, document: Document) -> None:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                document.repeated.append((key.start_mark.line + 1, (*path, name)))
            seen.add(name)
            document.lines[*path, name] = key.start_mark.line + 1
            _walk(value, (*path, name), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.lines[*path, index] = item.start_mark.line + 1
            _walk(item, (*path, index), document)
