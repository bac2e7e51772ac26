"""A reconciliation from asking to repairing: the shell around the comparison."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from collectors.promise.finding import did_you_mean
from collectors.reconciliation.asking import NoAnswer
from collectors.reconciliation.comparing import Owed, Rules, by_order, compare
from collectors.reconciliation.limits import by_status
from collectors.reconciliation.report import (
    Asked,
    Left,
    Repair,
    Report,
    lost_sentence,
    mismatch_sentence,
    stuck_sentence,
)
from collectors.timelines.codebook import OFF_MAIN_LINE
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from collectors.pollers.systems import Systems
    from collectors.promise.model import PromiseFile
    from collectors.reconciliation.asking import Asker
    from collectors.reconciliation.comparing import Findings, Limit
    from collectors.timelines.codebook import Codebook

PATIENCE_S: Final = 30.0
LOOK_AGAIN_S: Final = 1.0
MICROSECOND_PER_S: Final = 1_000_000


def check_against(systems: Systems, promise: PromiseFile) -> None:
    """Raise BadInput where the file of systems names a status that the promise does not know."""
    known = promise.statuses.all()
    named = {debt.status: "flow" for debt in systems.flow}
    named |= {status: system.name for system in systems.systems for status in system.owns}
    for status, where in named.items():
        if status not in known:
            raise BadInput(
                f"the file of systems, {where}: the promise `{promise.name}` knows no status `{status}`"
                f"{did_you_mean(status, known)}"
            )


def rules_of(systems: Systems, codebook: Codebook, limits: list[Limit]) -> Rules:
    """Return what counts as a finding, from the file of systems and the promise."""
    promise = codebook.promise
    rank = {status: float(codebook.rank[codebook.code_of[status]]) for status in promise.statuses.all()}
    by_source = {system.source: system.name for system in systems.systems}
    told = {status: by_source[source] for status, source in promise.reported_by.items() if source in by_source}
    owner = told | {status: system.name for system in systems.systems for status in system.owns}
    owed = [
        Owed(rank.get(debt.status, OFF_MAIN_LINE), debt.known_to, name)
        for debt in systems.flow
        for name in debt.owed_to
    ]
    return Rules(
        rank=rank,
        owner=owner,
        cancelling=frozenset(promise.statuses.cancelled),
        owed=tuple(owed),
        limits=by_status(codebook, limits),
        tolerance_us=round(systems.tolerance.total_seconds() * MICROSECOND_PER_S),
        lost_after_us=round(systems.lost_after.total_seconds() * MICROSECOND_PER_S),
    )


@dataclass
class Reconciler:
    """Asks, compares and repairs. ``clock``: microseconds since 1970 UTC; ``sleep`` waits between two looks."""

    asker: Asker
    rules: Rules
    clock: Callable[[], int]
    patience_s: float = PATIENCE_S
    look_again_s: float = LOOK_AGAIN_S

    async def look(self) -> Report:
        """Ask every system and compare; a system that does not answer is left out and named."""
        # The moment before: reading takes a while, and what happened meanwhile only some of the lists can show.
        now = self.clock()
        answers = await self.asker.statuses()
        # In a thread of its own: the collector answers meanwhile, however many orders there are.
        says = await asyncio.to_thread(by_order, answers.lists)
        findings = await asyncio.to_thread(compare, says, answers.lists, self.rules, now)
        orders = {name: len(claims) for name, claims in answers.lists.items()}
        return Report(now, orders, answers.silent, findings, says)

    async def repair(self, before: Report) -> Report:
        """Make systems replay what others lack, look again, and say what that did not mend and why."""
        asked = [await self._replay(*wish) for wish in _wishes(before.findings)]
        hopeful = _hopeful(before.findings, asked)
        after, until = before, time.monotonic() + self.patience_s
        while hopeful:
            after = await self.look()
            still = _still(before, after)
            if not hopeful & still or time.monotonic() > until:
                break
            await asyncio.sleep(self.look_again_s)
        still = _still(before, after)
        consumers = {one.consumer for one in asked if one.replayed}
        letters = {name: await self.asker.dead_letters(name) for name in sorted(consumers)}
        left = list(_left(before.findings, still, asked, letters, after.silent))
        gone = before.findings.names() - still
        return replace(before, repair=Repair(asked, len(gone), left))

    async def _replay(self, owner: str, consumer: str, orders: list[str]) -> Asked:
        try:
            replayed = await self.asker.replay(owner, consumer, orders)
        except NoAnswer as error:
            return Asked(owner, consumer, len(orders), 0, f"{owner} {error}")
        return Asked(owner, consumer, len(orders), replayed)


def _wishes(findings: Findings) -> Iterator[tuple[str, str, list[str]]]:
    """Yield who is to replay which orders to whom."""
    wanted: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for mismatch in findings.mismatches:
        if mismatch.right is not None:
            for system in mismatch.lagging:
                wanted[mismatch.right, system][mismatch.order] = None
    for lost in findings.lost:
        # All who know it: each has said a part of its history.
        for system in lost.says:
            wanted[system, lost.missing][lost.order] = None
    for (owner, consumer), orders in sorted(wanted.items()):
        yield owner, consumer, list(orders)


def _hopeful(findings: Findings, asked: list[Asked]) -> set[tuple[str, ...]]:
    """Name the findings for which something was sent again."""
    sent = {(one.owner, one.consumer) for one in asked if one.replayed}
    return {
        *(("mismatch", one.order) for one in findings.mismatches if {(one.right, name) for name in one.lagging} & sent),
        *(("lost", one.order, one.missing) for one in findings.lost if {(n, one.missing) for n in one.says} & sent),
    }


def _still(before: Report, after: Report) -> set[tuple[str, ...]]:
    """Name the findings that are there yet, and those of systems that have fallen silent: nobody knows of them."""
    found, silent = before.findings, after.silent.keys() - before.silent.keys()
    unknown: set[tuple[str, ...]] = {
        *(("lost", one.order, one.missing) for one in found.lost if {*one.says, one.missing} & silent),
        *(("mismatch", one.order) for one in found.mismatches if one.says.keys() & silent),
        *(("stuck", one.order) for one in found.stuck if one.says.keys() & silent),
    }
    return after.findings.names() | unknown


def _left(
    before: Findings,
    still: set[tuple[str, ...]],
    asked: list[Asked],
    letters: Mapping[str, Mapping[str, str]],
    silent: Mapping[str, str],
) -> Iterator[Left]:
    ways_of = {(one.owner, one.consumer): one for one in asked}
    for mismatch in before.mismatches:
        if ("mismatch", mismatch.order) in still:
            ways = [ways_of[mismatch.right, system] for system in mismatch.lagging] if mismatch.right else []
            why = (
                _why(mismatch.order, ways, letters, silent)
                if mismatch.right
                else f"no replay can help: whoever decides {mismatch.newest.status} does not say so; a person must look"
            )
            yield Left(mismatch.order, mismatch_sentence(mismatch), why)
    for lost in before.lost:
        if ("lost", lost.order, lost.missing) in still:
            ways = [ways_of[system, lost.missing] for system in lost.says]
            yield Left(lost.order, lost_sentence(lost), _why(lost.order, ways, letters, silent))
    for stuck in before.stuck:
        if ("stuck", stuck.order) in still:
            why = "nothing was lost that a replay could bring back; whoever has the order must move it"
            yield Left(stuck.order, stuck_sentence(stuck), why)


def _why(order: str, ways: list[Asked], letters: Mapping[str, Mapping[str, str]], silent: Mapping[str, str]) -> str:
    reasons = list(dict.fromkeys(one.refused for one in ways if one.refused))
    if reasons:
        return "; ".join(reasons)
    if not any(one.replayed for one in ways):
        return "the replay brought no event: the owner has no record of it"
    consumers = list(dict.fromkeys(one.consumer for one in ways))
    dead = [
        f"it lies among {name}'s dead letters: {letters[name][order]}"
        for name in consumers
        if order in letters.get(name, {})
    ]
    if dead:
        return "; ".join(dead)
    gone = [f"{name} {silent[name]}" for name in consumers if name in silent]
    if gone:
        return f"replayed, and now {'; '.join(gone)}"
    return f"replayed, and {' and '.join(consumers)} has not taken it in yet; look again, and into its log"
