"""FastStream: publish persistently in windows of 100, consume and acknowledge; a quorum queue, nothing stored."""

import asyncio
import json
import resource
import sys
import time
from typing import Any

from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

WINDOW = 100
PREFETCH = 200
BODY = {"status": "PRICE_CALCULATED", "order": {"channel": "online", "product": "ring"}, "pad": "x" * 300}


def say(line: str) -> None:
    """Tell the benchmark."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def used() -> float:
    """Return this process's processor seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def quorum(name: str) -> RabbitQueue:
    """Describe the queue."""
    return RabbitQueue(name, queue_type=QueueType.QUORUM, durable=True)


async def publish(url: str, queue: str, count: int) -> None:
    """Publish all, a window at a time."""
    broker = RabbitBroker(url, logger=None)
    await broker.start()
    say("ready")
    say(json.dumps({"begun": time.time()}))
    for first in range(0, count, WINDOW):
        window = range(first, min(first + WINDOW, count))
        await asyncio.gather(*(broker.publish(BODY, queue=queue, persist=True) for _ in window))
    await asyncio.sleep(3600)


async def consume(url: str, queue: str, count: int) -> None:
    """Take and acknowledge all."""
    broker = RabbitBroker(url, logger=None, default_channel=Channel(prefetch_count=PREFETCH))
    done, seen = asyncio.Event(), 0

    @broker.subscriber(quorum(queue))  # type: ignore[untyped-decorator] # the package is in another environment
    async def handle(_body: dict[str, Any]) -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            done.set()

    await broker.start()
    begun = used()
    say("ready")
    await done.wait()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    say(json.dumps({"events": seen, "ended": time.time(), "cpu_s": used() - begun, "peak_mib": peak}))


role, url, queue, count = sys.argv[1:5]
asyncio.run({"publish": publish, "consume": consume}[role](url, queue, int(count)))
