"""The pricing workers: they take price commands by class, measure models in child processes, and answer."""
