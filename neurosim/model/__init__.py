"""Cells and rules: their declarations, the resolution of names and units, and integration methods."""
