"""What becomes of an order's file when something is heard of it, or decided about it. Without I/O.

Where a file lies depends on the workshop's events, in their sequence, and on the desk's own decisions, in their
order; the shop's events bring facts only. So it does not matter which system's event comes first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from services.contract import MES, OWNER, SHOP, OrderFacts, Status, StatusChanged
from services.crm.model import (
    CUSTOMER,
    ENDED,
    LEADS_TO,
    MAY,
    NO_QUOTE,
    PRICING,
    RULE,
    SAYS,
    TRAYS,
    UNDECIDED,
    VERBS,
    Action,
    Decision,
    File,
    Ground,
    Heard,
    Question,
    Tray,
    Unfitting,
)
from services.crm.rules import Quote, judge

if TYPE_CHECKING:
    from datetime import datetime

Turn = tuple[File, tuple[Decision, ...]]


def hear(file: File, event: Heard, ground: Ground) -> Turn:
    """Take in a status event that was not heard before."""
    known = replace(file, facts=_learn(file.facts, event))
    after = move(known, event)
    decisions: tuple[Decision, ...] = ()
    if event.source == SHOP and after is not known and after.tray in ENDED:
        # Sent off while the desk had ended it already: nobody may go on believing that.
        return after, (_again(after, "sent off"),)
    if event.source == MES and OWNER[event.said.status] == MES:
        after, decisions = _hear_workshop(after, event, ground, moved=after is not known)
    if after.unwanted is not None:
        late, after = after.unwanted, replace(after, unwanted=None)
        if after.may(Action.CANCEL):
            after, more = decide(after, Action.CANCEL, _customer(after), late, ground.now)
            return after, (*decisions, *more)
    return after, decisions


def move(file: File, event: Heard) -> File:
    """Let the copy of the status follow, if the owner of the status says so and it is later than what is known."""
    status = event.said.status
    if OWNER[status] != event.source:
        return file
    at = event.time
    if file.status is not None and file.status_at is not None:
        if file.source == event.source:  # whose sequence tells, even if its clock was set back
            newer, at = event.sequence > (file.sequence or 0), max(at, file.status_at)
        else:
            newer = (at, status.rank) > (file.status_at, file.status.rank)
        if not newer:
            return file
    return replace(file, status=status, status_at=at, source=event.source, sequence=event.sequence)


def decide(file: File, action: Action, by: str, reason: str, now: datetime) -> Turn:
    """Let a person (or the customer) decide. Raises Unfitting, which says why it does not fit."""
    if not file.may(action):
        raise Unfitting(_refusal(file, action))
    decision = Decision(action, by, reason, price=file.quote.price, says=SAYS[action])
    return _put(file, decision, now), (decision,)


def answer(file: File, said: str, model: str | None) -> File | None:
    """Take in the customer's answer, with a new model if need be; None where that came too late to matter."""
    if file.tray not in UNDECIDED:
        return None
    facts = file.known if model is None else file.known.model_copy(update={"model": model, "model_bytes": None})
    why = "the customer has answered; the quote is being confirmed"
    return replace(file, facts=facts, tray=Tray.PRICING, question=Question.ANSWERED, answer=said, why=why)


def too_late(file: File, what: str) -> Decision:
    """Put on record that what the customer said came too late."""
    reason = f"the customer's {what} came too late: {TRAYS[file.tray]}"
    return Decision(Action.DECLINE, RULE, reason, automatic=True, price=file.quote.price)


def close(file: File, now: datetime) -> Turn:
    """Close a shipped order whose time has come."""
    days = (now - (file.shipped_at or now)) / timedelta(days=1)
    decision = Decision(
        Action.CLOSE, RULE, f"closed automatically: shipped {days:.1f} days ago", automatic=True, says=Status.CLOSED
    )
    return _put(file, decision, now), (decision,)


def _learn(known: OrderFacts | None, event: Heard) -> OrderFacts:
    """Merge facts: the shop knows its orders best, and what others say fills the gaps."""
    said = event.said.order
    if known is None:
        return said
    first, then = (said, known) if event.source == SHOP else (known, said)
    missing = {name: getattr(then, name) for name, value in first if value is None}
    if first.model not in {None, then.model}:
        missing.pop("model_bytes", None)  # of another model
    return first.model_copy(update=missing)


def _hear_workshop(file: File, event: Heard, ground: Ground, *, moved: bool) -> Turn:
    status = event.said.status
    if file.tray is Tray.CLOSED or (file.tray in ENDED and not moved and status in PRICING):
        return file, ()
    file = _resumed(file, event.time)
    if status not in PRICING:
        return _hear_making(file, event, ground, moved=moved)
    if file.tray in ENDED:
        return file, (_again(file, "priced"),)
    if file.tray in (Tray.MAKING, Tray.SHIPPED):
        return file, ()
    return _hear_price(file, event, ground)


def _hear_making(file: File, event: Heard, ground: Ground, *, moved: bool) -> Turn:
    late: tuple[Decision, ...] = ()
    if file.tray in ENDED:
        reason = f"came too late: the workshop went on ({event.said.status})"
        # Begun before it was ended, heard of after it: the others believe the later word, so there must be another.
        says = None if moved else Status.MANUFACTURING_APPROVED
        resumed = Decision(
            Action.RESUME, RULE, f"{file.tray} {reason}", automatic=True, price=file.quote.price, says=says
        )
        late = (resumed,)
    if event.said.status is Status.SHIPPED:
        due = event.time + ground.close_after
        return replace(file, tray=Tray.SHIPPED, why=None, shipped_at=event.time, close_at=due), late
    return replace(file, tray=Tray.MAKING, why=None), late


def _hear_price(file: File, event: Heard, ground: Ground) -> Turn:
    said = event.said
    file = replace(file, problems=said.problems, picture=said.picture)
    if said.status is Status.PRICE_CALCULATING:
        return replace(file, tray=Tray.PRICING, why=None, quote=NO_QUOTE), ()
    if said.status is Status.PRICE_FAILED:
        why = f"on the desk: the price could not be calculated ({said.reason or 'no reason given'})"
        return _held(replace(file, quote=NO_QUOTE), why)
    file = replace(file, quote=Quote(said.price, said.valid_until))
    for_a_person = _for_a_person(file, said)
    if for_a_person is not None:
        return _held(file, f"on the desk: {for_a_person}")
    verdict = judge(ground.rules, file.known, file.quote, ground.standing, ground.now)
    if not verdict.approved:
        return _held(file, verdict.reason)
    decision = Decision(
        Action.APPROVE,
        RULE,
        verdict.reason,
        automatic=True,
        price=file.quote.price,
        says=Status.MANUFACTURING_APPROVED,
    )
    return _put(file, decision, ground.now), (decision,)


def _for_a_person(file: File, said: StatusChanged) -> str | None:
    """Return why a price is for a person to decide on whatever the rules say, None where they may."""
    if file.question is Question.ANSWERED:
        return "the customer has answered"
    if file.question is Question.OPEN:
        return "priced again while the customer was asked"
    return "the model cannot be cast as it is" if said.castable is False else None


def _held(file: File, why: str) -> Turn:
    decision = Decision(Action.HOLD, RULE, why, automatic=True, price=file.quote.price)
    return replace(file, tray=Tray.WAITING, why=why), (decision,)


def _again(file: File, what: str) -> Decision:
    says = SAYS[Action.REJECT] if file.tray is Tray.REJECTED else SAYS[Action.CANCEL]
    reason = f"said again, because the order was {what} meanwhile: {file.why or TRAYS[file.tray]}"
    return Decision(Action.REPEAT, RULE, reason, automatic=True, price=file.quote.price, says=says)


def _put(file: File, decision: Decision, now: datetime) -> File:
    asked = decision.action is Action.ASK
    return replace(
        _resumed(file, now),
        tray=LEADS_TO[decision.action],
        question=Question.OPEN if asked else Question.NONE,
        answer=None,
        why=decision.reason,
        asked_at=now if asked else None,
        close_at=None,
    )


def _resumed(file: File, at: datetime) -> File:
    """Start the promise's clock again, if it stood still for the customer."""
    if file.asked_at is None:
        return file
    return replace(file, asked_at=None, paused=file.paused + max(at - file.asked_at, timedelta()))


def _customer(file: File) -> str:
    return (file.facts.customer_name if file.facts else None) or CUSTOMER


def _refusal(file: File, action: Action) -> str:
    if action is Action.APPROVE and file.tray in MAY[action]:
        return f"the order `{file.order}` has no price to approve; ask the customer, or reject it"
    return f"the order `{file.order}` cannot be {VERBS[action]}: {TRAYS[file.tray]}"
