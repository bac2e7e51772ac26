"""The bought-in system itself: closed, slow, versioned. The adapter knows nothing of it but its HTTP API."""
