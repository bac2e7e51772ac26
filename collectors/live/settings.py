"""How the live collector is configured: environment variables ``TOUCHSTONE_...``, or arguments."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from collectors.promise.reading import DEFAULT_PROMISE
from instrumentation.errors import BadInput


class Settings(BaseSettings):
    """Where the collector listens, keeps its state and reads from."""

    model_config = SettingsConfigDict(env_prefix="TOUCHSTONE_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8321, ge=0, le=65_535)
    database: str = "sqlite+aiosqlite:///touchstone.db"
    token: SecretStr | None = None
    promise: Path = DEFAULT_PROMISE
    follow: Path | None = None
    bus: str | None = Field(default=None, description="amqp://... of the RabbitMQ to hear events from.")
    queues: int = Field(default=4, ge=1, description="Over how many queues of the bus orders are spread.")
    systems: Path | None = Field(default=None, description="The file of watched systems, to poll and to reconcile.")
    largest_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    largest_batch: int = Field(default=10_000, gt=0)
    picture_seconds: float = Field(default=5.0, ge=0, description="How old the picture of open orders may be.")
    poll_seconds: float = Field(default=0.5, gt=0, description="How often a followed log is looked at.")
    signals_seconds: float = Field(default=5.0, gt=0, description="How often the signals are computed, at most.")
    watch_seconds: float = Field(default=60.0, gt=0, description="How often the invariants are checked.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the collector."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def secret(self) -> str | None:
        """The bearer token that callers need, None where they need none. Raises BadInput where one is missing."""
        token = self.token.get_secret_value() if self.token else ""
        if not token and not self.loopback:
            raise BadInput(
                f"the collector would listen on {self.host} for everyone: set TOUCHSTONE_TOKEN, or bind 127.0.0.1"
            )
        return token or None
