"""Who lives in the demo: invented customers, and how its staff speak."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

PASSWORD: Final = "a ring for the demo"  # noqa: S105 - of invented people, on a loopback address
MANAGERS: Final = {"sofia": "Sofia Marin", "tomas": "Tomas Berg"}
OPERATORS: Final = ("mara", "jonas", "ines", "pavel")
LEAD: Final = "mara"

FIRST: Final = (
    *("Ada", "Aino", "Bela", "Carlo", "Dagny", "Edda", "Emil", "Farah", "Greta", "Hugo", "Ilse", "Ivo", "Jana"),
    *("Kalle", "Lena", "Luca", "Maja", "Milo", "Nadia", "Nils", "Olga", "Petra", "Rafael", "Runa", "Selma", "Tariq"),
    *("Ulla", "Viktor", "Wanda", "Yara", "Zoe"),
)
FAMILY: Final = (
    *("Abel", "Brandt", "Castel", "Dahl", "Ekman", "Farkas", "Grau", "Holm", "Ibsen", "Janko", "Keller", "Lindqvist"),
    *("Moreau", "Novik", "Orlov", "Pires", "Quist", "Rossi", "Sommer", "Tamm", "Urban", "Vidal", "Weiss", "Zeman"),
)
PARTNERS: Final = ("Atelier Nord", "Maison Clairvaux", "Goldgasse 7", "Halva & Sons", "Studio Perla", "Lumen Bridal")
QUESTIONS: Final = (
    "The band is 0.6 mm thin at the back. May we make it 0.9 mm?",
    "The claws are lower than your stone is tall. May we raise them by 0.4 mm?",
    "Which finger is it for? The inner diameter is unusual.",
    "The ornament is finer than we can cast. May we deepen it by 0.1 mm?",
    "Do you want it polished, or brushed as in your picture?",
)
ANSWERS: Final = (
    "Yes, please do.",
    "Yes, if it does not show from above.",
    "It is for the ring finger; the size is right.",
    "Please go ahead as you think best.",
    "Polished, please.",
)
REFUSALS: Final = (
    "the walls are too thin to be cast, and the customer does not want them thicker",
    "the design is another house's trade mark",
    "a piece of this size cannot be made in our workshop",
)
SECOND_THOUGHTS: Final = (
    "I have found another one.",
    "It is too late for the wedding.",
    "It costs more than I thought.",
)
UNPRICED: Final = "the mesh has open edges; it was sent to repair"


@dataclass(frozen=True)
class Buyer:
    """A customer: a person, or a partner who orders for others."""

    id: str
    name: str
    email: str
    partner: bool = False


def buyers(rng: random.Random, people: int) -> list[Buyer]:
    """Return invented customers: so many people, and every partner."""
    pairs = rng.sample([(first, family) for first in FIRST for family in FAMILY], people)
    found = [Buyer(_key(rng), f"{first} {family}", f"{first}.{family}@example.com".lower()) for first, family in pairs]
    return found + [Buyer(_key(rng), name, f"orders@{_domain(name)}.example.com", partner=True) for name in PARTNERS]


def _key(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _domain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
