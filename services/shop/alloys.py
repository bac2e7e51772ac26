"""The alloys that a customer may choose from: those that the pricing workers price by."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pricing.materials import DEFAULT_MATERIALS, describe_alloys, load_materials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def alloys(materials: Path | None = None) -> Mapping[str, str]:
    """Return what each alloy of a materials file is called in words, by its name, in the order of the file.

    The file is the house's own if left out. Raises BadInput where it cannot be used.
    """
    return MappingProxyType(dict(describe_alloys(load_materials(materials or DEFAULT_MATERIALS))))
