"""What drills make of `for` and `keep_firing_for` is what `promtool test rules` makes of them, minute by minute."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from alerts.drills.episodes import Episode, episodes
from tests.parts import promtool

if TYPE_CHECKING:
    from pathlib import Path

BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
MINUTES: Final = 45
# Pending and never firing; firing at once and at the last moment; resolving, coming back within and after what is kept.
BY_HAND: Final = ("0110", "01110", "011110", "0111101111", "01111001111", "0111100011110", "1", "10101010101", "111111")
RULES: Final = tuple(product((0, 1, 3), (0, 1, 4)))  # for and keep_firing_for, in minutes


def patterns() -> list[str]:
    """Return when series hold, a figure a minute: cases by hand, and some by chance."""
    rng = Random(5)  # noqa: S311 - nothing secret
    drawn = ["".join(rng.choices("01", (1, share), k=MINUTES)) for share in (1, 2, 4, 8) for _ in range(5)]
    return [pattern.ljust(MINUTES, "0") for pattern in (*BY_HAND, *drawn)]


def found(pattern: str, waits: int, keep: int) -> list[Episode]:
    """Return the episodes that drills find."""
    moments = [BEGIN + place * MINUTE for place in range(MINUTES)]
    held = {moment for moment, holds in zip(moments, pattern, strict=True) if holds == "1"}
    return list(episodes({}, moments, held, waits * MINUTE, keep * MINUTE))


def at(every: list[Episode], minute: int) -> str | None:
    """Return the state at a minute."""
    now = BEGIN + minute * MINUTE
    for one in every:
        if one.since <= now and (one.until is None or now < one.until):
            return "firing" if one.firing is not None and one.firing <= now else "pending"
    return None


def name(waits: int, keep: int) -> str:
    """Return what a rule is called."""
    return f"For{waits}Keep{keep}"


def group(states: dict[tuple[int, int], list[list[Episode]]]) -> dict[str, Any]:
    """Return the test: for each minute, what must fire and what must be pending."""
    alert_tests, expressions = [], []
    for minute, rule in product(range(MINUTES), RULES):
        now = [at(every, minute) for every in states[rule]]
        firing = [{"exp_labels": {"n": str(n)}} for n, state in enumerate(now) if state == "firing"]
        alert_tests.append({"eval_time": f"{minute}m", "alertname": name(*rule), "exp_alerts": firing})
        pending = [
            {"labels": f'ALERTS{{alertname="{name(*rule)}", alertstate="pending", n="{n}"}}', "value": 1}
            for n, state in enumerate(now)
            if state == "pending"
        ]
        asked = f'ALERTS{{alertstate="pending", alertname="{name(*rule)}"}}'
        expressions.append({"expr": asked, "eval_time": f"{minute}m", "exp_samples": pending})
    series = [{"series": f'active{{n="{n}"}}', "values": " ".join(one)} for n, one in enumerate(patterns())]
    return {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": alert_tests,
        "promql_expr_test": expressions,
    }


def judged(folder: Path, states: dict[tuple[int, int], list[list[Episode]]]) -> subprocess.CompletedProcess[str]:
    """Have promtool judge."""
    rules = [
        {"alert": name(*rule), "expr": "active == 1", "for": f"{rule[0]}m", "keep_firing_for": f"{rule[1]}m"}
        for rule in RULES
    ]
    document = {"groups": [{"name": "all", "interval": "1m", "rules": rules}]}
    (folder / "rules.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [group(states)]}
    (folder / "tests.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    command = [promtool(), "test", "rules", "tests.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_promtool_sees_the_same_states_at_every_minute(tmp_path: Path) -> None:
    """Pending, firing, resolved, kept and begun anew: 29 series under nine rules for 45 minutes."""
    states = {rule: [found(pattern, *rule) for pattern in patterns()] for rule in RULES}
    done = judged(tmp_path, states)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = {at(every, minute) for found_ in states.values() for every in found_ for minute in range(MINUTES)}
    assert seen == {None, "pending", "firing"}


@pytest.mark.parametrize("rule", [(3, 0), (0, 4)])
def test_promtool_notices_a_state_that_is_wrong(tmp_path: Path, rule: tuple[int, int]) -> None:
    """One minute more of `for`, or of what is kept, is seen by it: so the test above can fail."""
    states = {one: [found(pattern, *one) for pattern in patterns()] for one in RULES}
    states[rule] = [found(pattern, rule[0] + bool(rule[0]), rule[1] + bool(rule[1])) for pattern in patterns()]
    assert judged(tmp_path, states).returncode != 0
