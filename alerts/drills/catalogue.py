"""Every drill, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alerts.drills import broker, disagreeing, events, messages, processes, silences, stages, vendor, watching
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.drills.model import Drill

MODULES: Final = (watching, processes, messages, disagreeing, events, silences, stages, broker, vendor)
DRILLS: Final[dict[str, Drill]] = {drill.name: drill for module in MODULES for drill in module.DRILLS}
QUICK: Final = tuple(drill for drill in DRILLS.values() if drill.quick)


def chosen(names: Sequence[str]) -> list[Drill]:
    """Return the drills with these names, all without any. Raises BadInput, which lists them, at one there is not."""
    unknown = [name for name in names if name not in DRILLS]
    if unknown:
        raise BadInput(f"there is no drill `{unknown[0]}`; choose some of: {', '.join(DRILLS)}")
    return [DRILLS[name] for name in dict.fromkeys(names)] or list(DRILLS.values())
