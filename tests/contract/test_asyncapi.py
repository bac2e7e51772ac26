"""The bus's contract, and the code that speaks it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from pricing import messages as pricing
from pricing.units import Unit
from services import contract
from services.bus import Message
from services.contract import OrderFacts, Status
from tests.contract import asyncapi

if TYPE_CHECKING:
    from pydantic import BaseModel

NOW: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FACTS: Final = OrderFacts(channel="online", product="ring", customer="c1", model="ab" * 32, promised_at=NOW)
MESSAGES: Final[dict[str, type[BaseModel]]] = {
    **contract.MESSAGES,
    pricing.PRICE_CALCULATE: pricing.PriceCalculate,
    pricing.PRICE_PROGRESSED: pricing.PriceProgressed,
    pricing.PRICE_CALCULATED: pricing.PriceCalculated,
    pricing.PRICE_REFUSED: pricing.PriceRefused,
}
FOUND: Final = {"problems": ("the band is 0.4 mm thin",), "picture": "cd" * 32}
ANSWER: Final = {"request": "m1", "begun_at": NOW}
SAMPLES: Final[dict[str, BaseModel]] = {
    contract.STATUS_CHANGED: contract.StatusChanged(
        status=Status.PRICE_CALCULATED,
        previous=Status.PRICE_CALCULATING,
        order=FACTS,
        progress=1,
        price=contract.Money(amount=Decimal("412.50"), currency="EUR"),
        valid_until=NOW,
        reason="as agreed",
        by="the rule",
        castable=False,
        **FOUND,
    ),
    contract.CATALOGUE_CHANGED: contract.CatalogueChanged(revision=3),
    contract.ORDER_ANSWERED: contract.OrderAnswered(answer="yes", model="ab" * 32, answered_at=NOW),
    contract.ORDER_CANCEL: contract.OrderCancel(reason="changed my mind", asked_at=NOW),
    contract.ORDER_REQUOTE: contract.OrderRequote(model="ab" * 32),
    pricing.PRICE_CALCULATE: pricing.PriceCalculate(
        model="ab" * 32,
        reply_to="mes",
        channel="online",
        alloy="14k-yellow-gold",
        unit=Unit.INCH,
        quantity=2,
        model_bytes=684,
    ),
    pricing.PRICE_PROGRESSED: pricing.PriceProgressed(**ANSWER, progress=0.5),
    pricing.PRICE_CALCULATED: pricing.PriceCalculated(
        **ANSWER,
        done_at=NOW,
        amount=Decimal("412.50"),
        currency="EUR",
        valid_until=NOW,
        production_s=86_400,
        castable=True,
        materials="0123456789ab",
        **FOUND,
    ),
    pricing.PRICE_REFUSED: pricing.PriceRefused(
        **ANSWER, done_at=NOW, code="open", detail="The surface has holes.", **FOUND
    ),
}
MODELS: Final[dict[str, type[BaseModel]]] = {
    **{model.__name__: model for model in MESSAGES.values()},
    "Money": contract.Money,
    "OrderFacts": contract.OrderFacts,
}


EVENTS: Final = (contract.STATUS_CHANGED, contract.CATALOGUE_CHANGED)


def message(message_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return a message as it travels."""
    sequence = 1 if message_type in EVENTS else None
    sent = Message("id", "/shop", message_type, "R1", NOW, data, sequence)
    document: dict[str, Any] = orjson.loads(sent.to_json())
    return document


def test_the_contract_and_the_code_know_the_same_messages() -> None:
    assert set(asyncapi.MESSAGES) == set(MESSAGES) == set(SAMPLES)
    assert set(asyncapi.SCHEMAS) == {*MODELS, "CloudEvent", "Event", "Status", "Problems", "Picture"}
    assert asyncapi.SCHEMAS["Status"]["enum"] == [*contract.MAIN_LINE, "PRICE_FAILED", "AWAITING_CUSTOMER", *CANCELLED]
    assert set(asyncapi.SCHEMAS["Status"]["enum"]) == set(Status)
    assert set(asyncapi.SCHEMAS["PriceCalculate"]["properties"]["unit"]["enum"]) == set(Unit)


def test_every_class_of_prices_has_a_channel_of_its_own() -> None:
    channels = {f"commands.{price_class.queue}" for price_class in pricing.PriceClass}
    asked = {
        name
        for name, channel in asyncapi.DOCUMENT["channels"].items()
        if pricing.PRICE_CALCULATE in channel["messages"]
    }
    assert asked == channels
    assert all(asyncapi.DOCUMENT["channels"][name]["address"] == name for name in asked)


CANCELLED: Final = ("REJECTED", "CANCELLED")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_each_model_has_the_fields_that_the_contract_names(name: str) -> None:
    """The same fields, the same ones required."""
    written, schema = MODELS[name].model_json_schema(), asyncapi.SCHEMAS[name]
    assert set(written["properties"]) == set(schema["properties"])
    assert set(written.get("required", [])) == set(schema.get("required", []))


@pytest.mark.parametrize("message_type", sorted(MESSAGES))
def test_what_the_code_writes_is_valid(message_type: str) -> None:
    """A message with every field set keeps the contract."""
    data = SAMPLES[message_type]
    assert all(value is not None for value in data.model_dump().values())
    assert asyncapi.complaints(message(message_type, data.model_dump(mode="json", exclude_none=True))) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"status": "LOST"}, "LOST"),
        ({"order": {"channel": "online"}}, "product"),
        ({"price": {"amount": 412.5, "currency": "EUR"}}, "412.5"),
        ({"progress": 2}, "2"),
    ],
)
def test_what_breaks_the_contract_is_noticed(change: dict[str, Any], complaint: str) -> None:
    data = SAMPLES[contract.STATUS_CHANGED].model_dump(mode="json", exclude_none=True) | change
    assert any(complaint in found for found in asyncapi.complaints(message(contract.STATUS_CHANGED, data)))


def test_an_event_needs_its_sequence() -> None:
    sent = message(contract.CATALOGUE_CHANGED, {"revision": 1})
    assert asyncapi.complaints(sent) == []
    del sent["sequence"]
    assert asyncapi.complaints(sent) != []


def test_readers_let_pass_what_a_later_version_adds() -> None:
    data = SAMPLES[contract.STATUS_CHANGED].model_dump(mode="json") | {"carrier": "by hand"}
    assert contract.StatusChanged.model_validate(data).status is Status.PRICE_CALCULATED
