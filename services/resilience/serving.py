"""Serve an app until told to stop, and end well."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from fastapi import FastAPI


async def serve(app: FastAPI, host: str, port: int, start: Callable[[], Awaitable[None]]) -> None:
    """Serve until SIGTERM or SIGINT. ``start`` opens what the app needs; what it raises is raised here."""
    # Before the server starts, so that what is wrong is said in one sentence.
    await start()
    server = Server(uvicorn.Config(app, host, port, log_config=None, access_log=False))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    await server.serve()


class Server(uvicorn.Server):
    """A server that ends well when told to: uvicorn's own raises the signal again, and the exit status is a failure."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to ``serve``."""
        yield
