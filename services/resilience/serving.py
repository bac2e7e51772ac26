"""Serve an app until told to stop, and end well."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from fastapi import FastAPI


async def serve(app: FastAPI, host: str, port: int, start: Callable[[], Awaitable[None]] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. ``start`` opens what the app needs; what it raises is raised here.

    Raises BadInput where nothing can listen there.
    """
    # Before the server starts, so that what is wrong is said in one sentence.
    sockets = [_bound(host, port)]
    if start is not None:
        await start()
    server = _server(app, host, port)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    await server.serve(sockets)


@contextlib.asynccontextmanager
async def running(app: FastAPI, host: str, port: int) -> AsyncIterator[None]:
    """Serve for as long as the block lasts. Raises TouchstoneError where the server does not start."""
    server = _server(app, host, port)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                task.result()
                raise TouchstoneError(f"nothing can listen on {host}:{port}; another process may")
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise BadInput(f"nothing can listen on {host}:{port} ({error.strerror}); name another host or port") from error


def _server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    return _Server(uvicorn.Config(app, host, port, log_config=None, access_log=False))


class _Server(uvicorn.Server):
    """A server that ends well when told to: uvicorn's own raises the signal again, and the exit status is a failure."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to ``serve``."""
        yield
