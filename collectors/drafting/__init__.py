"""Draft a whole promise file from nothing but a log: its format, columns, statuses, stages, budgets, a promise."""

from collectors.drafting.draft import draft_promise

__all__ = ["draft_promise"]
