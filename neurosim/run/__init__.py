"""Runs: a prepared network held open, assignments by name, and everything recorded so far."""
