"""What can go wrong, each with one sentence that a user can act on, and the exit status of a command that fails so."""

from __future__ import annotations


class TouchstoneError(Exception):
    """Touchstone could not finish its work."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class BadInput(TouchstoneError):
    """The input cannot be used as it is."""

    exit_code = 2
