"""The promise file made into Prometheus rules, their tests, and who is told: `touchstone alerts build`."""
