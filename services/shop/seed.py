"""The first pieces of an empty catalogue."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from services.contract import Money
from services.shop.model import Item, Product

# What the workshop asks for a piece without ornament, by product: an order may cost more, never less.
_ROWS: Final = (
    ("plain-band", "Plain band", "ring", "180", "A 4 mm court band, polished. The ring that goes with everything."),
    ("signet", "Signet", "ring", "180", "An oval face for your initials, on a tapered shank."),
    ("twist", "Twist", "ring", "180", "Two strands turned around each other, as two people do."),
    ("solitaire", "Solitaire", "ring", "180", "Four claws, one stone of your choice, and nothing to distract from it."),
    ("drop", "Drop", "pendant", "140", "A solid drop, 18 mm tall, on its own loop."),
    ("compass", "Compass", "pendant", "140", "A pierced rose of eight winds, for those who leave and come back."),
    ("locket", "Locket", "pendant", "140", "A hinged oval with room for two small pictures."),
    ("hoops", "Hoops", "earrings", "220", "A pair of 20 mm hoops, hollow and light."),
    ("leaves", "Leaves", "earrings", "220", "A pair of olive leaves, veined by hand."),
    ("bangle", "Open bangle", "bracelet", "360", "An oval bangle that opens at the wrist, 5 mm wide."),
    ("links", "Links", "bracelet", "360", "Round links, each soldered shut, with a box clasp."),
)

PIECES: Final = tuple(
    Item(key, name, Product(product), description, price=Money(amount=Decimal(amount), currency="EUR"))
    for key, name, product, amount, description in _ROWS
)
