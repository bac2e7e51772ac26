"""The collector and the independent reference give the same numbers for made-up promises and logs of every kind."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from collectors.promise import load_promise
from collectors.replay import replay
from instrumentation.errors import BadInput
from tests import reference
from tests.made_up import KINDS, Json, cases

if TYPE_CHECKING:
    from datetime import datetime

# By hand: TOUCHSTONE_EXAMPLES=5000 pytest tests/unit/test_replay_against_reference.py --timeout 0
EXAMPLES: Final = int(os.environ.get("TOUCHSTONE_EXAMPLES", "60"))


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """List where two documents differ: floats by more than 1e-6 s and 1e-9 of their size, all else at all."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = (ours.keys() | theirs.keys()) - {"since"}
        return [d for key in sorted(keys) for d in differences(ours.get(key), theirs.get(key), f"{path}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [d for number, (one, other) in pairs for d in differences(one, other, f"{path}[{number}]")]
    if isinstance(ours, float) and isinstance(theirs, float):
        same = math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
    else:
        same = ours == theirs
    return [] if same else [f"{path}: collector {ours!r}, reference {theirs!r}"]


def both(promise: Json, log: bytes, as_of: datetime | None) -> tuple[Json | None, Json]:
    """Replay a log by the collector (None where it refuses the log) and by the reference."""
    with tempfile.TemporaryDirectory() as folder:
        terms, file = Path(folder, "promise.yaml"), Path(folder, "log")
        terms.write_text(json.dumps(promise), encoding="utf-8")
        file.write_bytes(log)
        theirs = reference.replay(file, terms, as_of)
        loaded = load_promise(terms)
        try:
            return replay(file, loaded, as_of=as_of).document(), theirs
        except BadInput as error:
            note(str(error))
            # A log that leaves nothing to judge is refused; there is no other reason to refuse these.
            assert reference.replay(file, terms)["as_of"] is None
            return None, theirs


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_collector_and_reference_agree_on_every_number(kind: str, data: st.DataObject) -> None:
    promise, log, as_of = data.draw(cases(kind))
    note(json.dumps(promise))
    note(log.decode())
    ours, theirs = both(promise, log, as_of)
    if ours is not None:
        assert differences(ours, theirs) == []
