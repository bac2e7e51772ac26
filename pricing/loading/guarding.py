"""Libraries that read what strangers send: whatever they raise is the file's fault, and becomes a refusal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pricing.loading.found import unreadable
from pricing.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Turn what a library raises into a refusal. ``what``: the damaged thing, as the beginning of a sentence.

    The one place that catches everything: zipfile raises at least nine types on damaged archives (BadZipFile,
    zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error ...), the Draco decoder its own, and neither
    documents them all.
    """
    try:
        yield
    except (Refusal, MemoryError):
        # Memory that runs out is the machine's word on a limit, and is answered by whoever set it.
        raise
    except Exception as error:
        raise unreadable(f"{what} ({type(error).__name__})") from error
