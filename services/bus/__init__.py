"""The bus: events and commands between services, never lost, ordered per order."""
