"""``python -m tests.bench.sending URL FILE CLIENTS``: post CloudEvents in batches, and say how long it took."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH: Final = 500
HEADERS: Final = {"content-type": "application/cloudevents-batch+json"}


def batches(path: Path) -> Iterator[bytes]:
    """Yield the bodies to post; events stay as they stand in the file."""
    with path.open("rb") as stream:
        while lines := [line.rstrip() for line in islice(stream, BATCH)]:
            yield b"[" + b",".join(lines) + b"]"


async def send(url: str, bodies: list[bytes], clients: int) -> int:
    """Post every body, each client over a connection of its own; return how many events were accepted."""
    waiting = iter(bodies)

    async def client() -> int:
        accepted = 0
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            for body in waiting:
                answer = await http.post("/events", content=body, headers=HEADERS)
                answer.raise_for_status()
                accepted += answer.json()["accepted"]
        return accepted

    return sum(await asyncio.gather(*(client() for _ in range(clients))))


def main() -> None:
    """Send, and print what came of it."""
    url, file, clients = sys.argv[1:4]
    bodies = list(batches(Path(file)))
    begun = time.perf_counter()
    accepted = asyncio.run(send(url, bodies, int(clients)))
    sys.stdout.write(json.dumps({"events": accepted, "seconds": time.perf_counter() - begun}) + "\n")


if __name__ == "__main__":
    main()
