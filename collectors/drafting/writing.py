"""A draft as YAML, with a comment beside each guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from collectors.drafting.wording import percent, remark, scalar, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.drafting.observed import Line, Observed, Segment
    from collectors.drafting.staging import DraftStage

_WIDTH: Final = 108
_COMMENT_AT: Final = 40


@dataclass(frozen=True)
class Draft:
    """All that a drafted promise file says."""

    name: str
    observed: Observed
    main: list[tuple[str, str]]
    off: list[tuple[str, str]]
    cancelled: list[tuple[str, str]]
    stages: list[DraftStage]
    terms: list[Line]


def write(draft: Draft) -> str:
    """Write a drafted promise file."""
    lines = [
        f"# Drafted from {remark(draft.observed.name)}. Every line is a guess; its comment says what it rests on.",
        "# Change what you know better, `touchstone promise check` this file and `touchstone replay` the log with it.",
        *(f"# Note: {remark(note)}." for note in draft.observed.notes),
        "touchstone: 1",
        f"name: {scalar(draft.name)}",
        *_statuses(draft),
        "stages:" + " " * 33 + "# each status that takes time is in one stage; budgets follow usual times",
        *(line for stage in draft.stages for line in _stage(stage, draft.observed.history.atoms)),
        "promise:",
        *(line for item in draft.terms for line in line_of(item)),
        *_segments(draft.observed.segments),
        "log:",
        *(line for item in draft.observed.log for line in line_of(item)),
    ]
    return "\n".join(lines) + "\n"


def beside(text: str, why: str) -> str:
    """Put a comment beside a line."""
    return f"{text:<{_COMMENT_AT - 1}} # {remark(why)}" if why else text


def _statuses(draft: Draft) -> list[str]:
    lines = ["statuses:"]
    for key, found, why in (
        ("main", draft.main, "the usual order, by the place at which orders come to each"),
        ("off", draft.off, "rare, or off the usual way"),
        ("cancelled", draft.cancelled, "by their names, and because nothing follows them"),
    ):
        if found:
            lines.append(beside(f"  {key}:", why))
            lines += [beside(f"    - {scalar(status)}", reason) for status, reason in found]
    return lines


def _stage(stage: DraftStage, atoms: Sequence[str]) -> list[str]:
    members = [scalar(atoms[atom]) for atom in stage.atoms]
    lines = [f"  - name: {scalar(stage.name)}", *_flow("    in: [", members)]
    lines.append(beside(f"    kind: {stage.kind}", stage.kind_why))
    if stage.owner:
        lines.append(beside(f"    owner: {scalar(stage.owner)}", "who mostly acts next, by the log"))
    lines.append(beside(f"    budget: {written(stage.budget_s)}", stage.budget_why))
    return lines


def _flow(head: str, items: Sequence[str], close: str = "]") -> list[str]:
    """Write a flow list over as many lines as it needs."""
    lines, current = [], head
    for place, item in enumerate(items):
        piece = item + (", " if place + 1 < len(items) else close)
        if len(current) + len(piece) > _WIDTH and current.strip() != head.strip():
            lines.append(current.rstrip())
            current = " " * len(head)
        current += piece
    return [*lines, current]


def _segments(segments: Sequence[Segment]) -> list[str]:
    if not segments:
        return []
    return ["segments:", *(beside(f"  - {scalar(segment.name)}", segment.why) for segment in segments)]


def line_of(line: Line) -> list[str]:
    """Write a key of a section with its comment."""
    if isinstance(line.value, dict):
        inside = [f"    {scalar(str(key))}: {_value(value)}" for key, value in line.value.items()]
        return [beside(f"  {line.key}:", line.why), *inside]
    return [beside(f"  {line.key}: {_value(line.value)}", line.why)]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(scalar(str(item)) for item in value) + "]"
    return scalar(str(value))


def seen_in(share: float) -> str:
    """Say in how many orders a status comes up."""
    return f"in {percent(share)} of orders"
