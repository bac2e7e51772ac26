"""The rules of automatic approval: who is approved up to which amount, and what is said where they do not approve."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from instrumentation.errors import BadInput
from services.contract import Money
from services.crm.rules import Quote, Rules, Standing, Verdict, judge, load_rules
from tests.crm import FACTS, START

if TYPE_CHECKING:
    from pathlib import Path

TOMORROW = START + timedelta(days=1)


def verdict(
    amount: str | None = "412.50", currency: str = "EUR", standing: Standing = Standing.GOOD, **facts: str | None
) -> Verdict:
    price = None if amount is None else Money(amount=Decimal(amount), currency=currency)
    return judge(load_rules(), FACTS.model_copy(update=facts), Quote(price, TOMORROW), standing, START)


def test_a_quote_within_the_limit_is_approved_with_its_reason() -> None:
    expected = "approved automatically: 412.50 EUR is within 800 EUR for customers in good standing"
    assert verdict() == Verdict(approved=True, reason=expected)


@pytest.mark.parametrize(
    ("amount", "currency", "channel", "approved"),
    [
        ("800.00", "EUR", "web", True),
        ("800.01", "EUR", "web", False),
        ("880", "USD", "web", True),
        ("880.01", "USD", "web", False),
        ("680", "GBP", "web", True),
        ("680.01", "GBP", "web", False),
        ("2000", "EUR", "b2b", True),
        ("2000.01", "EUR", "b2b", False),
        ("0.01", "EUR", "web", True),
        ("0", "EUR", "web", False),
        ("-5", "EUR", "web", False),
    ],
)
def test_the_limit_itself_is_within_it(amount: str, currency: str, channel: str, approved: bool) -> None:  # noqa: FBT001 - a table's column
    assert verdict(amount, currency, channel=channel).approved is approved


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (verdict(standing=Standing.NEW), "on the desk: the customer is new"),
        (verdict(standing=Standing.WATCH), "on the desk: the customer is on watch"),
        (verdict(customer=None, standing=Standing.NEW), "on the desk: the customer is not known"),
        (verdict("812.00"), "on the desk: 812.00 EUR is over 800 EUR for customers in good standing"),
        (
            verdict("2500", channel="b2b"),
            "on the desk: 2500 EUR is over 2000 EUR for customers in good standing by channel b2b",
        ),
        (verdict(currency="CHF"), "on the desk: no limit is set in CHF"),
        (verdict(None), "on the desk: the quote has no price"),
        (verdict("0"), "on the desk: 0 EUR is no price to approve unseen"),
    ],
)
def test_what_lies_on_the_desk_says_why(found: Verdict, reason: str) -> None:
    assert found == Verdict(approved=False, reason=reason)


@pytest.mark.parametrize(
    ("valid_until", "reason"),
    [
        (START + timedelta(microseconds=1), None),
        (START, "on the desk: the quote was valid until 2026-03-02 08:00 UTC"),
        (START - timedelta(days=1), "on the desk: the quote was valid until 2026-03-01 08:00 UTC"),
        (None, "on the desk: the quote does not say until when it is valid"),
    ],
)
def test_a_quote_counts_only_before_its_end(valid_until: object, reason: str | None) -> None:
    quote = Quote(Money(amount=Decimal(100), currency="EUR"), valid_until)  # type: ignore[arg-type] # a table's column
    found = judge(load_rules(), FACTS, quote, Standing.GOOD, START)
    assert (None if found.approved else found.reason) == reason


def test_everything_that_speaks_against_an_order_is_said() -> None:
    quote = Quote(Money(amount=Decimal(100), currency="EUR"), START)
    found = judge(load_rules(), FACTS, quote, Standing.NEW, START)
    assert found.reason == "on the desk: the customer is new; the quote was valid until 2026-03-02 08:00 UTC"


def test_the_first_limit_that_fits_decides() -> None:
    rules = Rules.model_validate(
        {"limits": [{"product": "ring", "up_to": {"EUR": 10}}, {"standing": "new", "up_to": {"EUR": 50}}]}
    )
    quote = Quote(Money(amount=Decimal(20), currency="EUR"), TOMORROW)
    assert not judge(rules, FACTS, quote, Standing.GOOD, START).approved
    assert judge(rules, FACTS, quote, Standing.NEW, START).reason == (
        "approved automatically: 20 EUR is within 50 EUR for new customers"
    )
    chain = FACTS.model_copy(update={"product": "chain"})
    assert judge(rules, chain, quote, Standing.GOOD, START).reason == "on the desk: no limit is set for this order"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("limits: [", "is no YAML"),
        ("limits: [{up_to: {EUR: -1}}]", "limits.0.up_to.EUR"),
        ("limits: [{up_to: {euro: 1}}]", "limits.0.up_to.euro"),
        ("limits: [{up_to: {}}]", "limits.0.up_to"),
        ("limits: [{up_to: {EUR: 1}, standing: rich}]", "limits.0.standing"),
        ("limit: []", "limit: Extra inputs"),
        ("", "the file: Input should be"),
    ],
)
def test_a_wrong_rules_file_is_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="rules") as error:
        load_rules(path)
    assert says in str(error.value)


def test_a_missing_rules_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")
