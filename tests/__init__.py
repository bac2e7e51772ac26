"""Touchstone's tests."""
