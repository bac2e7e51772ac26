"""How the desk is configured: environment variables ``TOUCHSTONE_CRM_...``, or arguments."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.crm.rules import DEFAULT_RULES


class Settings(BaseSettings):
    """Where the desk listens, keeps its files, hears of orders, and by what rules it approves."""

    model_config = SettingsConfigDict(env_prefix="TOUCHSTONE_CRM_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8402, ge=0, le=65_535)
    database: str = "sqlite+aiosqlite:///crm.db"
    bus: str | None = Field(default=None, description="amqp://... ; None: the embedded bus of one process.")
    relay: bool = Field(default=True, description="Run the relay in this process.")
    queues: int = Field(default=4, gt=0)
    rules: Path = DEFAULT_RULES
    models: str | Path | None = Field(default=None, description="Where models and their pictures are kept.")
    close_after: timedelta = Field(
        default=timedelta(days=7), ge=timedelta(), description="From shipping to closing; ISO 8601 (P7D)."
    )
    sweep_seconds: float = Field(default=60.0, gt=0, description="How often due orders are looked for.")
    sweep_at_once: int = Field(default=100, gt=0, description="How many orders one sweep's transaction closes.")
