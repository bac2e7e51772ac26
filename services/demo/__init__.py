"""The whole house on one machine: its services on embedded parts, its history, and people who act in it."""
