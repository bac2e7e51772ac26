"""Limits on the child that the operating system holds.

The parent sets memory and file size from outside (prlimit, Linux), so that they can be widened once a model's
triangles are known; ceilings hold whatever the child does. Elsewhere the child takes the ceiling of file size only,
memory is not bounded, and time is bounded by the parent's clock.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Final

from pricing.sandbox.allowance import MOST

if TYPE_CHECKING:
    from pricing.sandbox.allowance import Allowance

LINUX: Final = sys.platform == "linux"
OPEN_FILES: Final = 64
PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
PR_SET_NO_NEW_PRIVS: Final = 38


def confine_this_process(parent: int) -> None:
    """Bound this process for good: no core files, few open files, no new rights, and no life after its parent."""
    if LINUX:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent went before its child began")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_FSIZE, MOST.output_bytes)


def _lower(what: int, most: int) -> None:
    """Set soft and hard limit, unless the machine's is lower."""
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def bound(pid: int, allowance: Allowance, baseline: int | None) -> None:
    """Set what another process may use. ``baseline``: bytes of address space that it had before any model.

    Raises ProcessLookupError where it has ended.
    """
    if not LINUX or baseline is None:
        return
    _set(pid, resource.RLIMIT_AS, baseline + allowance.memory_bytes, baseline + MOST.memory_bytes)
    _set(pid, resource.RLIMIT_FSIZE, allowance.output_bytes, MOST.output_bytes)


def _set(pid: int, what: int, soft: int, ceiling: int) -> None:
    hard = resource.prlimit(pid, what)[1]
    ceiling = ceiling if hard == resource.RLIM_INFINITY else min(ceiling, hard)
    resource.prlimit(pid, what, (min(soft, ceiling), ceiling))
