"""What became of every event and command, once nothing is on its way any more."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.stores import Books, Effect


@dataclass(frozen=True)
class Verdict:
    """How many events (and commands) had no effect, had it again, or had it after a later one of the same order.

    ``broken_states``: orders whose state is not what their events give in order, which says it independently.
    """

    lost: int
    doubled: int
    misordered: int
    broken_states: int
    dead_letters: int
    dead_letters_without_failure: int

    @property
    def wrong(self) -> int:
        """How much went wrong in all."""
        return self.lost + self.doubled + self.misordered + self.broken_states + self.dead_letters_without_failure


def judge(books: Books, *, events: int, commands: bool) -> Verdict:
    """Compare what the writers committed with what the consumers did."""
    planned = {(order, step) for order, last in books.committed.items() for step in range(1, last + 1)}
    counts = Counter((effect.subject, effect.step) for effect in books.effects)
    lost, doubled = len(planned - counts.keys()), sum(counts.values()) - len(counts)
    if commands:
        answers = Counter(books.answers)
        finished = {order for order, last in books.committed.items() if last == events}
        lost += len(finished - answers.keys())
        doubled += sum(answers.values()) - len(answers)
    chains = {last: chain(range(1, last + 1)) for last in set(books.committed.values())}
    broken = sum(books.chains.get(order) != chains[last] for order, last in books.committed.items() if last)
    return Verdict(lost, doubled, misordered(books.effects), broken, books.dead, books.dead_without_failure)


def misordered(effects: Sequence[Effect]) -> int:
    """Count effects that came first after a later one of their order. Those that came again are counted as doubled."""
    reached: dict[str, int] = {}
    seen: set[Effect] = set()
    late = 0
    for effect in effects:
        if effect in seen:
            continue
        seen.add(effect)
        late += effect.step < reached.get(effect.subject, 0)
        reached[effect.subject] = max(effect.step, reached.get(effect.subject, 0))
    return late


def chain(steps: Iterable[int]) -> str:
    """Return the state that these steps leave in this order: each one's digest goes into the next."""
    state = ""
    for step in steps:
        state = hashlib.md5(f"{state}{step}".encode(), usedforsecurity=False).hexdigest()
    return state
