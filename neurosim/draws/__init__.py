"""Random numbers: streams keyed by seed and name, values that may be drawn, and edges that are drawn."""
