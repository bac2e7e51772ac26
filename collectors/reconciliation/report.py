"""What a reconciliation found, in words and as a document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from collectors.promise.durations import describe_duration
from collectors.replay import iso
from collectors.report.wording import listed, moment, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.reconciliation.comparing import Claim, Claims, Findings, Lost, Mismatch, Stuck

SECOND = 1_000_000


@dataclass(frozen=True)
class Asked:
    """Events that a system was made to send again. ``refused`` says why it would not."""

    owner: str
    consumer: str
    orders: int
    replayed: int
    refused: str | None = None


@dataclass(frozen=True)
class Left:
    """A finding that replay did not mend, and why."""

    order: str
    finding: str
    why: str


@dataclass(frozen=True)
class Repair:
    """What was tried, what it mended, and what is left."""

    asked: list[Asked] = field(default_factory=list)
    repaired: int = 0
    left: list[Left] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """A reconciliation as of a moment (microseconds). ``orders``: how many each system names; ``silent``: why not."""

    as_of: int
    orders: Mapping[str, int]
    silent: Mapping[str, str]
    findings: Findings
    says: Mapping[str, Claims] = field(repr=False, default_factory=dict)
    repair: Repair | None = None
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether every system answered and nothing was found."""
        return not (self.silent or self.findings.names())

    def document(self) -> dict[str, Any]:
        """Return the document of ``touchstone reconcile --json``."""
        found = self.findings
        names = sorted({*self.orders, *self.silent})
        return {
            "as_of": iso(self.as_of),
            "systems": [
                {"system": name, "orders": self.orders.get(name), "error": self.silent.get(name)} for name in names
            ],
            "counts": {
                "mismatches": len(found.mismatches),
                "lost": len(found.lost),
                "stuck": len(found.stuck),
            },
            "mismatches": [_mismatch(one) for one in found.mismatches],
            "lost": [_lost(one) for one in found.lost],
            "stuck": [_stuck(one) for one in found.stuck],
            "repair": None if self.repair is None else _repair(self.repair),
            "notes": list(self.notes),
        }


def _mismatch(one: Mismatch) -> dict[str, Any]:
    return {
        "order": one.order,
        "says": _says(one.says),
        "right": one.right,
        "lagging": list(one.lagging),
        "sentence": mismatch_sentence(one),
    }


def _lost(one: Lost) -> dict[str, Any]:
    return {
        "order": one.order,
        "says": _says(one.says),
        "known_to": one.known_to,
        "missing": one.missing,
        "since": iso(one.since),
        "sentence": lost_sentence(one),
    }


def _stuck(one: Stuck) -> dict[str, Any]:
    return {
        "order": one.order,
        "says": _says(one.says),
        "stage": one.limit.stage,
        "age_s": one.age_us / SECOND,
        "limit_s": one.limit.us / SECOND,
        "basis": one.limit.basis,
        "sentence": stuck_sentence(one),
    }


def _says(says: Claims) -> list[dict[str, Any]]:
    return [
        {
            "system": system,
            "status": claim.status,
            "since": iso(claim.since),
            "source": claim.source,
            "sequence": claim.sequence,
        }
        for system, claim in says.items()
    ]


def _repair(repair: Repair) -> dict[str, Any]:
    return {
        "asked": [vars(asked) for asked in repair.asked],
        "repaired": repair.repaired,
        "left": [vars(left) for left in repair.left],
    }


def _claimed(system: str, claim: Claim) -> str:
    return f"{plain(system)} says {plain(claim.status)} since {moment(claim.since)}"


def mismatch_sentence(one: Mismatch) -> str:
    """Say who names which status since when, and who is right."""
    said = listed([_claimed(system, claim) for system, claim in one.says.items()])
    newest = plain(one.newest.status)
    if one.right is not None:
        return f"order {plain(one.order)}: {said}; {plain(one.right)} decides {newest}, so it is right"
    by = f", which {plain(one.newest.source)} is said to have reported" if one.newest.source else ""
    return f"order {plain(one.order)}: {said}; nobody who decides {newest}{by} says so itself"


def lost_sentence(one: Lost) -> str:
    """Say who knows the order since when, and who does not."""
    known = one.says[one.known_to]
    return (
        f"order {plain(one.order)}: {_claimed(one.known_to, known)}; {plain(one.missing)} does not know it, "
        f"though it should since {moment(one.since)}"
    )


def stuck_sentence(one: Stuck) -> str:
    """Say where the order lies, for how long, and what is usual there."""
    usual = describe_duration(one.limit.us / SECOND)
    basis = f"99 of 100 orders leave it within {usual}" if one.limit.basis == "P99" else f"its budget is {usual}"
    return (
        f"order {plain(one.order)}: {plain(one.newest.status)} since {moment(one.newest.since)}, "
        f"{describe_duration(one.age_us / SECOND)} in {plain(one.limit.stage)}; {basis}"
    )
