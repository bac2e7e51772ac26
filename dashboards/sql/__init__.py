"""SQL for Grafana's PostgreSQL data source: what names orders, customers or people, or reaches far back."""
