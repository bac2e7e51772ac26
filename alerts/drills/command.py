"""`touchstone drill`: play faults, and say what the alerts did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from alerts.drills.catalogue import chosen
from alerts.drills.drilling import drilled
from alerts.drills.run import SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from alerts.drills.model import Outcome
    from alerts.drills.parts import Parts


def run_drills(
    names: Sequence[str], parts: Parts, say: Callable[[str], None], *, as_json: bool, seed: int = SEED
) -> bool:
    """Play drills one after the other, all without names; return whether every one passed.

    ``say`` shows a line: an outcome as it comes, or at the end one JSON document. ``seed``: of the simulated flows of
    orders. Raises BadInput at an unknown name.
    """
    outcomes = []
    for drill in chosen(names):
        outcomes.append(drilled(drill, parts, seed))
        if not as_json:
            say(told(outcomes[-1]))
    passed = sum(outcome.passed for outcome in outcomes)
    if as_json:
        found = [outcome.document() for outcome in outcomes]
        document = {"drills": found, "played": len(found), "passed": passed, "seed": seed}
        say(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        say(f"{passed} of {len(outcomes)} drills passed")
    return passed == len(outcomes)


def list_drills(names: Sequence[str], say: Callable[[str], None]) -> None:
    """Say a line for each drill: its name, what it breaks, and which alerts must fire. Raises BadInput as above."""
    wanted = chosen(names)
    width = max(len(drill.name) for drill in wanted)
    for drill in wanted:
        fires = " and ".join(dict.fromkeys(named.alert for named in drill.fires)) or "no alert"
        say(f"{drill.name:<{width}}  {drill.says} ({fires}{', quick' if drill.quick else ''})")


def told(outcome: Outcome) -> str:
    """Return an outcome in a few lines."""
    lines = [f"{'passed' if outcome.passed else 'FAILED'}  {outcome.drill.name}: {outcome.drill.says}"]
    for one in outcome.fired:
        if one.after is None:
            lines.append(f"        {one.named.alert} did not fire")
            continue
        labels = ", ".join(one.named.labels.values())
        cleared = "still fires" if one.cleared_after is None else _cleared(one.cleared_after)
        lines.append(f"        {one.named.alert}{f' ({labels})' if labels else ''} after {one.after}, {cleared}")
    if outcome.others:
        lines.append(f"        besides: {', '.join(outcome.others)}")
    lines.extend(f"        {fault}" for fault in outcome.faults)
    return "\n".join(lines)


def _cleared(after: timedelta) -> str:
    if after.total_seconds() <= 0:
        return "cleared before the end of the fault"
    return f"cleared {after} after its end"
