"""The shop's database schema."""
