"""What the promise's ends, length, segments and owners must agree on with the rest of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collectors.promise.finding import Finding, did_you_mean
from collectors.promise.model import DONE, FIRST, LAST
from collectors.promise.stage_checks import check_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.promise.outline import Outline, Word

_ORDER_COLUMNS: Final = ("order", "status", "time", "start", "end")


def check_terms(file: Outline) -> Iterator[Finding]:
    """Check that the ends are known and in their order, and that there is one length."""
    start, end = file.word("promise", "from"), file.word("promise", "to")
    yield from _check_end(file, start, special=FIRST, other=LAST)
    yield from _check_end(file, end, special=LAST, other=FIRST)
    first, last = file.rank(start), file.rank(end)
    if start and end and start.text == end.text:
        yield file.finding(end.path, f"`from` and `to` are both `{end.text}`; name two statuses")
    elif start and end and first is not None and last is not None and last <= first:
        message = f"`to`, `{end.text}`, comes before `from`, `{start.text}`, on the main line; swap them"
        yield file.finding(end.path, message)
    yield from _check_coverage(file, start, end)
    yield from _check_length(file)
    yield from _check_overrides(file)


def _check_end(file: Outline, word: Word | None, *, special: str, other: str) -> Iterator[Finding]:
    if word is None or word.text == special:
        return
    if word.text == other and other not in file.known:
        yield file.finding(word.path, f"`{word.path[-1]}` cannot be `{other}`; name a status or `{special}`")
        return
    yield from check_known(file, word)
    if word.status in {status.text for status in file.cancelled}:
        message = f"`{word.text}` cancels an order, and cannot be an end of the promise; name another status"
        yield file.finding(word.path, message)


def _check_length(file: Outline) -> Iterator[Finding]:
    within, by = (file.at(("promise", key)) for key in ("within", "by"))
    terms = file.at(("promise",))
    if isinstance(terms, dict) and (within is None) == (by is None):
        has = "has both `within` and `by`; keep one" if by is not None else "has no length; add `within: 21d`"
        yield file.finding(("promise",), has + (", or `by: ATTRIBUTE` of the order" if by is None else ""))
    for path in [("promise", "within"), *_overridden(file)]:
        if (length := file.duration(*path)) is not None and not length:
            yield file.finding(path, "`within` is no time at all; promise a duration such as 21d")
    if by is None and file.at(("promise", "by_day")) is True:
        message = "`by_day` says that `by` names a day, and there is no `by`; remove it"
        yield file.finding(("promise", "by_day"), message)
    if by is not None and file.items("promise", "overrides"):
        message = "`overrides` change `within`; with `by`, each order has its own moment, so remove them"
        yield file.finding(("promise", "overrides"), message)


def _overridden(file: Outline) -> list[tuple[str | int, ...]]:
    count = len(file.items("promise", "overrides"))
    return [("promise", "overrides", index, "within") for index in range(count)]


def _check_overrides(file: Outline) -> Iterator[Finding]:
    within = file.duration("promise", "within")
    seen: list[object] = []
    for *path, _ in _overridden(file):
        when = file.at((*path, "when"))
        if when is not None and when in seen:
            message = "an earlier override is for the same orders, so this one never counts; remove it"
            yield file.finding((*path, "when"), message)
        seen.append(when)
        if within is not None and within == file.duration(*path, "within"):
            message = "it promises what all others are promised; remove it"
            yield file.finding((*path, "within"), message, "warning")


def _check_coverage(file: Outline, start: Word | None, end: Word | None) -> Iterator[Finding]:
    """Find the statuses of the main line between the ends whose time no stage holds."""
    first = 0 if start and start.text == FIRST else file.rank(start)
    # The main line's last status ends every order, so nothing lies in it when `to` is `last`.
    last = 2 * (len(file.main) - 1) if end and end.text == LAST else file.rank(end)
    if first is None or last is None:
        return
    held = {word.text for stage in file.stages for word in stage.statuses}
    for index, word in enumerate(file.main):
        names = {"status": [0], "completion": [1], "intervals": [0, 1]}[file.marks]
        wanted = [word.text + DONE * done for done in names if first <= 2 * index + done < last]
        missing = [name for name in wanted if name not in held]
        if missing:
            shown = " and ".join(f"`{name}`" for name in missing)
            verb = "are" if len(missing) > 1 else "is"
            message = f"{shown} {verb} in no stage; its time goes to `elsewhere`, so add it to a stage"
            yield file.finding(word.path, message, "warning")


def check_segments(file: Outline) -> Iterator[Finding]:
    """Check that segments, overrides and `by` name attributes of the order."""
    seen: set[str] = set()
    for word in file.words("segments"):
        if word.text in seen:
            yield file.finding(word.path, f"`{word.text}` stands here twice; keep one")
        seen.add(word.text)
    for word in _attributes(file):
        yield from _check_attribute(file, word)


def _attributes(file: Outline) -> Iterator[Word]:
    yield from file.words("segments")
    for *path, _ in _overridden(file):
        yield from file.keys(*path, "when")
    if by := file.word("promise", "by"):
        yield by


def _check_attribute(file: Outline, word: Word) -> Iterator[Finding]:
    columns = {found.text: key for key in _ORDER_COLUMNS if (found := file.word("log", key))}
    named = [key.text for key in file.keys("log", "attributes")]
    segments = [segment.text for segment in file.words("segments") if segment != word]
    if word.text not in named and word.text in columns:
        role = columns[word.text]
        yield file.finding(
            word.path, f"`{word.text}` is the log's `{role}` column, not an attribute of the order; name one"
        )
    elif word.text in file.known:
        yield file.finding(word.path, f"`{word.text}` is a status, not an attribute of the order; name one")
    elif word.text not in named + segments:
        near = did_you_mean(word.text, named + segments)
        if "mean" in near:
            message = f"attribute `{word.text}` is named nowhere else{near}"
            yield file.finding(word.path, message, "warning")


def check_owners(file: Outline) -> Iterator[Finding]:
    """Check that `reported_by` names known statuses."""
    for word in file.keys("reported_by"):
        yield from check_known(file, word)
