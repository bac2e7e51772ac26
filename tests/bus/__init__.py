"""The behavioural suite of the bus: one suite over the embedded parts and the real ones."""
