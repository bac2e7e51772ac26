"""The demo: everything in one process, people who act over HTTP, faults, and the command line that starts it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from sqlalchemy import text

from collectors.reconciliation import run_reconcile
from instrumentation.errors import BadInput
from services.bus import settle
from services.demo.faults import ABSENT, FAULTS, POISONED, Losing
from services.demo.ground import alone
from services.demo.people import MANAGERS
from tests.demo import small_demo
from tests.parts import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from services.demo.past import Past
    from services.demo.running import Demo

PATIENCE_S: Final = 60.0
STATUS_OF: Final = {
    "shop": "SELECT status FROM orders WHERE id = :order",
    "crm": "SELECT status FROM files WHERE order_id = :order",
    "mes": "SELECT status FROM adapter_orders WHERE order_id = :order",
}


@contextlib.asynccontextmanager
async def running(folder: Path, fault: str | None = None) -> AsyncIterator[Demo]:
    """Open a small house, and let people act in it."""
    demo = small_demo(folder, FAULTS[fault]) if fault else small_demo(folder)
    past = demo.past()
    async with demo.open(past), demo.acting(past):
        yield demo


async def until(true: Callable[[], Awaitable[Any]]) -> Any:
    """Wait until something is so; return what it is."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := await true():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come true in time")


async def value(service: Any, query: str, **parameters: Any) -> Any:
    async with service.database.reading() as connection:
        return await connection.scalar(text(query), parameters)


def did(demo: Demo, what: str, times: int = 1) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        return demo.world.tally.did[what] >= times

    return so


async def test_an_order_placed_live_walks_to_its_end_and_all_agree(tmp_path: Path) -> None:
    """Shop, CRM, MES and collector believe the same of every live order once the bus has come to rest."""
    demo = small_demo(tmp_path)
    past: Past = demo.past()
    house = demo.house
    async with demo.open(past):
        async with demo.acting(past):
            await until(did(demo, "closed", 2))
        live = await orders_of(demo, "SELECT id FROM orders WHERE id NOT LIKE 'J0%'")

        async def agreed() -> list[str]:
            """Return what all say of each order, once they say the same: prices are still being calculated."""
            said = [await all_say(demo, order) for order in live]
            return [of_order["shop"] for of_order in said] if all(len({*one.values()}) == 1 for one in said) else []

        await settle(house.shop.bus, house.crm.bus, house.mes.bus)
        assert (await until(agreed)).count("CLOSED") >= 2
        assert await demo.dead_letters() == 0
        assert await demo.watcher.heard() > len([one for one in past.messages if one.sequence is not None])


async def all_say(demo: Demo, order: str) -> dict[str, str]:
    """Return the status that each system has an order in."""
    said = {name: await value(getattr(demo.house, name), query, order=order) for name, query in STATUS_OF.items()}
    return {**said, "collector": await collected(demo, order)}


async def collected(demo: Demo, order: str) -> str:
    """Return the status that the collector has an order in."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{demo.port}", trust_env=False) as client:
        events = (await client.get(f"/orders/{order}")).raise_for_status().json()["events"]
    return str([event["status"] for event in events if event["moved"]][-1])


async def orders_of(demo: Demo, query: str) -> list[str]:
    async with demo.house.shop.database.reading() as connection:
        return list((await connection.scalars(text(query))).all())


async def test_approvals_stopped(tmp_path: Path) -> None:
    """Orders wait on the desk, and nobody decides."""
    async with running(tmp_path, "approvals-stopped") as demo:
        query = "SELECT count(*) FROM files WHERE tray = 'waiting' AND order_id NOT LIKE 'J0%'"
        await until(lambda: value(demo.house.crm, query))
        by_hand = (
            "SELECT count(*) FROM decisions WHERE NOT automatic AND order_id NOT LIKE 'J0%' AND action = 'approve'"
        )
        assert await value(demo.house.crm, by_hand) == 0
        assert not any(demo.world.tally.did[what] for what in ("approval", "rejection", "question"))


async def test_mes_down(tmp_path: Path) -> None:
    """Calls to the vendor are owed, and live orders get no price."""
    async with running(tmp_path, "mes-down") as demo:
        await until(lambda: value(demo.house.mes, "SELECT count(*) FROM adapter_calls WHERE done_at IS NULL"))
        query = "SELECT count(*) FROM vendor_orders WHERE reference NOT LIKE 'J0%'"
        assert await value(demo.house.mes, query) == 0


async def test_pricing_slow(tmp_path: Path) -> None:
    """One price is being calculated, and a queue waits behind it."""
    async with running(tmp_path, "pricing-slow") as demo:
        await until(lambda: value(demo.house.mes, "SELECT count(*) >= 2 FROM vendor_orders WHERE state = 10"))
        query = "SELECT count(*) FROM vendor_orders WHERE state = 30 AND reference NOT LIKE 'J0%'"
        assert await value(demo.house.mes, query) == 0


async def test_operator_absent(tmp_path: Path) -> None:
    """Others ship; the absent one's pieces stay where they are."""
    mine = "SELECT group_concat(reference || state) FROM vendor_orders WHERE operator = :who AND state > 40"
    async with running(tmp_path, "operator-absent") as demo:
        before = await value(demo.house.mes, mine, who=ABSENT)
        await until(did(demo, "ship"))
        assert before
        assert await value(demo.house.mes, mine, who=ABSENT) == before


@pytest.mark.parametrize(("fault", "counted"), [("messages-doubled", "duplicates"), ("messages-shuffled", "parked")])
async def test_messages_tampered_with(tmp_path: Path, fault: str, counted: str) -> None:
    """The inboxes count what the bus does to messages, and orders walk to their end all the same."""
    async with running(tmp_path, fault) as demo:
        await until(did(demo, "closed"))
        buses = [service.bus for service in (demo.house.shop, demo.house.crm, demo.house.mes)]

        async def noticed() -> bool:
            return any(getattr(bus.received, counted) for bus in buses)

        await until(noticed)
        assert await demo.dead_letters() == 0


async def test_messages_lost(tmp_path: Path) -> None:
    """An order vanishes on its way to the MES; the reconciliation finds it, and its replay mends it."""
    async with running(tmp_path, "messages-lost") as demo:
        transport = demo.house.transport
        assert isinstance(transport, Losing)

        async def reconciled(*, repair: bool = False) -> list[str]:
            """Return the orders that the MES lacks, and that it never got."""
            systems = demo.plan.folder / "systems.yaml"
            report = await asyncio.to_thread(run_reconcile, systems, repair=repair)
            missing = {one.order for one in report.findings.lost if one.missing == "mes"}
            return sorted(missing & {*transport.lost.values()})

        order = (await until(reconciled))[0]
        assert await value(demo.house.mes, STATUS_OF["mes"], order=order) is None
        await reconciled(repair=True)
        await until(lambda: value(demo.house.mes, STATUS_OF["mes"], order=order))


async def test_poison_message(tmp_path: Path) -> None:
    """It ends among the dead letters of every service that reads statuses."""
    async with running(tmp_path, "poison-message") as demo:

        async def dead() -> bool:
            return await demo.dead_letters() >= 3

        await until(dead)
        query = "SELECT subject FROM bus_held WHERE dead_at IS NOT NULL"
        assert await value(demo.house.crm, query) == POISONED


def test_every_fault_has_its_test() -> None:
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert set(FAULTS) <= tested | {"messages-doubled", "messages-shuffled"}
    assert set(MANAGERS) == FAULTS["approvals-stopped"].away


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "touchstone", "demo", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_the_command_shows_where_everything_is_and_ends_well(tmp_path: Path) -> None:
    """And a second one beside it says in one sentence that the first runs."""
    port = str(free_port())
    first = start(tmp_path, "--for", "8s", "--port", port)
    try:
        assert first.stdout is not None
        begun = []
        for line in first.stdout:
            begun.append(line)
            if line.startswith("People come"):
                break
        second = start(tmp_path, "--for", "1s")
        said, _ = second.communicate(timeout=60)
        rest, _ = first.communicate(timeout=120)
    finally:
        first.kill()
        first.communicate()
    shown = "".join(begun)
    for what in ("kept the 21-day promise", "the shop ", "the sales desk", f":{port}/report", "touchstone order J0"):
        assert what in shown, shown
    assert first.returncode == 0, rest
    assert "Stopped. Placed " in rest
    assert "Error lines: 0." in rest
    assert second.returncode == 2
    assert said.count("\n") == 1
    assert "another demo runs here" in said


@pytest.mark.parametrize("in_the_way", ["build", "build/demo"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, in_the_way: str) -> None:
    """A file where a folder is needed, and a link to somebody else's folder, which is left alone."""
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "kept").touch()
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    if in_the_way == "build":
        (tmp_path / "build").touch()
    else:
        (tmp_path / "build" / "demo").symlink_to(tmp_path / "else")
    with pytest.raises(BadInput, match="cannot be made anew"), alone(tmp_path / "build" / "demo"):
        pytest.fail("the demo has begun")
    assert (tmp_path / "else" / "kept").exists()


def test_only_the_owner_reads_the_file_that_holds_the_secret(tmp_path: Path) -> None:
    demo = small_demo(tmp_path)
    demo.write_environment()
    assert (tmp_path / "env").stat().st_mode & 0o077 == 0


def test_told_to_stop_before_the_house_opens_it_does_not_open(tmp_path: Path) -> None:
    demo = start(tmp_path, "--port", str(free_port()))
    assert demo.stdout is not None
    demo.stdout.readline()
    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert "Everything runs" not in said


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    wrong = start(tmp_path, "--fault", "gremlins")
    said, _ = wrong.communicate(timeout=60)
    assert wrong.returncode == 2
    assert "choose one of: approvals-stopped" in said
