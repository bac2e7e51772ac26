"""How the manufacturing system and its adapter are configured: ``TOUCHSTONE_MES_...``, or arguments."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from instrumentation.errors import BadInput
from services.auth.settings import loopback

DEMO_KEY: Final = "the vendor's demo key"


class OperatorSetting(BaseModel):
    """Somebody in the workshop. ``id``: the subject of the token that they sign in with."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    skills: tuple[str, ...] = Field(description="Products; `*` is every product.")
    capacity: int = Field(default=5, ge=1, le=1_000, description="Unfinished pieces on the bench, at most.")
    lead: bool = False


# Those whom the demo's issuer lets sign in.
WORKSHOP: Final = (
    OperatorSetting(id="mara", name="Mara Lindt", skills=("*",), capacity=6, lead=True),
    OperatorSetting(id="jonas", name="Jonas Feld", skills=("ring", "pendant"), capacity=8),
    OperatorSetting(id="ines", name="Ines Costa", skills=("ring", "earrings"), capacity=8),
    OperatorSetting(id="pavel", name="Pavel Novak", skills=("pendant", "bracelet"), capacity=8),
)


class Settings(BaseSettings):
    """Where it listens and keeps its state, how the vendor's system behaves, and how the adapter reaches it."""

    model_config = SettingsConfigDict(env_prefix="TOUCHSTONE_MES_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8403, ge=0, le=65_535)
    database: str = "sqlite+aiosqlite:///mes.db"
    bus: str | None = Field(default=None, description="amqp://... of RabbitMQ; embedded if left out.")
    relay: bool = Field(default=True, description="Run the relay in this process.")
    queues: int = Field(default=4, ge=1)
    models: str | Path | None = Field(default=None, description="Where the shop keeps models, to know their size.")
    # The vendor's system.
    vendor_key: SecretStr | None = None
    vendor_latency: float = Field(default=0.2, ge=0, description="Seconds that each call of the vendor's API takes.")
    vendor_largest_model_bytes: int = Field(default=32 * 1024 * 1024, gt=0)
    pricing_seconds: float = Field(default=20.0, ge=0, description="What calculating an average order takes.")
    quote_valid: timedelta = Field(default=timedelta(days=14), gt=timedelta())
    operators: tuple[OperatorSetting, ...] = WORKSHOP
    # The adapter.
    pricing: Literal["workers", "vendor"] = Field(default="workers", description="Who calculates prices of models.")
    pricing_patience: timedelta = Field(
        default=timedelta(minutes=10), gt=timedelta(), description="The workers' silence after which the vendor does."
    )
    vendor_url: str | None = Field(default=None, description="Where the vendor's API is; this process if left out.")
    vendor_api: Literal["v1", "v2"] = "v1"
    poll_seconds: float = Field(default=0.5, gt=0, description="How often the adapter looks for changes and due calls.")
    tasks: bool = Field(default=True, description="Run what the service does by itself in this process.")

    @property
    def key(self) -> str:
        """The vendor's key. Raises BadInput where none is set and others than this machine could use the demo's."""
        given = self.vendor_key.get_secret_value() if self.vendor_key else ""
        if not given and not loopback(self.host):
            raise BadInput(
                f"the vendor's API would listen on {self.host} with the demo's key: set TOUCHSTONE_MES_VENDOR_KEY, "
                "or bind 127.0.0.1"
            )
        return given or DEMO_KEY

    @property
    def vendor_address(self) -> str:
        """Where the adapter finds the vendor's API."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        return self.vendor_url or f"http://{host}:{self.port}"
