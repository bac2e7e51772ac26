"""Mend a surface as customers upload it, say in words what was mended, and refuse what cannot be mended honestly."""

from pricing.repairing.folds import unsure
from pricing.repairing.mending import MendingLimits, Repaired, repair

__all__ = ["MendingLimits", "Repaired", "repair", "unsure"]
