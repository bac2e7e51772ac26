"""A child process in which models are computed, so that none of them takes down the worker that serves all others.

The child knows no secrets, has bounds on memory, time and output, and dies with its parent. It still is a process of
the same user: it keeps what a model does by size, by time or by crashing a library from the worker; against code
that takes over the child it is one wall of several, and the worker's user and container are the others.
"""

from pricing.sandbox.allowance import Allowance, allowance_for
from pricing.sandbox.child import Child
from pricing.sandbox.messages import (
    PICTURE,
    Event,
    ModelRead,
    Progressed,
    StepBegun,
    StepEnded,
    Task,
    TaskKind,
)
from pricing.sandbox.outcomes import Crashed, OverLimit

__all__ = [
    "PICTURE",
    "Allowance",
    "Child",
    "Crashed",
    "Event",
    "ModelRead",
    "OverLimit",
    "Progressed",
    "StepBegun",
    "StepEnded",
    "Task",
    "TaskKind",
    "allowance_for",
]
