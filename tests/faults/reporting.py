"""The run as one document, and for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.faults.jobs import BUS
from tests.faults.scenario import caught, failures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.faults.conducting import Scale
    from tests.faults.scenario import Outcome


def document(
    outcomes: Mapping[str, tuple[Scale, Outcome]], priced: Mapping[str, Any], seed: int, seconds: float
) -> dict[str, Any]:
    """Return the last line's document: the bus's figures, each control's, and pricing's."""
    figures = {name: _figures(*pair) for name, pair in outcomes.items()}
    found = figures.pop(BUS, {})
    for name, one in figures.items():
        one["caught"] = caught(name, outcomes[name][1].verdict)
    failed = [reason for name, pair in outcomes.items() for reason in failures(name, *pair)]
    if priced:
        found["pricing"] = {name: value for name, value in priced.items() if name != "failed"}
        failed += priced["failed"]
    return found | {"controls": figures, "seed": seed, "seconds_in_all": round(seconds, 1), "failed": failed}


def _figures(scale: Scale, outcome: Outcome) -> dict[str, Any]:
    verdict = asdict(outcome.verdict)
    return {
        "orders": scale.orders,
        "events": scale.events,
        **asdict(outcome.done),
        **verdict,
        "tampering": outcome.tampering,
        "seconds": round(outcome.seconds, 1),
    }


def write(found: Mapping[str, Any], reports: Path) -> None:
    """Leave the report as JSON and as text."""
    (reports / "faults.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (reports / "faults.txt").write_text(text(found), encoding="utf-8")


def text(found: Mapping[str, Any]) -> str:
    """Return the report as lines."""
    lines = [f"Fault run, seed {found['seed']}, {found['seconds_in_all']} s"]
    scenarios = {BUS: found} if "orders" in found else {}
    for name, one in (scenarios | found["controls"]).items():
        lines += ["", name if name == BUS else f"{name} (a control)"]
        lines += [f"  {key.replace('_', ' '):<30}{value}" for key, value in one.items() if not isinstance(value, dict)]
        lines += [f"  messages {key.replace('_', ' '):<21}{value}" for key, value in one["tampering"].items()]
    if "pricing" in found:
        lines += ["", "pricing", *(f"  {key.replace('_', ' '):<30}{value}" for key, value in found["pricing"].items())]
    lines += ["", *(found["failed"] or ["Nothing failed."])]
    return "\n".join(lines) + "\n"
