"""Fixtures that every test may ask for."""

from __future__ import annotations

from tests.parts import postgres

__all__ = ["postgres"]
