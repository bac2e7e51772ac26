"""The journey of one order in the terminal."""

from collectors.journeys.printing import print_journey
from collectors.journeys.showing import fetch_journey, run_order

__all__ = ["fetch_journey", "print_journey", "run_order"]
