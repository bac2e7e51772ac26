"""What the demo says: where everything is, and in the end what happened."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.demo.faults import NONE
from services.demo.house import HOST
from services.demo.people import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from services.demo.actors import Tally
    from services.demo.past import Past
    from services.demo.running import Demo


def places(demo: Demo, past: Past) -> Iterator[str]:
    """Yield, line by line, where everything is, who to sign in as, and what else to try."""
    house, collector = demo.house, f"http://{HOST}:{demo.port}"
    shop, crm, mes = (house.address(name) for name in ("shop", "crm", "mes"))
    customer, order = _example(past)
    yield "Everything runs. Look at:"
    yield f"  the report            {collector}/report"
    yield f"  the shop              {shop}/  (sign in as {customer}, password: {PASSWORD})"
    yield f"  the sales desk        {crm}/  (sign in as Sofia or Tomas)"
    yield f"  operators' work       {mes}/  (sign in as Jonas, Ines or Pavel; as Mara for the whole workshop)"
    yield f"  orders to chase       {collector}/orders?risk=late"
    yield f"  stages right now      {collector}/stages"
    yield f"  Prometheus metrics    {collector}/metrics"
    yield f"  the collector's API   {collector}/docs"
    yield "From another terminal, in this folder:"
    yield f"  . {demo.plan.folder}/env              (where everything is, and how to sign in there)"
    yield f"  touchstone order {order}         (its journey; any other id will do)"
    yield "  touchstone reconcile             (what shop, CRM and MES do not agree about)"
    yield "  touchstone dlq list              (the CRM's dead letters; --service for another's)"
    if demo.plan.fault is not NONE:
        yield f"The fault: {demo.plan.fault.says}."
    lasting = demo.plan.lasting.total_seconds()
    yield f"People come, decide and work {f'for {lasting:.0f} s' if lasting else 'until you press Ctrl-C'} ..."


def _example(past: Past) -> tuple[str, str]:
    """Return the e-mail address of a customer with many orders, and a late order."""
    of_order = {message.subject: message.data["order"]["customer"] for message in past.messages if message.sequence}
    last = {message.subject: message.data["status"] for message in past.messages if message.sequence}
    private = {one.id: one.email for one in past.buyers if not one.partner}
    open_ones = [order for order, status in last.items() if status == "PRICE_CALCULATED"]
    often = Counter(buyer for order, buyer in of_order.items() if buyer in private and order in set(open_ones))
    buyer = (often or Counter(private)).most_common(1)[0][0]
    return private[buyer], next(iter(open_ones or of_order))


def summary(tally: Tally, heard: int, dead: int, counts: Mapping[str, int], folder: Path) -> str:
    """Return what happened. ``heard``: events; ``dead``: letters; ``counts``: log lines by level."""
    did = tally.did
    errors = counts["ERROR"] + counts["CRITICAL"]
    return (
        f"Stopped. Placed {did['placed']}, approved {did['approval']}, shipped {did['ship']}, closed {did['closed']}, "
        f"rejected {did['rejected']}, cancelled {did['cancelled']}, still open {len(tally.open)}. "
        f"The collector heard {heard:,} events. Dead letters: {dead}. "
        f"Error lines: {errors}{f' (see {folder}/demo.log)' if errors else ''}."
    )
