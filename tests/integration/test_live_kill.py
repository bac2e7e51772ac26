"""A collector that is killed again and again loses nothing and counts nothing twice."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from collectors.live.reading import BATCHED
from collectors.promise.reading import load_promise
from collectors.replay import replay
from tests import live
from tests.live import mixer
from tests.live_process import Process, eventually, served

if TYPE_CHECKING:
    from pathlib import Path

KILLS: Final = 10
LATER: Final = live.START + timedelta(days=30)


def _messages() -> list[Any]:
    mix = mixer(11)
    orders = [live.whole_order(f"o{n}", begin=n / 10, step=mix.choice([1, 2, 3]), channel="b2b") for n in range(400)]
    messages = [message for order in orders for message in order]
    mix.shuffle(messages)
    return [*messages, live.event("odd", "ODD", 1)]


def _expected(folder: Path, messages: list[Any]) -> dict[str, Any]:
    log = folder / "expected.jsonl"
    log.write_bytes(b"".join(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE) for message in messages))
    document = replay(log, load_promise(folder / "promise.yaml"), as_of=LATER).document()
    return {**document, "log": "live"}


def _document(process: Process) -> dict[str, Any]:
    answer = process.client.get("/stages", params={"as_of": LATER.isoformat()})
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def test_what_was_sent_is_there_once_however_often_the_collector_is_killed(tmp_path: Path) -> None:
    live.settings(tmp_path)
    messages, mix = _messages(), mixer(5)
    waiting = [messages[first : first + 4] for first in range(0, len(messages), 4)]
    for _ in range(KILLS):
        with served(tmp_path) as process:
            process.ready()
            until = time.monotonic() + mix.uniform(0.02, 0.25)
            killer = _killing(process, until)
            while waiting and _post(process, waiting[0]):
                waiting.pop(0)
            killer.wait()
    with served(tmp_path) as process:
        process.ready()
        assert waiting, "the collector was never killed at work; send more events"
        for chunk in waiting:
            assert _post(process, chunk)
        found = _document(process)
        assert process.end(signal.SIGTERM) == 0
    # What was stored but not acknowledged was sent again, which counts as a duplicate, and only as that.
    assert {**found, "duplicates": 0} == _expected(tmp_path, messages)


def _killing(process: Process, until: float) -> subprocess.Popen[bytes]:
    delay = max(until - time.monotonic(), 0)
    code = f"import os, time; time.sleep({delay}); os.kill({process.process.pid}, 9)"
    return subprocess.Popen([sys.executable, "-S", "-E", "-c", code])


def _post(process: Process, chunk: list[Any]) -> bool:
    with contextlib.suppress(httpx.TransportError):
        content, headers = orjson.dumps(chunk), {"content-type": BATCHED}
        return process.client.post("/events", content=content, headers=headers).is_success
    return False


def test_a_followed_log_is_read_exactly_once_however_often_the_collector_is_killed(tmp_path: Path) -> None:
    live.settings(tmp_path)
    messages, mix = _messages(), mixer(6)
    log = tmp_path / "growing.jsonl"
    lines = [orjson.dumps(message) + b"\n" for message in messages]
    written = 0
    with log.open("ab", buffering=0) as growing:
        for _ in range(KILLS):
            with served(tmp_path, follow=log, poll_seconds=0.01) as process:
                process.ready()
                until = time.monotonic() + mix.uniform(0.02, 0.25)
                while time.monotonic() < until and written < len(lines):
                    half = len(lines[written]) // 2
                    growing.write(lines[written][:half])
                    time.sleep(0.002)
                    growing.write(lines[written][half:])
                    written += 1
                process.end(signal.SIGKILL)
        growing.write(b"".join(lines[written:]))
    expected = _expected(tmp_path, messages)
    with served(tmp_path, follow=log, poll_seconds=0.01) as process:
        process.ready()
        eventually(lambda: _document(process)["events"] >= expected["events"])
        assert _document(process) == expected
        assert process.end(signal.SIGTERM) == 0
