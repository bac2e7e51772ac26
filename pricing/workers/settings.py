"""How the pricing workers are configured: ``TOUCHSTONE_PRICING_...``, or arguments."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the service listens and keeps its state, where the models are, and how many workers it runs."""

    model_config = SettingsConfigDict(env_prefix="TOUCHSTONE_PRICING_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8405, ge=0, le=65_535)
    database: str = "sqlite+aiosqlite:///pricing.db"
    bus: str | None = Field(default=None, description="amqp://... of RabbitMQ; embedded if left out.")
    relay: bool = Field(default=True, description="Run the relay in this process.")
    queues: int = Field(default=4, ge=1)
    models: str | Path = Field(default="models", description="The shop's store of models: a folder, or s3://BUCKET.")
    materials: Path | None = Field(default=None, description="The materials file; the house's own if left out.")
    partner_terms: str | None = Field(
        default="standard", description="Terms of the materials file for the partners' channel; none if empty."
    )
    workers: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Each computes one model at a time: about a core. 0: others work, this hears.",
    )
    folder: Path | None = Field(default=None, description="For files of a calculation; the machine's if left out.")

    @field_validator("partner_terms")
    @classmethod
    def _none_if_empty(cls, terms: str | None) -> str | None:
        """Take an empty text for none: an environment holds texts only."""
        return (terms or "").strip() or None
