"""The signals live: what each intake moves, the account of it in memory, the reference, and the figures told."""
