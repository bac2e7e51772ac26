"""What only real parts do to the bus: restarts, lost connections, other numbers of queues, a broker that gives up."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from instrumentation.errors import BadInput
from services.bus import RabbitTransport, Received, outbox, rabbitmq, topology
from services.bus.relay import Relay
from tests.bus.house import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from deploy.servers import Toxiproxy
    from services.bus import Outgoing
    from tests.bus.house import End, RealHouse

ORDERS = [f"order-{number}" for number in range(40)]


@contextlib.asynccontextmanager
async def load(shop: End, spoken: list[int]) -> AsyncIterator[None]:
    """Say one event of each order again and again meanwhile; ``spoken`` gets how many rounds there were."""

    async def talk() -> None:
        while True:
            await shop.say(*ORDERS)
            spoken[0] += 1
            await asyncio.sleep(0.02)

    spoken.append(0)
    task = asyncio.create_task(talk())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def heard_in_order(house: RealHouse, shop: End, crm: End) -> None:
    """Assert that all that was said is done, once and in order."""
    said = (await shop.rows("SELECT count(*) FROM bus_outbox"))[0][0]
    assert said >= len(ORDERS)
    await crm.until(said)
    await house.settled()
    rounds = said // len(ORDERS)
    assert await crm.by_stream() == {(order, "/shop"): list(range(1, rounds + 1)) for order in ORDERS}
    assert await crm.waiting() == (0, 0, 0, 0, 0)


async def test_two_relays_claim_different_rows_and_lose_none(real: RealHouse) -> None:
    shop = await real.end("shop", hears=False, relay=False)
    for _ in range(10):
        await shop.say(*ORDERS)
    claimed: list[list[str]] = []
    both = asyncio.Barrier(2)

    class Stub:
        async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
            claimed.append([outgoing.message.id for outgoing in messages])
            await both.wait()  # neither goes on before both have claimed
            return set(range(len(messages)))

    stub: Any = Stub()
    relays = [Relay(shop.database, stub, shop.bus.now_us, window=50) for _ in range(2)]
    for _ in range(4):
        await asyncio.gather(*(relay.once() for relay in relays))
    ids = [key for window in claimed for key in window]
    assert [len(window) for window in claimed] == [50] * 8
    assert len(set(ids)) == len(ids) == 400
    assert not await shop.busy()


async def test_what_is_not_confirmed_is_sent_again(real: RealHouse) -> None:
    """Unconfirmed rows wait longer each time, and what was never tried goes before them."""
    shop = await real.end("shop", hears=False, relay=False)
    await shop.say("old")

    class Stub:
        seen: list[list[str]] = []  # noqa: RUF012 - one test's own

        async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
            self.seen.append([outgoing.message.subject for outgoing in messages])
            return {place for place, outgoing in enumerate(messages) if outgoing.message.subject != "old"}

    stub: Any = Stub()
    relay = Relay(shop.database, stub, lambda: 10**18, window=50)
    assert await relay.once() == 0
    assert await shop.database.write(lambda connection: outbox.unsent(connection, 10**18, 50)) == []
    await shop.say("new")
    relay.clock = lambda: 2 * 10**18
    assert await relay.once() == 1
    assert Stub.seen == [["old"], ["new", "old"]]
    assert (relay.offered, relay.confirmed) == (3, 1)
    assert (await shop.rows("SELECT attempts FROM bus_pending"))[0][0] == 2


async def test_a_broker_restart_in_mid_stream_loses_nothing(real: RealHouse) -> None:
    shop, crm = await real.end("shop", hears=False), await real.end("crm")
    spoken: list[int] = []
    async with load(shop, spoken):
        await crm.until(200)
        await asyncio.to_thread(real.rabbitmq.restart)
        after = await crm.done() + 200
        await crm.until(after)
    await heard_in_order(real, shop, crm)


async def test_connections_cut_in_mid_stream_lose_nothing(real: RealHouse, toxiproxy: Toxiproxy) -> None:
    proxy = toxiproxy.proxy(real.name, f"127.0.0.1:{real.rabbitmq.port}")
    real.bus_address = f"amqp://guest:guest@{proxy.address}/{real.name}"
    shop, crm = await real.end("shop", hears=False), await real.end("crm")
    spoken: list[int] = []
    async with load(shop, spoken):
        for _ in range(5):
            after = await crm.done() + 100
            await crm.until(after)
            await asyncio.to_thread(proxy.reset)
    await heard_in_order(real, shop, crm)


async def test_the_number_of_queues_may_change_under_load(real: RealHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """From four to two to six: no order's events change places, and what lies in surplus queues is done."""
    monkeypatch.setattr(rabbitmq, "DISCOVER_S", 0.3)
    shop, crm = await real.end("shop", hears=False), await real.end("crm", queues=4)
    spoken: list[int] = []
    async with load(shop, spoken):
        for queues in (2, 6):
            await crm.until(await crm.done() + 200)
            one = real.ends[-1]
            twin = await real.end(f"crm-{queues}", of=crm, consumer="crm", source="/crm", queues=queues)
            await crm.until(await crm.done() + 200)
            await one.transport.close()
            assert twin.transport is not one.transport
        await crm.until(await crm.done() + 200)
    await heard_in_order(real, shop, crm)
    assert [await real.ready(topology.events_queue("crm", number)) for number in range(7)] == [0] * 6 + [None]


async def test_what_the_broker_gives_up_is_a_dead_letter_with_its_reason(real: RealHouse) -> None:
    """The delivery limit is a backstop: a consumer that dies again and again at a message ends there."""
    real.options = {"delivery_limit": 2}
    shop, crm = await real.end("shop", hears=False), await real.end("crm", commands=["desk"], queues=1)
    receive = crm.bus.inbox.receive
    came = 0

    async def hangs(bodies: Sequence[bytes]) -> Any:
        nonlocal came
        if not bodies:  # the retries ask too, and must go on
            return Received()
        came += len(bodies)
        return await asyncio.Event().wait()

    crm.bus.inbox.receive = hangs  # type: ignore[method-assign]
    await shop.say("4711")
    await shop.ask("desk", "4711")

    async def both_dead() -> bool:
        return (await crm.waiting()).dead == 2

    async def both_came() -> bool:
        return came + (await crm.waiting()).dead >= 2

    while not await both_dead():
        await eventually(both_came)
        await crm.transport.close()
        came = 0
        await crm.transport.start()
        assert isinstance(crm.transport, RabbitTransport)
        await crm.transport.connected()
        await asyncio.sleep(0.2)
    assert {letter["reason"] for letter in await crm.dead()} == {"the broker gave it up: delivery_limit"}
    assert {(letter["failures"], letter["source"]) for letter in await crm.dead()} == {(0, "/shop")}
    crm.bus.inbox.receive = receive  # type: ignore[method-assign]
    assert await crm.bus.revive() == 2
    await crm.until(2)
    assert len(crm.tried) == 2


async def test_a_transport_may_be_closed_at_any_moment(real: RealHouse) -> None:
    """While it connects, right after, twice, and it starts again."""
    crm = await real.end("crm", start=False)
    transport = crm.transport
    for pause in (0, 0.002, 0.01, 0.05, 0.1):
        await transport.start()
        await asyncio.sleep(pause)
        await transport.close()
        await transport.close()
    with pytest.raises(ConnectionError, match="no connection"):
        await transport.publish([])
    await real.start(crm)
    shop = await real.end("shop", hears=False)
    await shop.say("4711")
    await crm.until(1)


@pytest.mark.parametrize("address", ["http://localhost", "amqp://", "rabbit"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="amqp://USER"):
        RabbitTransport(address)
