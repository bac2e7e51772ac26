"""The process that atheris runs in: it never returns from `Fuzz`, and may die of an input."""

from __future__ import annotations

import importlib
import json
import random
import sys
from pathlib import Path
from typing import Any, Final

# What is instrumented: branches and comparisons of these packages guide the search.
GUIDED_BY: Final = ["pricing", "zipfile"]
# Bytes changed by atheris's own mutator, which knows what the code compares them with.
BLIND: Final = 0.08
# Inputs begun anew from a sound model: the corpus fills with damaged ones, which never come to a price.
ANEW: Final = 0.4


def main(told: dict[str, Any]) -> None:
    """Run what the parent asked for: see ``engines.Guided``."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=GUIDED_BY):
        from pricing.surface import Format
        from tests.fuzz.campaign import Campaign
        from tests.fuzz.mutating import MOST_BYTES, mutate
        from tests.fuzz.seeds import seeds

    form = Format(told["format"])
    sound = seeds(form)
    campaign = Campaign(form, told["runs"], Path(told["home"]), Path(told["folder"]))

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)  # noqa: S311 - a seeded search
        if chance.random() < BLIND:
            return bytes(atheris.Mutate(data, most))
        return mutate(form, chance.choice(sound) if chance.random() < ANEW else data, chance)[:most]

    flags = {
        # A few more, as empty inputs and those tried while it starts are no runs of ours.
        "runs": told["runs"] + 1000,
        "seed": told["seed"],
        "max_len": MOST_BYTES,
        "timeout": told["timeout_s"],
        "artifact_prefix": f"{told['home']}/",
        "print_final_stats": 1,
        "detect_leaks": 0,
    }
    arguments = ["fuzz", *(f"-{name}={value}" for name, value in flags.items()), *told["corpora"]]
    atheris.Setup(arguments, campaign.one, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
