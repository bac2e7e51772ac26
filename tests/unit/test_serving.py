"""Serving an app: what a person reads who starts a service where another one listens."""

from __future__ import annotations

import socket

import pytest
from fastapi import FastAPI

from instrumentation.errors import BadInput
from services.resilience.serving import serve


async def test_a_taken_port_is_one_sentence_and_nothing_is_opened() -> None:
    opened: list[str] = []

    async def start() -> None:
        opened.append("database")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"127.0.0.1:{port} .*name another"):
            await serve(FastAPI(), "127.0.0.1", port, start)
    assert opened == []


async def test_an_unknown_host_is_one_sentence() -> None:
    with pytest.raises(BadInput, match=r"nothing can listen on no\.such\.host\.invalid"):
        await serve(FastAPI(), "no.such.host.invalid", 0)
