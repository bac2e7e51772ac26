"""Stages of about a dozen, each with a budget: its usual share of the promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.drafting.names import is_work
from collectors.drafting.wording import percent, rounded_down, said
from collectors.promise.model import DONE

if TYPE_CHECKING:
    from collectors.drafting.history import Clock, Floats, History
    from collectors.drafting.main_line import Line

_MOST: Final = 14
_ALONE: Final = 12
_NEGLIGIBLE: Final = 0.001
_MINUTE: Final = 60
_LONGEST_NAME: Final = 200


@dataclass(frozen=True)
class DraftStage:
    """A stage: its atoms by code, its kind, its budget in seconds and what that rests on."""

    name: str
    atoms: list[int]
    kind: str
    kind_why: str
    budget_s: int
    budget_why: str
    owner: str | None


def find_stages(
    history: History, line: Line, clock: Clock, promise_s: int, *, marks: str, wide: bool, owners: dict[str, str]
) -> list[DraftStage]:
    """Put every status that an order can be in on the clock into exactly one stage."""
    total = clock.total_us(len(history.atoms))
    groups = _groups(history, _atoms(history, line), total, marks)
    weights = [float(total[atoms].sum()) for _, atoms in groups]
    budgets = _budgets(weights, promise_s)
    taken: set[str] = set()
    stages = []
    for (name, atoms), weight, budget in zip(groups, weights, budgets, strict=True):
        kind, why = _kind(history, atoms, marks, wide=wide)
        shown = name or _stage_name(history.atoms[atoms[0]], marks, wide=wide)
        whom = {owners.get(history.atoms[atom], "") for atom in atoms}
        owner = whom.pop() if len(whom) == 1 else ""
        stages.append(
            DraftStage(
                _free(shown, taken),
                atoms,
                kind,
                why,
                budget,
                _resting(clock, atoms, weight, sum(weights)),
                owner or None,
            )
        )
    return stages


def _atoms(history: History, line: Line) -> list[int]:
    """Return the atoms that need a stage, in the order of the main line: not what cancels, not the promise's end."""
    order = [*line.main, *line.off]
    rank = {status: place for place, status in enumerate(order)}
    atoms = [atom for atom in range(len(history.atoms)) if int(history.status_of[atom]) in rank]
    left_out = {line.end} if line.end is not None else set()
    kept = [atom for atom in atoms if int(history.status_of[atom]) not in left_out]
    return sorted(kept or atoms, key=lambda atom: (rank[int(history.status_of[atom])], _is_done(history, atom)))


def _is_done(history: History, atom: int) -> bool:
    return history.atoms[atom] == history.statuses[int(history.status_of[atom])] + DONE


def _groups(history: History, atoms: list[int], total: Floats, marks: str) -> list[tuple[str, list[int]]]:
    """Give the atoms that take the time stages of their own, and gather the rest."""
    whole = max(float(total[atoms].sum()), 1.0)
    small = [atom for atom in atoms if total[atom] < _NEGLIGIBLE * whole] if len(atoms) > 4 else []
    heavy = [atom for atom in atoms if atom not in small]
    if len(heavy) + bool(small) > _MOST:
        heavy = sorted(heavy, key=lambda atom: -total[atom])[:_ALONE]
    if len(heavy) + len(small) <= 6 or (len(small) == 1 and len(heavy) < _MOST):
        heavy = [*heavy, *small]
    alone = set(heavy)
    rest = [atom for atom in atoms if atom not in alone]
    groups = [("", [atom]) for atom in atoms if atom in alone]
    if marks != "intervals":
        return [*groups, ("other statuses", rest)] if rest else groups
    work = [atom for atom in rest if not _is_done(history, atom)]
    wait = [atom for atom in rest if _is_done(history, atom)]
    tails = [("other work", work), ("other waits", wait)]
    return [*groups, *((name, members) for name, members in tails if members)]


def _budgets(weights: list[float], promise_s: int) -> list[int]:
    """Share a promise out in proportion, rounded down, no share below a minute (a second of a short promise)."""
    least = _MINUTE if promise_s >= 2 * _MINUTE * len(weights) else max(1, promise_s // (2 * len(weights)))
    whole = sum(weights)
    shares = [weight / whole if whole else 1 / len(weights) for weight in weights]
    free = promise_s - least * sum(share * promise_s < least for share in shares)
    budgets = [max(least, rounded_down(share * free)) for share in shares]
    over = sum(budgets) - promise_s
    largest = budgets.index(max(budgets))
    if over > 0:
        budgets[largest] = max(least, rounded_down(budgets[largest] - over))
    return budgets


def _kind(history: History, atoms: list[int], marks: str, *, wide: bool) -> tuple[str, str]:
    if marks == "completion":
        return "wait", "an activity is complete, and the next one is not"
    if marks == "intervals":
        done = _is_done(history, atoms[0])
        return ("wait", "no activity runs") if done else ("work", "from start to end")
    if wide:
        return "wait", "a guess: milestones do not say whether anyone is at it"
    works = [is_work(history.atoms[atom]) for atom in atoms]
    return ("work", "by its name") if all(works) else ("wait", "a guess: its name speaks of no work")


def _stage_name(atom: str, marks: str, *, wide: bool) -> str:
    if atom.endswith(DONE) and marks != "status":
        return f"after {atom.removesuffix(DONE)}"
    return f"after {atom}" if wide else atom


def _free(name: str, taken: set[str]) -> str:
    wanted = " ".join(name.split())[: _LONGEST_NAME - 4] or "stage"
    found, number = wanted, 1
    while found in taken or found == "elsewhere":
        number += 1
        found = f"{wanted} {number}"
    taken.add(found)
    return found


def _resting(clock: Clock, atoms: list[int], weight: float, whole: float) -> str:
    times = clock.time_in(atoms)
    if not len(times):
        return "no finished order was in it"
    quarter = float(np.percentile(times, 75))
    return (
        f"{percent(len(times) / max(len(clock.lead_us), 1))} of orders were in it, three in four of them for at most "
        f"{said(quarter)}; {percent(weight / whole if whole else 0.0)} of all lead time"
    )
