"""The services of a drilled house, a process of their own: started, played with over HTTP, killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from alerts.drills.flow import Watching
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alerts.drills.parts import Process
    from alerts.drills.run import Run

HOST: Final = "127.0.0.1"
SERVICES: Final = ("shop", "crm", "mes", "pricing")
SECRET: Final = "only for drills"  # noqa: S105 - the house is on loopback, and lets anybody in
PATIENCE_S: Final = 90.0
_MODULE: Final = "services.demo.drilled_page"
_OWNED: Final = {
    "shop": ["INITIATED", "SUBMITTED"],
    "crm": ["AWAITING_CUSTOMER", "REJECTED", "CANCELLED", "MANUFACTURING_APPROVED", "CLOSED"],
    "mes": [
        *("PRICE_CALCULATING", "PRICE_FAILED", "PRICE_CALCULATED", "MANUFACTURING_STARTED"),
        *("MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"),
    ],
}


@dataclass
class House:
    """A running house. ``ports``: of its services, of its sign-ins, and of the page by which it is played with."""

    run: Run
    ports: Mapping[str, int]
    more: Mapping[str, Any]
    page: httpx.AsyncClient
    process: Process | None = None
    hanging: bool = False

    @classmethod
    async def open(cls, run: Run, **more: Any) -> House:
        """Start one, scraped from now on, its loops hurried at every step. ``more``: what its plan holds besides."""
        ports = {name: run.parts.free_port() for name in (*SERVICES, "issuer", "page", "vendor")}
        page = httpx.AsyncClient(base_url=f"http://{HOST}:{ports['page']}", trust_env=False, timeout=PATIENCE_S)
        house = cls(run, ports, more, await run.stack.enter_async_context(page))
        run.stack.callback(house.end)
        await house.start()
        for name in SERVICES:
            await run.watch(name, f"{HOST}:{ports[name]}")
        run.before.append(house.hurry)
        return house

    def address(self, name: str) -> str:
        """Return where a service listens."""
        return f"http://{HOST}:{self.ports[name]}"

    async def start(self, **more: Any) -> None:
        """Start the process, on the data that is there. Raises TouchstoneError where it does not answer."""
        plan = {
            "folder": str(self.run.folder),
            "clock": str(self.run.clock.path),
            "ports": dict(self.ports),
            "secret": SECRET,
            **self.more,
            **more,
        }
        command = [sys.executable, "-m", _MODULE, json.dumps(plan)]
        log = self.run.folder / "house.log"
        self.process = self.run.parts.process(command, home=self.run.folder, log=log, environment=dict(os.environ))
        until = time.monotonic() + PATIENCE_S
        while True:
            if not self.process.running() or time.monotonic() > until:
                raise TouchstoneError(f"the drilled house did not start; it said:\n{self.process.said()}")
            try:
                await self.hurry()
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return

    async def do(self, deed: str, **what: Any) -> Any:
        """Have something done to it. Raises TouchstoneError where that fails."""
        answer = await self.page.post(f"/{deed}", params=what)
        if not answer.is_success:
            said = self.process.said() if self.process else ""
            raise TouchstoneError(f"the drilled house could not do `{deed}` ({answer.status_code}):\n{said}")
        return answer.json()

    async def hurry(self) -> None:
        """Let its loops catch up with the clock; a house that is down or hangs does nothing."""
        if self.process is not None and not self.hanging:
            await self.do("hurry")

    async def systems(self) -> Path:
        """Write the file of watched systems, as a collector reads it: these services, and who owes whom what."""
        secret = f"TOUCHSTONE_DRILL_TOKEN_{self.ports['page']}"
        os.environ[secret] = await self.do("token")
        self.run.stack.callback(os.environ.pop, secret, None)
        document = {
            "touchstone": 1,
            "flow": [{"status": "SUBMITTED", "from": "shop", "to": ["crm", "mes"]}],
            "systems": [
                {"name": name, "source": f"/{name}", "address": self.address(name), "owns": owns, "token_env": secret}
                for name, owns in _OWNED.items()
            ],
            "tolerance": "2m",
            "lost_after": "5m",
        }
        path = self.run.folder / "systems.yaml"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    async def watched(self) -> Watching:
        """Start a collector that hears what the services say, and asks them what they believe."""
        watching = await Watching.open(self.run, systems=await self.systems())

        async def hear() -> None:
            if self.process is not None and not self.hanging:
                await watching.tell(await self.do("heard"))

        self.run.before.insert(self.run.before.index(self.hurry) + 1, hear)
        return watching

    async def shown(self, name: str) -> str:
        """Return what a service shows now."""
        return await self.run.targets[name, f"{HOST}:{self.ports[name]}"].show()

    def children(self) -> list[int]:
        """Return the processes in which its pricing workers compute."""
        if self.process is None:
            return []
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process: kill -9 is what a crash does."""
        process, self.process = self.process, None
        if process is not None:
            process.end(how)
