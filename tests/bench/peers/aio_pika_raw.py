"""Raw aio-pika: publish with confirms in windows of 100, consume and acknowledge; a quorum queue, nothing stored."""

import asyncio
import json
import resource
import sys
import time

import aio_pika

WINDOW = 100
PREFETCH = 200
BODY = json.dumps({"status": "PRICE_CALCULATED", "order": {"channel": "online", "product": "ring"}, "pad": "x" * 300})


def say(line: str) -> None:
    """Tell the benchmark."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def used() -> float:
    """Return this process's processor seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def publish(url: str, queue: str, count: int) -> None:
    """Publish all, a window at a time."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel(on_return_raises=True)
    say("ready")
    say(json.dumps({"begun": time.time()}))
    for first in range(0, count, WINDOW):
        window = range(first, min(first + WINDOW, count))
        messages = [aio_pika.Message(BODY.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT) for _ in window]
        await asyncio.gather(*(channel.default_exchange.publish(message, queue) for message in messages))
    await asyncio.sleep(3600)


async def consume(url: str, queue: str, count: int) -> None:
    """Take and acknowledge all."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=PREFETCH)
    source = await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
    done, seen = asyncio.Event(), 0

    async def handle(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        nonlocal seen
        await message.ack()
        seen += 1
        if seen == count:
            done.set()

    await source.consume(handle)
    begun = used()
    say("ready")
    await done.wait()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    say(json.dumps({"events": seen, "ended": time.time(), "cpu_s": used() - begun, "peak_mib": peak}))


role, url, queue, count = sys.argv[1:5]
asyncio.run({"publish": publish, "consume": consume}[role](url, queue, int(count)))
