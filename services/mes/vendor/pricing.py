"""The vendor's black box: what a piece costs, how long it takes to find out, and which models it cannot use."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

CURRENCY: Final = "EUR"
CENT: Final = Decimal("0.01")
# The vendor's price list of 2026, in EUR: the piece itself, and how much harder than a ring it is to calculate.
BASE: Final = {
    "ring": Decimal(180),
    "pendant": Decimal(140),
    "earrings": Decimal(220),
    "bracelet": Decimal(360),
}
OTHER: Final = Decimal(200)
EFFORT: Final = {"ring": 0.95, "pendant": 0.9, "earrings": 1.1, "bracelet": 1.35}
PER_KILOBYTE: Final = Decimal("0.04")
UNMEASURED: Final = Decimal(25)  # a model whose size nobody told
# An STL file begins with 80 bytes of title and 4 of a count.
SMALLEST_BYTES: Final = 84
AVERAGE_KB: Final = 500.0


def price(product: str, model_hash: str | None, model_bytes: int | None) -> Decimal:
    """Return the price in EUR: base of the product, and 4 cents per kilobyte of the model (25.00 where unmeasured)."""
    amount = BASE.get(product, OTHER)
    if model_bytes is not None:
        amount += PER_KILOBYTE * model_bytes / 1024
    elif model_hash is not None:
        amount += UNMEASURED
    return amount.quantize(CENT, ROUND_HALF_UP)


def duration_ms(mean_s: float, product: str, model_bytes: int | None) -> int:
    """Return how long the calculation takes: half of the mean for the product, half for an average model's size."""
    size = AVERAGE_KB if model_bytes is None else model_bytes / 1024
    return round(1000 * mean_s * (0.5 * EFFORT.get(product, 1.0) + 0.5 * min(size / AVERAGE_KB, 8.0)))


def unusable(model_bytes: int | None, largest_bytes: int) -> str | None:
    """Return why a model cannot be calculated, None where it can."""
    if model_bytes is None:
        return None
    if model_bytes < SMALLEST_BYTES:
        return f"the model is empty or cut off ({model_bytes} bytes)"
    if model_bytes > largest_bytes:
        return f"the model is too large ({model_bytes:,} bytes; at most {largest_bytes:,})"
    return None
