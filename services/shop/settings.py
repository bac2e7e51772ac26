"""How the shop is configured: environment variables ``TOUCHSTONE_SHOP_...``, or arguments."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MEGABYTE: Final = 1024 * 1024


class Settings(BaseSettings):
    """Where the shop listens, what it keeps where, and what it promises."""

    model_config = SettingsConfigDict(env_prefix="TOUCHSTONE_SHOP_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8401, ge=0, le=65_535)
    database: str = "sqlite+aiosqlite:///shop.db"
    bus: str | None = Field(default=None, description="amqp://... of RabbitMQ; embedded if left out.")
    relay: bool = Field(default=True, description="Run the relay in this process too.")
    queues: int = Field(default=4, ge=1)
    models: str | Path = Field(
        default="models", description="Where 3D models are kept: a folder, or s3://bucket?endpoint=..."
    )
    materials: Path | None = Field(
        default=None, description="The materials file, whose alloys are on offer; the house's own if left out."
    )
    largest_model_bytes: int = Field(default=100 * MEGABYTE, gt=0)
    promise_days: float = Field(default=21, gt=0, description="From submission to shipping.")
    seed: bool = Field(default=True, description="Fill an empty catalogue with pieces of our own.")
    catalogue_seconds: float = Field(default=300, ge=0, description="How old the cached catalogue may get at most.")
    upload_minutes: float = Field(default=60, gt=0, le=12 * 60, description="How long an upload past us may take.")
    cold_after_days: float = Field(default=90, gt=0, description="From an order's end to its model's cold storage.")
    quarantine_days: float = Field(default=30, gt=0, description="How long a model is kept that was never priced.")
    dropped_days: float = Field(default=90, gt=0, description="How long a priced one is that no order needs any more.")
    sweep_seconds: float = Field(default=3_600, gt=0, description="How often all models are looked through.")
    sweep_at_once: int = Field(default=200, ge=1, le=10_000, description="How many of them at once.")
    remember_hours: float = Field(default=48, ge=24, description="How long an idempotency key is remembered.")
