"""Ports of this machine that a server can hold on to, also while it is down for a moment."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path
from typing import Final

from instrumentation.errors import TouchstoneError

_LOWEST: Final = 15_000
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_EPHEMERAL: Final = 32_768  # Linux's own default
_TRIES: Final = 1_000


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return so many different ports that nobody listens on. Raises TouchstoneError where there are not enough.

    They lie below the ports that the system gives to outgoing connections. One of those could be taken by any client
    while its server restarts; worse, a client that tries again and again may then connect to itself.
    """
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        for _ in range(_TRIES):
            if len(ports) == count:
                return ports
            probe = held.enter_context(socket.socket())
            port = _LOWEST + secrets.randbelow(_first_ephemeral() - _LOWEST)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
    raise TouchstoneError(f"this machine has no {count} free ports from {_LOWEST} to {_first_ephemeral()}")


def _first_ephemeral() -> int:
    try:
        first = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_EPHEMERAL
    return first if first > _LOWEST + _TRIES else _USUAL_EPHEMERAL
