"""Serving and calling over a network that fails."""
