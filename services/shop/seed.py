"""The first pieces of an empty catalogue."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from services.contract import Money
from services.shop.model import Item, Product

_ROWS: Final = (
    ("plain-band", "Plain band", "ring", "390", "A 4 mm court band, polished. The ring that goes with everything."),
    ("signet", "Signet", "ring", "740", "An oval face for your initials, on a tapered shank."),
    ("twist", "Twist", "ring", "520", "Two strands turned around each other, as two people do."),
    ("solitaire", "Solitaire", "ring", "980", "Four claws, one stone of your choice, and nothing to distract from it."),
    ("drop", "Drop", "pendant", "310", "A solid drop, 18 mm tall, on its own loop."),
    ("compass", "Compass", "pendant", "450", "A pierced rose of eight winds, for those who leave and come back."),
    ("locket", "Locket", "pendant", "690", "A hinged oval with room for two small pictures."),
    ("hoops", "Hoops", "earrings", "360", "A pair of 20 mm hoops, hollow and light."),
    ("leaves", "Leaves", "earrings", "420", "A pair of olive leaves, veined by hand."),
    ("bangle", "Open bangle", "bracelet", "880", "An oval bangle that opens at the wrist, 5 mm wide."),
    ("links", "Links", "bracelet", "1240", "Round links, each soldered shut, with a box clasp."),
)

PIECES: Final = tuple(
    Item(key, name, Product(product), description, price=Money(amount=Decimal(amount), currency="EUR"))
    for key, name, product, amount, description in _ROWS
)
