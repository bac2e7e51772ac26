"""Where a log speaks the statuses of the packaged promise file, that file is the draft, with this log's section."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from collectors.drafting.wording import percent, remark, scalar
from collectors.drafting.writing import line_of
from collectors.promise.reading import DEFAULT_PROMISE, load_promise

if TYPE_CHECKING:
    from collectors.drafting.observed import Observed

_KNOWN_SHARE: Final = 0.9
_FEWEST: Final = 3


def draft_from_house(observed: Observed) -> str | None:
    """Return the packaged promise file with this log's section, None where the log is of another business."""
    house = load_promise(DEFAULT_PROMISE)
    known = set(house.statuses.all())
    history = observed.history
    counts = dict(zip(history.statuses, history.counts, strict=True))
    share = sum(count for status, count in counts.items() if status in known) / max(sum(counts.values()), 1)
    strange = [status for status in history.statuses if status not in known]
    ends = {house.promise.start, house.promise.end}
    if observed.marks != "status" or observed.wide or share < _KNOWN_SHARE or not ends <= counts.keys():
        return None
    if len(counts) - len(strange) < _FEWEST:
        return None
    text = re.sub(r"\A(#.*\n)+", "", DEFAULT_PROMISE.read_text(encoding="utf-8"))
    if not re.search(r"(?m)^log: .*\n?", text):
        return None
    text = re.sub(r"(?m)^log: .*\n?", "", text)
    names = {segment.name for segment in observed.segments}
    if not set(house.segments) <= names:
        text = re.sub(r"(?m)^segments: .*\n", "", text)
    if strange:
        text = _with_strange(text, strange)
    lines = [
        f"# Drafted from {remark(observed.name)}: {percent(share)} of its events have the jewellery maker's statuses,",
        "# so this is the jeweller's own promise file, stages, budgets and promise included; only `log` is this log's.",
        text.rstrip("\n"),
        "log:",
        *(line for item in observed.log for line in line_of(item)),
    ]
    return "\n".join(lines) + "\n"


def _with_strange(text: str, strange: list[str]) -> str:
    """Let the file know statuses that it does not have, off the line and in a stage of their own."""
    items = ", ".join(scalar(status) for status in strange)
    text = re.sub(r"(?m)^(  off: \[[^\]]*)\]", lambda match: f"{match[1]}, {items}]", text)
    stage = (
        f"  - {{name: other statuses, in: [{items}], kind: wait, budget: 1h}}  # this log has them, the file had not\n"
    )
    return re.sub(r"(?m)^promise:", lambda _: stage + "promise:", text, count=1)
