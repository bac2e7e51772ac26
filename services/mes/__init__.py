"""The manufacturing system that the house bought, and the adapter that is the only way to it."""
