"""All invariants, and how they are checked: each by itself, so that one that fails hides no other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from collectors.invariants.flow import no_old_gaps, no_silence, outbox_young
from collectors.invariants.model import EXAMPLES, Invariant, NotChecked, Result
from collectors.invariants.orders import one_current_status, stage_sum_equals_age

if TYPE_CHECKING:
    from collectors.invariants.model import House

LOG: Final = logging.getLogger("touchstone.invariants")
INVARIANTS: Final = (
    Invariant(
        "one_current_status",
        "Every order in flight is in exactly one status, the one that its events say.",
        "critical",
        one_current_status,
    ),
    Invariant(
        "stage_sum_equals_age",
        "The times that an order has spent in its stages add up to its age.",
        "critical",
        stage_sum_equals_age,
    ),
    Invariant("outbox_young", "No event waits for long to be sent.", "critical", outbox_young),
    Invariant("no_old_gaps", "No sequence number lacks for longer than a message takes.", "critical", no_old_gaps),
    Invariant("no_silence", "No source falls silent in business hours.", "warning", no_silence),
)


async def check_all(house: House) -> list[Result]:
    """Check every invariant; violations are logged, and so is why one could not be checked."""
    return [await _checked(invariant, house) for invariant in INVARIANTS]


async def _checked(invariant: Invariant, house: House) -> Result:
    try:
        found = await invariant.check(house)
    except NotChecked as error:
        return Result(invariant, None, reason=str(error))
    except Exception as error:
        LOG.exception("%s could not be checked", invariant.name)
        return Result(invariant, None, reason=f"the check failed ({type(error).__name__}: {error})")
    if found:
        level = logging.ERROR if invariant.severity == "critical" else logging.WARNING
        LOG.log(level, "%s is violated %d times; the first: %s", invariant.name, len(found), found[0])
    return Result(invariant, len(found), found[:EXAMPLES])
