"""``python -m tests.faults``: see the package's docstring for what it prints."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deploy import servers
from instrumentation.errors import TouchstoneError
from tests.faults.board import Board
from tests.faults.broker import count_often
from tests.faults.conducting import Scale
from tests.faults.jobs import BUS, DUAL_WRITE, NO_INBOX
from tests.faults.keeper import Keeper
from tests.faults.pricing import Killing, killing
from tests.faults.pricing import failures as killing_failures
from tests.faults.reporting import document, write
from tests.faults.scenario import Stage, play
from tests.load.workers import ground

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.scenario import Outcome

USUAL: Final = Scale(orders=500, events=8, kills=100, resets=20, broker_restarts=2, queue_changes=5)
FULL: Final = Scale(orders=10_000, events=8, kills=1_000, resets=200, broker_restarts=20, queue_changes=50)
CONTROL: Final = Scale(orders=250, events=8, kills=30, resets=6, broker_restarts=0, queue_changes=0)
PRICING: Final = "pricing"
REPORTS: Final = Path(__file__).parents[2] / "build" / "reports"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios, report, and return the exit status."""
    options = _options(arguments)
    options.reports.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        outcomes = _outcomes(options) if options.only != PRICING else {}
        priced = _priced(options) if options.only in {None, PRICING} else {}
    except TouchstoneError as error:
        _say(f"the run could not be made: {error}")
        return 1
    found = document(outcomes, priced, options.seed, time.monotonic() - began)
    write(found, options.reports)
    sys.stdout.write(json.dumps(found) + "\n")
    return 1 if found["failed"] else 0


def _priced(options: argparse.Namespace) -> dict[str, Any]:
    scale = Killing(options.requests, options.worker_kills)
    with ground() as place:
        found = asyncio.run(killing(place, scale, options.seed, _say))
    return found | {"failed": killing_failures(found, scale)}


def _outcomes(options: argparse.Namespace) -> dict[str, tuple[Scale, Outcome]]:
    outcomes: dict[str, tuple[Scale, Outcome]] = {}
    with ExitStack() as stack:
        board = Board()
        keeper = Keeper(board, options.reports / "faults.log")
        stack.callback(keeper.close)
        stage = _stage(stack, keeper, board)
        for name in (BUS, NO_INBOX, DUAL_WRITE):
            if options.only in (None, name):
                scale = _scale(options) if name == BUS else CONTROL
                outcomes[name] = scale, play(stage, name, scale, options.seed)
    return outcomes


def _stage(stack: ExitStack, keeper: Keeper, board: Board) -> Stage:
    homes = {name: _home(stack, name) for name in ("postgres", "rabbitmq", "toxiproxy")}
    count_often(homes["rabbitmq"])
    postgres = stack.enter_context(servers.postgres(homes["postgres"]))
    rabbitmq = stack.enter_context(servers.rabbitmq(homes["rabbitmq"]))
    toxiproxy = stack.enter_context(servers.toxiproxy(homes["toxiproxy"]))
    proxy = toxiproxy.proxy("rabbitmq", f"127.0.0.1:{rabbitmq.port}")
    return Stage(postgres, rabbitmq, proxy, keeper, board, _say)


def _home(stack: ExitStack, name: str) -> Path:
    """Make a server's folder: not in one of ours, which PostgreSQL's own user could not enter."""
    home = Path(tempfile.mkdtemp(prefix=f"touchstone-faults-{name}-"))
    stack.callback(shutil.rmtree, home, ignore_errors=True)
    return home


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _scale(options: argparse.Namespace) -> Scale:
    asked = {name: value for name in vars(USUAL) if (value := getattr(options, name)) is not None}
    return replace(FULL if options.full else USUAL, **asked)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Kill, cut and restart under bus and pricing."
    )
    for name, usual in vars(USUAL).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"how many (default {usual})")
    parser.add_argument("--requests", type=int, default=500, help="prices to ask for (default 500)")
    parser.add_argument("--worker-kills", type=int, default=200, help="kills of pricing workers (default 200)")
    parser.add_argument("--full", action="store_true", help="10,000 orders, 1,000 kills, 200 resets, 20 restarts")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of all that is random")
    parser.add_argument("--only", choices=(BUS, NO_INBOX, DUAL_WRITE, PRICING), help="one scenario alone")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="where the report is left")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
