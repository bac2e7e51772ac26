"""The houses that the suite runs on."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.bus.house import House, RealHouse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=["embedded", "real"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Build a house on embedded parts, and one on PostgreSQL and RabbitMQ."""
    name = f"t{uuid.uuid4().hex[:8]}"
    if request.param == "embedded":
        built = House(tmp_path)
    else:
        built = RealHouse(tmp_path, request.getfixturevalue("postgres"), request.getfixturevalue("rabbitmq"), name)
    try:
        yield built
    finally:
        await built.close()


@pytest.fixture
async def real(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RealHouse]:
    """Build a house on PostgreSQL and RabbitMQ."""
    name = f"t{uuid.uuid4().hex[:8]}"
    built = RealHouse(tmp_path, request.getfixturevalue("postgres"), request.getfixturevalue("rabbitmq"), name)
    try:
        yield built
    finally:
        await built.close()
