"""The only way to the bought-in system: its API over HTTP, in either version, said in our words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

import orjson

from services.contract import MES, OWNER, Money, Status
from services.mes.model import CallKind, VendorChange, micros, moment_of
from services.resilience.client import Refused, Unreachable

if TYPE_CHECKING:
    from pricing.storage import ModelStore
    from services.mes.model import Call
    from services.resilience.client import Client

KEY_HEADER: Final = "X-Api-Key"
# The vendor's codes for what is the vendor's to say; of the others (10 received, 40 released, 90 withdrawn) we told it.
V1_STATUSES: Final = {
    20: Status.PRICE_CALCULATING,
    25: Status.PRICE_FAILED,
    30: Status.PRICE_CALCULATED,
    50: Status.MANUFACTURING_STARTED,
    60: Status.MANUFACTURING_COMPLETED,
    70: Status.PACKAGING,
    80: Status.SHIPPED,
}
# What the vendor answers to a call that it would refuse again. Any other refusal (a wrong key) can be mended here.
FINAL: Final = frozenset({400, 404, 409, 422})


class Rejected(Exception):
    """The vendor will never do what a call asks for."""


class Dialect(Protocol):
    """One version of the vendor's API."""

    def path(self, call: Call) -> str:
        """Return where a call goes. Raises Rejected where the vendor cannot know the order."""

    def body(self, call: Call, model_bytes: int | None) -> dict[str, Any] | None:
        """Return what a call says."""

    def number(self, answer: dict[str, Any]) -> int:
        """Return the vendor's number of the order in an answer."""

    def changes(self, answer: dict[str, Any]) -> list[VendorChange]:
        """Read a page of the journal."""


class V1:
    """The vendor's frozen version."""

    def path(self, call: Call) -> str:
        """Return where a call goes: orders have the vendor's numbers."""
        if call.kind == CallKind.SUBMIT:
            return "/v1/orders"
        if call.vendor_number is None:
            raise Rejected("the vendor never took this order, so nothing can be asked about it")
        return f"/v1/orders/{call.vendor_number}/{call.kind}"

    def body(self, call: Call, model_bytes: int | None) -> dict[str, Any] | None:
        """Return what a call says."""
        facts = call.payload
        given = _given_v1(facts)
        if call.kind == CallKind.REQUOTE:
            return {"reqKey": call.key, "mdlHash": facts.get("model"), "mdlBytes": model_bytes, **given}
        if call.kind != CallKind.SUBMIT:
            return None
        promised = facts.get("promised_at")
        return {
            "extRef": call.order,
            "prodCd": facts["product"],
            "chn": facts["channel"],
            "mdlHash": facts.get("model"),
            "mdlBytes": model_bytes,
            "dueTs": None if promised is None else _milliseconds(promised),
            **given,
        }

    def number(self, answer: dict[str, Any]) -> int:
        """Return the vendor's number."""
        return int(answer["ordNo"])

    def changes(self, answer: dict[str, Any]) -> list[VendorChange]:
        """Read a page of the journal."""
        return [self._change(line) for line in answer["jrn"]]

    def _change(self, line: dict[str, Any]) -> VendorChange:
        extra = line["xtra"]
        percent, amount, until = extra["calcPct"], extra["prc"], extra["prcValTs"]
        return VendorChange(
            line["jrnNo"],
            line["extRef"],
            line["ordNo"],
            V1_STATUSES.get(line["stat"]),
            moment_of(line["ts"] * 1000),
            None if percent is None else percent / 100,
            None if amount is None else Money(amount=Decimal(amount), currency=extra["cur"]),
            None if until is None else moment_of(until * 1000),
            extra["errTxt"],
        )


def _given_v1(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what a call says of a price that is not the vendor's own."""
    if "price" not in facts:
        return {}
    price = facts["price"]
    until = _milliseconds(facts["valid_until"])
    return {"prcExt": price["amount"], "curExt": price["currency"], "prcExtValTs": until}


def _milliseconds(moment: str) -> int:
    return micros(datetime.fromisoformat(moment)) // 1000


class V2:
    """The vendor's coming version."""

    def path(self, call: Call) -> str:
        """Return where a call goes: orders have our ids."""
        return "/v2/orders" if call.kind == CallKind.SUBMIT else f"/v2/orders/{quote(call.order, safe='')}/{call.kind}"

    def body(self, call: Call, model_bytes: int | None) -> dict[str, Any] | None:
        """Return what a call says."""
        facts = call.payload
        model = {"sha256": facts["model"], "bytes": model_bytes} if facts.get("model") else None
        given: dict[str, Any] = {name: facts[name] for name in ("price", "valid_until") if name in facts}
        if call.kind == CallKind.REQUOTE:
            return {"request": call.key, "model": model, **given}
        if call.kind != CallKind.SUBMIT:
            return None
        same = {name: facts.get(name) for name in ("product", "channel", "promised_at")}
        return {"id": call.order, "model": model, **same, **given}

    def number(self, answer: dict[str, Any]) -> int:
        """Return the vendor's number."""
        return int(answer["number"])

    def changes(self, answer: dict[str, Any]) -> list[VendorChange]:
        """Read a page of the journal."""
        return [self._change(line) for line in answer["changes"]]

    def _change(self, line: dict[str, Any]) -> VendorChange:
        status, price, until = Status(line["status"]), line["price"], line["valid_until"]
        return VendorChange(
            line["number"],
            line["id"],
            None,
            status if OWNER[status] == MES else None,
            datetime.fromisoformat(line["at"]),
            line["progress"],
            None if price is None else Money.model_validate(price),
            None if until is None else datetime.fromisoformat(until),
            line["reason"],
        )


DIALECTS: Final[dict[str, Dialect]] = {"v1": V1(), "v2": V2()}


class Vendor:
    """The vendor's system as the adapter uses it. ``models``: where models lie, which the vendor cannot see."""

    def __init__(self, client: Client, dialect: str, models: ModelStore | None) -> None:
        self._client, self._version, self._dialect, self._models = client, dialect, DIALECTS[dialect], models

    async def make(self, call: Call) -> int:
        """Make a call; return the vendor's number of the order.

        Raises Unreachable where it should be made again later, Rejected where never.
        """
        path = self._dialect.path(call)
        body = self._dialect.body(call, await self._model_bytes(call))
        try:
            return self._dialect.number(await self._client.post(path, body))
        except Refused as error:
            if error.status in FINAL:
                raise Rejected(_reason(error.text)) from error
            raise Unreachable(f"{error}; check TOUCHSTONE_MES_VENDOR_KEY") from error

    async def changes(self, after: int, limit: int) -> list[VendorChange]:
        """Return the next lines of the journal. Raises Unreachable or Refused."""
        query = {"after": after, "limit": limit}
        return self._dialect.changes(await self._client.get(f"/{self._version}/changes", query))

    async def _model_bytes(self, call: Call) -> int | None:
        """Return a model's size, None where nobody knows it. Raises StoreUnavailable."""
        known: int | None = call.payload.get("model_bytes")
        model = call.payload.get("model")
        if known is not None or self._models is None or model is None:
            return known
        try:
            return await self._models.size(model)
        except KeyError:
            return None

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        if self._models is not None:
            await self._models.close()


def _reason(text: str) -> str:
    """Return what a refusal says to people: it may end on a customer's page, where no address of ours belongs."""
    try:
        told = orjson.loads(text)
        return str(told.get("errTxt") or told["detail"])
    except (orjson.JSONDecodeError, AttributeError, KeyError):
        return "the manufacturing system does not take it, and does not say why"
