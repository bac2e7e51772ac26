"""The bus's contract, and the code that speaks it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from services import contract
from services.bus import Message
from services.contract import MESSAGES, OrderFacts, Status
from tests.contract import asyncapi

if TYPE_CHECKING:
    from pydantic import BaseModel

NOW: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FACTS: Final = OrderFacts(channel="online", product="ring", customer="c1", model="ab" * 32, promised_at=NOW)
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
    ),
    contract.CATALOGUE_CHANGED: contract.CatalogueChanged(revision=3),
    contract.ORDER_ANSWERED: contract.OrderAnswered(answer="yes", model="ab" * 32, answered_at=NOW),
    contract.ORDER_CANCEL: contract.OrderCancel(reason="changed my mind", asked_at=NOW),
    contract.ORDER_REQUOTE: contract.OrderRequote(model="ab" * 32),
}
MODELS: Final[dict[str, type[BaseModel]]] = {
    **{model.__name__: model for model in MESSAGES.values()},
    "Money": contract.Money,
    "OrderFacts": contract.OrderFacts,
}


def message(message_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return a message as it travels."""
    sequence = 1 if "changed" in message_type else None
    sent = Message("id", "/shop", message_type, "R1", NOW, data, sequence)
    document: dict[str, Any] = orjson.loads(sent.to_json())
    return document


def test_the_contract_and_the_code_know_the_same_messages() -> None:
    assert set(asyncapi.MESSAGES) == set(MESSAGES) == set(SAMPLES)
    assert set(asyncapi.SCHEMAS) == {*MODELS, "CloudEvent", "Event", "Status"}
    assert asyncapi.SCHEMAS["Status"]["enum"] == [*contract.MAIN_LINE, "PRICE_FAILED", "AWAITING_CUSTOMER", *CANCELLED]
    assert set(asyncapi.SCHEMAS["Status"]["enum"]) == set(Status)


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
