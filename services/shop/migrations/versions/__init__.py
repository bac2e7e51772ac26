"""The shop's migrations, applied beside those of the bus and of the accounts."""
