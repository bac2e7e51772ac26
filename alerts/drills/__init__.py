"""Drills: a part of a house is broken, and the alerts must say so: which one, how soon, and until when.

Rooms are real and their metrics are what they show; only their clock is the drill's. Nothing here writes a metric.
"""
