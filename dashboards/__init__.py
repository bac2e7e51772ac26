"""Dashboards for Grafana, built from the promise file: what each person asks of the house, and publishing them."""
