"""Drills: faults and healthy half-years, and what the signals make of them."""
