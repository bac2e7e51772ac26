"""Fixtures that every test may ask for."""

from __future__ import annotations

from tests.parts import postgres, rabbitmq, s3, toxiproxy

__all__ = ["postgres", "rabbitmq", "s3", "toxiproxy"]
