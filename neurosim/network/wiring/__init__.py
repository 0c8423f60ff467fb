"""Wiring: the protocol of connectors, those of the library, and texts over pairs of neurons."""
