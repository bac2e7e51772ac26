"""Putting the system on a machine: real servers, and what a deployment needs."""
