"""``touchstone reconcile``: one reconciliation, by hand."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx

from collectors.live.handlers import now_us
from collectors.pollers.systems import load_systems
from collectors.promise.reading import DEFAULT_PROMISE, load_promise
from collectors.reconciliation.asking import Asker, collector_client
from collectors.reconciliation.comparing import Limit
from collectors.reconciliation.limits import stage_limits
from collectors.reconciliation.reconciling import PATIENCE_S, Reconciler, check_against, rules_of
from collectors.timelines.codebook import Codebook
from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from collectors.pollers.systems import Systems
    from collectors.reconciliation.report import Report

SECOND = 1_000_000
BY_BUDGET = "the collector at {address} does not tell how long stages usually take; stuck is judged by their budgets"


def run_reconcile(
    systems: Path,
    *,
    repair: bool = False,
    promise: Path = DEFAULT_PROMISE,
    patience_s: float = PATIENCE_S,
    transports: Mapping[str, httpx.AsyncBaseTransport] | None = None,
    clock: Callable[[], int] = now_us,
) -> Report:
    """Compare what the watched systems say; with ``repair``, make them replay what others lack.

    Raises BadInput where the file of systems or the promise file cannot be used, TouchstoneError where no system
    answers. ``transports`` stand in for the
    network, by the name of a system or "collector".
    """
    watched = load_systems(systems)
    if not watched.asked:
        raise BadInput(f"{systems}: no system has an `address`, so there is nobody to ask")
    codebook = Codebook(load_promise(promise))
    check_against(watched, codebook.promise)
    return asyncio.run(_reconcile(watched, codebook, transports or {}, clock, patience_s if repair else None))


async def _reconcile(
    systems: Systems,
    codebook: Codebook,
    transports: Mapping[str, httpx.AsyncBaseTransport],
    clock: Callable[[], int],
    patience_s: float | None,
) -> Report:
    limits = await _limits(systems, transports.get("collector"))
    notes = () if limits is not None else (BY_BUDGET.format(address=systems.collector),)
    asker = Asker(systems, transports)
    try:
        rules = rules_of(systems, codebook, stage_limits(codebook) if limits is None else limits)
        reconciler = Reconciler(asker, rules, clock, patience_s or 0.0)
        report = await reconciler.look()
        if not report.orders:
            reasons = "; ".join(f"{name} {why}" for name, why in report.silent.items())
            raise TouchstoneError(f"no system could be asked: {reasons}")
        if patience_s is not None:
            report = await reconciler.repair(report)
    finally:
        await asker.close()
    return replace(report, notes=notes)


async def _limits(systems: Systems, transport: httpx.AsyncBaseTransport | None) -> list[Limit] | None:
    """Return how long orders may be in each stage, as the collector learnt it; None where it does not say."""
    token = os.environ.get(systems.collector_token_env)
    async with collector_client(str(systems.collector), token, transport) as client:
        try:
            answer = await client.get("/limits")
            answer.raise_for_status()
            rows: list[dict[str, Any]] = answer.json()["limits"]
            return [Limit(row["stage"], round(row["limit_s"] * SECOND), row["basis"], row["orders"]) for row in rows]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None
