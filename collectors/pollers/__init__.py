"""Pollers: how the collector sees systems that are on no bus, by their status history or their current statuses."""
