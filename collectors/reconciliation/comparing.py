"""Compare what systems say of orders. No input or output here; moments are microseconds since 1970 UTC."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Claim(NamedTuple):
    """What a system says of an order: its status, since when, and who told it so."""

    order: str
    status: str
    since: int
    source: str | None = None
    sequence: int | None = None


class Limit(NamedTuple):
    """How long an order may be in a stage. ``basis``: "P99" of ``orders`` ended ones, or "budget"."""

    stage: str
    us: int
    basis: str
    orders: int


class Owed(NamedTuple):
    """Whoever ``known_to`` has in a status of this rank or a later one, ``owed_to`` must know."""

    rank: float
    known_to: str
    owed_to: str


@dataclass(frozen=True)
class Rules:
    """What counts as a finding. ``owner``: status -> system; ``limits``: status -> limit; ``cancelling``: statuses."""

    rank: Mapping[str, float]
    owner: Mapping[str, str]
    cancelling: frozenset[str]
    owed: tuple[Owed, ...]
    limits: Mapping[str, Limit]
    tolerance_us: int
    lost_after_us: int

    def place(self, claim: Claim) -> tuple[int, float]:
        """Return what orders claims in time: of two at one moment, the one that ranks higher came last."""
        return claim.since, self.rank.get(claim.status, -1.0)


Claims = dict[str, Claim]  # system -> what it says of one order


class Mismatch(NamedTuple):
    """Systems name different statuses for one order. ``right``: who decides the newest status; None: it denies it."""

    order: str
    says: Claims
    newest: Claim
    right: str | None
    lagging: tuple[str, ...]


class Lost(NamedTuple):
    """An order that one system knows and another should."""

    order: str
    says: Claims
    known_to: str
    missing: str
    since: int


class Stuck(NamedTuple):
    """An order that has been in its stage for longer than is usual there."""

    order: str
    says: Claims
    newest: Claim
    age_us: int
    limit: Limit


@dataclass(frozen=True)
class Findings:
    """Everything that a comparison found, each by order."""

    mismatches: list[Mismatch] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)

    def names(self) -> set[tuple[str, ...]]:
        """Name each finding, so that it can be recognised in a later comparison."""
        return {
            *(("mismatch", one.order) for one in self.mismatches),
            *(("lost", one.order, one.missing) for one in self.lost),
            *(("stuck", one.order) for one in self.stuck),
        }


def by_order(lists: Mapping[str, Iterable[Claim]]) -> dict[str, Claims]:
    """Return what each system says of each order, from each system's list."""
    found: defaultdict[str, Claims] = defaultdict(dict)
    for system, claims in lists.items():
        for claim in claims:
            found[claim.order][system] = claim
    return dict(sorted(found.items()))


def compare(orders: Mapping[str, Claims], systems: Iterable[str], rules: Rules, now: int) -> Findings:
    """Compare what the systems that answered say of each order."""
    answered = frozenset(systems)
    owed = [debt for debt in rules.owed if {debt.known_to, debt.owed_to} <= answered]
    findings = Findings()
    for order, says in orders.items():
        newest = max(says.values(), key=rules.place)
        mismatch = _mismatch(order, says, newest, rules, now)
        if mismatch is not None:
            findings.mismatches.append(mismatch)
        findings.lost.extend(_lost(order, says, newest, owed, rules, now))
        limit = rules.limits.get(newest.status)
        if limit is not None and now - newest.since > limit.us:
            findings.stuck.append(Stuck(order, says, newest, now - newest.since, limit))
    return findings


def _mismatch(order: str, says: Claims, newest: Claim, rules: Rules, now: int) -> Mismatch | None:
    lagging = tuple(system for system, claim in says.items() if claim.status != newest.status)
    if not lagging or now - newest.since <= rules.tolerance_us:
        return None
    owner = rules.owner.get(newest.status)
    return Mismatch(order, says, newest, None if owner in lagging else owner, lagging)


def _lost(order: str, says: Claims, newest: Claim, owed: Iterable[Owed], rules: Rules, now: int) -> Iterator[Lost]:
    if newest.status in rules.cancelling:
        return  # nobody waits for it any more
    missing: set[str] = set()
    for debt in owed:
        known = says.get(debt.known_to)
        if known is None or debt.owed_to in says or debt.owed_to in missing:
            continue
        if rules.rank.get(known.status, -1.0) < debt.rank:
            continue
        # The earliest of what is said: an order that keeps moving elsewhere is no less lost here.
        since = min(claim.since for claim in says.values() if rules.rank.get(claim.status, -1.0) >= debt.rank)
        if now - since > rules.lost_after_us:
            missing.add(debt.owed_to)
            yield Lost(order, says, debt.known_to, debt.owed_to, since)
