"""Shop, CRM, MES, a pricing worker and the issuer of sign-ins in one process, embedded or over real servers."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import SecretStr

from pricing.workers import app as pricing_app
from pricing.workers import settings as pricing_settings
from services.auth import AuthSettings, DemoIssuer, create_issuer_app
from services.bus import EmbeddedTransport
from services.crm import app as crm_app
from services.crm import settings as crm_settings
from services.mes import app as mes_app
from services.mes import settings as mes_settings
from services.resilience.serving import running
from services.shop import app as shop_app
from services.shop import settings as shop_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    import httpx

    from services.bus import Transport

HOST: Final = "127.0.0.1"
PORTS: Final = {"shop": 8401, "crm": 8402, "mes": 8403, "issuer": 8404, "pricing": 8405}
CLIENT: Final = "touchstone"


@dataclass(frozen=True)
class Pace:
    """How fast the house works. The defaults are those of a demo, where an order is done in a minute or two.

    ``pricing``: who calculates prices; ``pricing_seconds``: what the vendor takes for one.
    """

    pricing: Literal["workers", "vendor"] = "workers"
    pricing_seconds: float = 3.0
    vendor_latency: float = 0.05
    poll_seconds: float = 0.2
    close_after: timedelta = timedelta(seconds=10)
    sweep_seconds: float = 1.0


@dataclass
class House:
    """The services of one house. ``databases``: each one's address; ``broker``: None for the embedded bus.

    ``bench``: how many unfinished pieces an operator may have at most (0: as the workshop's own settings say).
    ``vendor_network`` stands in for the network between adapter and vendor.
    """

    folder: Path
    ports: Mapping[str, int] = field(default_factory=lambda: PORTS)
    databases: Mapping[str, str] | None = None
    broker: str | None = None
    pace: Pace = field(default_factory=Pace)
    transport: Transport | None = None
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    bench: int = 0
    vendor_network: httpx.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        if self.broker is None and self.transport is None:
            self.transport = EmbeddedTransport()
        self.issuer = DemoIssuer(self.address("issuer"), machines={CLIENT: self.secret})
        self.shop = shop_app.create_service(self._shop(), self.transport, auth=self.auth())
        self.crm = crm_app.create_service(self._crm(), self.transport, auth=self.auth())
        self.mes = mes_app.create_service(
            self._mes(), self.transport, auth=self.auth(), vendor_transport=self.vendor_network
        )
        self.pricing = pricing_app.create_service(self._pricing(), self.transport)

    def address(self, name: str) -> str:
        """Return where a part of the house listens."""
        return f"http://{HOST}:{self.ports[name]}"

    def auth(self) -> AuthSettings:
        """Return how staff and machines sign in."""
        return AuthSettings(issuer=self.issuer.url, client_id=CLIENT, client_secret=SecretStr(self.secret))

    def token(self, subject: str) -> str:
        """Return a token of one of the house's people, as if signed in."""
        return self.issuer.issue(self.issuer.people[subject])

    def _common(self, name: str) -> dict[str, Any]:
        database = f"sqlite+aiosqlite:///{self.folder / name}.db"
        if self.databases is not None:
            database = self.databases[name]
        models = self.folder / "models"
        return {"host": HOST, "port": self.ports[name], "database": database, "bus": self.broker, "models": models}

    def _shop(self) -> shop_settings.Settings:
        return shop_settings.Settings(**self._common("shop"))

    def _crm(self) -> crm_settings.Settings:
        pace: dict[str, Any] = {"close_after": self.pace.close_after, "sweep_seconds": self.pace.sweep_seconds}
        return crm_settings.Settings(**self._common("crm"), **pace)

    def _mes(self) -> mes_settings.Settings:
        pace: dict[str, Any] = {
            "pricing": self.pace.pricing,
            "pricing_seconds": self.pace.pricing_seconds,
            "vendor_latency": self.pace.vendor_latency,
            "poll_seconds": self.pace.poll_seconds,
        }
        staff: Sequence[mes_settings.OperatorSetting] = mes_settings.WORKSHOP
        if self.bench:
            staff = [one.model_copy(update={"capacity": self.bench}) for one in staff]
        return mes_settings.Settings(**self._common("mes"), **pace, operators=tuple(staff))

    def _pricing(self) -> pricing_settings.Settings:
        return pricing_settings.Settings(**self._common("pricing"))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve all of it for as long as the block lasts. Raises BadInput where a part cannot be used."""
        apps = {
            "issuer": create_issuer_app(self.issuer),
            "shop": shop_app.create_app(self.shop.settings, self.shop),
            "crm": crm_app.create_app(self.crm.settings, self.crm),
            "mes": mes_app.create_app(self.mes.settings, self.mes),
            "pricing": pricing_app.create_app(self.pricing.settings, self.pricing),
        }
        services = (self.shop, self.crm, self.mes, self.pricing)
        async with contextlib.AsyncExitStack() as stack:
            for service in services:
                # Before the servers, so that what is wrong is said in one sentence.
                await service.start()
            for name, app in apps.items():
                await stack.enter_async_context(running(app, HOST, self.ports[name]))
            try:
                yield
            finally:
                # One's relay delivers into another's database: all fall silent before the first of them closes.
                for service in services:
                    await service.bus.stop()
