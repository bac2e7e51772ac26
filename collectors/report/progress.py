"""A progress bar while a log is read."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(*, shown: bool) -> Iterator[Callable[[str, float], None] | None]:
    """Draw a progress bar on standard error while a person watches; nothing else sees it."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def show(what: str, share: float) -> None:
            bar.update(task, description=what, total=1.0 if share else None, completed=share)

        yield show
