"""What can go wrong in the collectors, each with one sentence a user can act on."""

from __future__ import annotations


class TouchstoneError(Exception):
    """Touchstone could not finish its work."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class BadInput(TouchstoneError):
    """The input cannot be used as it is."""

    exit_code = 2
